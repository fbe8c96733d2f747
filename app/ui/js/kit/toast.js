// Short words at the edge: what an action came to. They are read out, and go by themselves unless something went wrong.
import { whenBack } from "../lib/feed.js";
import { html, signal } from "../lib/html.js";
import { Icon } from "./marks.js";

const toasts = signal([]);
let count = 0;

/** Say something; `action` is {label, run} beside it, `wrong` stays until it is closed. */
export function say(text, { wrong = false, action = null } = {}) {
  const toast = { id: (count += 1), text, wrong, action };
  toasts.value = [...toasts.peek().slice(-3), toast];
  if (!wrong) setTimeout(() => drop(toast), action ? 8000 : 4000);
  return toast;
}

/** Say what went wrong: the words of a Problem, or of any error. */
export function complain(error, what = "") {
  if (error?.name === "AbortError") return;
  const toast = say([what, error?.detail ?? error?.message ?? String(error)].filter(Boolean).join(": "), { wrong: true });
  if (!error?.passing) return;
  const stop = whenBack(() => { stop(); drop(toast); }); // that the service was away is no news once it is back
}

function drop(toast) {
  toasts.value = toasts.peek().filter((other) => other !== toast);
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map((toast) => html`<div class=${`toast ${toast.wrong ? "wrong" : ""}`} key=${toast.id}>
      <span class="grow">${toast.text}</span>
      ${toast.action && html`<button type="button" class="button small" onClick=${() => { drop(toast); toast.action.run(); }}>${toast.action.label}</button>`}
      <button type="button" class="button small icon" aria-label="Close" onClick=${() => drop(toast)}><${Icon} name="close" /></button>
    </div>`)}
  </div>`;
}
