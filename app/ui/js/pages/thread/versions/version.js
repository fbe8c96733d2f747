// The version that is chosen: who wrote it, when and why, what its state is, and what can be done from there.
import { html } from "../../../lib/html.js";
import { setQuery } from "../../../lib/route.js";
import { bytes, plural, shortId } from "../../../lib/words.js";
import { Ago, Button, Copy } from "../../../kit/bits.js";
import { Loading } from "../../../kit/faces.js";
import { Menu } from "../../../kit/menu.js";
import { editContext, fork, rollback } from "../travel.js";
import { before as shownBefore, changesOf } from "./details.js";
import { replay } from "./replay.js";
import { isOn } from "./shape.js";
import { StateOf } from "./state.js";

const WHY = { start: "the start", step: "a step that ended", end: "the end", fork: "a fork", edit: "an edit" };
const NO_STEP = new Set(["START", "END"]);

export function Version({ thread, version, shape, details, onCompare }) {
  const entry = details.entries.value.get(version);
  const segment = shape.find(version);
  const head = version === shape.head;
  if (!entry) return html`<div class="version"><${Loading} what=${`Version ${version}`} /></div>`;
  const before = entry.parent_version;
  const since = shownBefore(details.entries.value, version);
  const changes = changesOf(entry, details.entries.value.get(before));
  const step = NO_STEP.has(entry.current_step) ? null : entry.current_step;
  const parts = thread.definition.value.value?.graph?.nodes?.find((one) => one.id === step)?.parts;
  return html`<div class="version" role="region" aria-label=${`Version ${version}`}>
    <div class="version-head">
      <h3><span class="mono">v${version}</span> ${entry.current_step}</h3>
      <span class="tag">${head ? "the head" : isOn(segment, version) ? "on the timeline" : "left behind"}</span>
      ${entry.hidden && html`<span class="tag">hidden</span>`}
      <span class="muted">${changes.join(", ")}</span>
      <${Button} kind="quiet small" icon="close" label="Close the version" onClick=${() => setQuery({ v: null, w: null })} />
    </div>
    ${entry.hidden ? html`<p class="note">The checkpoint policy hides this version: it serves recovery alone. Its state cannot be shown, and nothing begins from it.</p>` : html`<div class="version-acts">
      <${Button} icon="back" onClick=${() => rollback(thread, version)}>Roll back to v${version}…<//>
      <${Button} icon="fork" onClick=${() => fork(thread, version)}>Fork from v${version}…<//>
      <${Button} icon="edit" onClick=${() => editContext(thread, version)}>Edit context…<//>
      ${since && html`<${Button} kind="quiet" onClick=${() => setQuery({ v: since, w: version })}>Changes since v${since}<//>`}
      ${!head && html`<${Button} kind="quiet" onClick=${() => setQuery({ w: shape.head })}>Diff with the head<//>`}
      <${Menu} label="More" kind="quiet" items=${[
        { label: "Compare with another…", run: onCompare },
        entry.execution_id !== thread.status.value?.execution_id && { label: "Compare its execution with the present one", href: `/compare?a=${encodeURIComponent(entry.execution_id)}&b=${encodeURIComponent(thread.id)}` },
        step && { label: `Do ${step} again alone…`, run: () => replay(thread, step, { entry, parts }) },
        step && { label: `Show step ${step}`, run: () => setQuery({ step }) },
      ]} />
      <${Copy} text=${() => location.href} label="Copy link" kind="quiet">Copy link<//>
    </div>`}
    <div class="version-body">
      <dl class="facts">
        <dt>Written</dt><dd><${Ago} at=${entry.created_at} /> by ${WHY[entry.trigger] ?? entry.trigger}</dd>
        <dt>On top of</dt><dd>${before ? html`<button type="button" class="textual" onClick=${() => setQuery({ v: before })}>v${before}</button>` : "nothing: it is the first"}</dd>
        <dt>Execution</dt><dd><span class="mono" title=${entry.execution_id}>${shortId(entry.execution_id)}</span> <${Copy} text=${entry.execution_id} label="Copy the id" /> <${Began} segment=${segment} /></dd>
        <dt>Progress</dt><dd>${Math.round(entry.progress * 100)} %, ${plural(entry.completed_steps.length, "step")} ended</dd>
        <dt>Variables</dt><dd>${entry.state_summary.context_keys.slice(0, 20).join(", ") || "none"}</dd>
        <dt>Size</dt><dd>${bytes(entry.size_bytes)}</dd>
      </dl>
      ${!entry.hidden && html`<${StateOf} thread=${thread} entry=${entry} />`}
    </div>
  </div>`;
}

/** How the line began that the version is on. */
function Began({ segment: { branch, parent } }) {
  if (branch.began === "start") return null;
  const text = branch.began === "rollback" ? `a rollback to v${parent}` : branch.began;
  return html`<span class="muted">${text}${branch.left_version ? ` from v${branch.left_version}` : ""}${branch.reason ? `: ${branch.reason}` : ""}</span>`;
}
