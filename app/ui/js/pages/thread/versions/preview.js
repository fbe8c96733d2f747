// What a version is, beside the knot that is pointed at.
import { html } from "../../../lib/html.js";
import { bytes, clock, plural } from "../../../lib/words.js";
import { changesOf } from "./details.js";
import { isOn } from "./shape.js";

const WIDE = 240;

export function Preview({ version, details, shape, x, y, room }) {
  const entry = details.entries.value.get(version);
  const segment = shape.find(version);
  if (!entry || !segment) return null;
  const parent = entry.parent_version;
  const changes = changesOf(entry, details.entries.value.get(parent));
  const left = Math.max(4, Math.min(x - WIDE / 2, room - WIDE - 4));
  return html`<div class="tree-preview" aria-hidden="true" style=${{ left: `${left}px`, top: `${y + 30}px`, width: `${WIDE}px` }}>
    <p><b class="mono">v${version}</b> <strong>${entry.current_step}</strong> <span class="faint">${version === shape.head ? "the head" : isOn(segment, version) ? "" : "left behind"}</span></p>
    <p class="mono muted">${clock(entry.created_at)}</p>
    ${changes.map((one) => html`<p key=${one}>${one}</p>`)}
    <p class="muted">${plural(entry.completed_steps.length, "step")} ended · ${plural(entry.state_summary.context_keys.length, "variable")} · ${bytes(entry.size_bytes)}</p>
  </div>`;
}
