// Beside the graph: what is chosen. Without a choice that is the thread itself.
import { html, useEffect } from "../../lib/html.js";
import { setQuery } from "../../lib/route.js";
import { Empty } from "../../kit/faces.js";
import { lazy } from "../../kit/lazy.js";
import { OfThread } from "./panel/whole.js";

const OfStep = lazy(() => import("./panel/step.js"), "OfStep");

export function Panel({ thread, query }) {
  useEffect(OfStep.soon, []); // the first step that is chosen shall be there at once, also while the service is away
  const chosen = query.step && thread.steps.value.get(query.step);
  if (query.step && (chosen || query.run || isUndoing(query.step))) return html`<${OfStep} key=${query.step} thread=${thread} id=${query.step} entry=${chosen ?? null} query=${query} />`;
  if (query.step) {
    return html`<section class="sheet panel"><${Empty} title="No such step"><p class="muted">This thread's workflow has no step <code>${query.step}</code>.</p>
      <button type="button" class="button" onClick=${() => setQuery({ step: null, run: null })}>Show the thread</button><//></section>`;
  }
  return html`<${OfThread} thread=${thread} query=${query} />`;
}

/** What undoes a step is no step of the workflow, and has runs all the same. */
function isUndoing(id) {
  return id.endsWith(".undo");
}
