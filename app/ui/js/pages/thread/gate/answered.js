// A question that is over: what was answered, by whom, when.
import { html } from "../../../lib/html.js";
import { Ago } from "../../../kit/bits.js";
import { State } from "../../../kit/marks.js";
import { Shown } from "./shown.js";

const OVER = { answered: ["completed", "answered"], timed_out: ["failed", "timed out"], closed: ["cancelled", "closed unanswered"] };

/** `bare`: without the question itself. */
export function Answered({ gate, bare = false }) {
  const [state, word] = OVER[gate.status] ?? ["completed", gate.status];
  const who = gate.via === "timeout" ? "nobody: its time was over" : (gate.answered_by ?? "somebody who gave no name");
  return html`<div class="answered">
    ${!bare && html`<div class="row"><${State} state=${state}>${word}<//><span class="cut">${gate.title ?? gate.step_id}</span><span class="faint small">${gate.item === null ? "" : `item ${gate.item}`} ${gate.round > 0 ? `question ${gate.round + 1}` : ""}</span></div>`}
    ${gate.status === "answered" && html`<p class="muted small">by ${who}, <${Ago} at=${gate.answered_at} />${gate.via && gate.via !== "timeout" ? `, by way of ${gate.via}` : ""}</p><${Shown} value=${gate.answer} />`}
    ${gate.status !== "answered" && html`<p class="muted small">asked <${Ago} at=${gate.opened_at} /></p>`}
  </div>`;
}
