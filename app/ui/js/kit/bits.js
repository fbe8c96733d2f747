// The smallest parts: buttons, times, things to copy.
import { html, useState } from "../lib/html.js";
import { ago, duration, exact, now } from "../lib/words.js";
import { Icon } from "./marks.js";
import { say } from "./toast.js";

/** A button; `kind` is main, danger, quiet, small, or several of them; `icon` alone needs a `label`. */
export function Button({ kind = "", icon, label, children, busy = false, disabled = false, ...rest }) {
  const bare = icon && !children;
  return html`<button type="button" class=${`button ${kind} ${bare ? "icon" : ""}`} aria-label=${bare ? label : undefined}
    title=${bare ? label : rest.title} aria-busy=${busy || undefined} disabled=${busy || disabled} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${children}
  </button>`;
}

/** How long ago, or until when; the exact time when pointed at. */
export function Ago({ at, prefix = "" }) {
  if (!at) return html`<span class="faint">–</span>`;
  return html`<time class="nowrap" datetime=${at} title=${exact(at)}>${prefix}${ago(at, now.value)}</time>`;
}

/** How long from `since` until `until`, or until now while it goes on. */
export function Lasts({ since, until }) {
  if (!since) return html`<span class="faint">–</span>`;
  const end = until ? Date.parse(until) : now.value;
  return html`<span class="nowrap" title=${`from ${exact(since)}${until ? ` to ${exact(until)}` : ""}`}>${duration(Math.max(0, end - Date.parse(since)))}</span>`;
}

/** A button that puts a text (or what a function gives) on the clipboard. */
export function Copy({ text, label = "Copy", kind = "quiet small", children }) {
  const [done, setDone] = useState(false);
  const copy = async (event) => {
    event.stopPropagation();
    try {
      await copied(typeof text === "function" ? text() : text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      say("The browser does not let this page use the clipboard.", { wrong: true });
    }
  };
  return html`<${Button} kind=${kind} icon="copy" label=${done ? "Copied" : label} onClick=${copy}>${children && (done ? "Copied" : children)}<//>`;
}

async function copied(text) {
  // Without a secure context (a plain http address other than localhost) there is only the old way.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("refused");
}

/** A line to paste into a terminal. */
export function CodeLine({ text }) {
  return html`<div class="codeline"><pre tabindex="0">${text}</pre><${Copy} text=${text} label="Copy the command" /></div>`;
}

/** A labelled field of a form with its hint and fault; `children` is the control, given the id by `id`. */
export function Field({ id, label, hint, fault, children }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>${children}
    ${hint && html`<p class="hint" id=${`${id}~hint`}>${hint}</p>`}
    ${fault && html`<p class="fault" id=${`${id}~fault`} role="alert">${fault}</p>`}
  </div>`;
}
