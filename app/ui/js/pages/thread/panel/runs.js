// The runs of a step: the present one, and those of before a retry by hand or a rollback.
import { html } from "../../../lib/html.js";
import { setQuery } from "../../../lib/route.js";
import { clock, duration, exact } from "../../../lib/words.js";
import { State } from "../../../kit/marks.js";

export function Runs({ step }) {
  const present = { id: step.run_id, status: step.status, attempt: step.attempt, started_at: step.started_at, completed_at: step.completed_at };
  const all = [present, ...step.runs].sort((one, other) => (one.id < other.id ? 1 : -1));
  return html`<table class="runs"><thead><tr><th>State</th><th>Started</th><th class="num">Took</th><th class="num">Attempts</th></tr></thead><tbody>
    ${all.map((run) => html`<tr key=${run.id} aria-current=${run.id === step.run_id || undefined}><td><button type="button" class="linklike" onClick=${() => setQuery({ run: run.id, tab: null })}><${State} state=${run.status} /></button></td>
      <td><time class="mono" datetime=${run.started_at} title=${exact(run.started_at)}>${clock(run.started_at)}</time></td>
      <td class="num">${run.completed_at ? duration(Date.parse(run.completed_at) - Date.parse(run.started_at)) : "–"}</td><td class="num">${run.attempt}</td></tr>`)}</tbody></table>
    ${step.more_runs && html`<p class="muted">There are more; these are the newest.</p>`}`;
}
