// What went wrong in words, where anything did.
import { html, useMemo } from "../../lib/html.js";
import { bytes } from "../../lib/words.js";
import { meaning } from "./errors.js";
import { choose } from "./selection.js";

const DONE = new Set(["completed", "skipped"]);

/** Why a thread goes on no further, and what to do: its error, or who stopped it. */
export function Stuck({ thread }) {
  const { status, error, steps } = thread.status.value;
  if (status === "cancelled") return html`<p class="note" data-state="cancelled">It was cancelled${error?.message ? `: ${clipped(error.message)}` : ""}. What had completed is kept; Resume goes on from there.</p>`;
  if (error) return html`<${Failure} error=${error} whole=${error.step_id === null && steps.every((step) => DONE.has(step.status))} />`;
  if (status === "paused") return html`<p class="note" data-state="paused">${paused(thread)} No further step starts until it is resumed.</p>`;
  return null;
}

function paused(thread) {
  const why = thread.events.value.findLast((event) => event.event === "workflow_paused")?.data.reason;
  return why ? `It is paused: ${meaning({ kind: why }).means}` : "It is paused.";
}

/** An error in words; `step` false where its place is known already, `whole` where no step is left. */
export function Failure({ error, step = true, whole = false }) {
  const { means, todo } = useMemo(() => meaning(error, whole), [error.kind, error.retryable, error.step_id, whole]);
  return html`<div class="note wrong failure">
    <p>${step && error.step_id && html`<button type="button" class="linklike" onClick=${() => choose(error.step_id)}>${error.step_id}</button>`}${step && error.step_id ? ": " : ""}<code class="kind">${error.kind}</code></p>
    <p class="message">${clipped(error.message)}</p>
    <p class="muted">${means} ${todo}</p>
  </div>`;
}

function clipped(text = "") {
  return text.length > 4000 ? `${text.slice(0, 4000)}… (${bytes(text.length)})` : text;
}
