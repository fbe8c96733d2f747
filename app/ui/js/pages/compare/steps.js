// The steps of both sides in one table: who did each, how it went, what it took, whether it gave the same.
import { html, useMemo, useState } from "../../lib/html.js";
import { duration, money, plural } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { List } from "../../kit/list.js";
import { Mark } from "../../kit/marks.js";
import { over } from "./sides.js";
import { showOutput } from "./values.js";

const ROW = 37;

export function Steps({ steps }) {
  const [all, setAll] = useState(true);
  const differing = useMemo(() => steps.filter(differs), [steps]);
  const rows = all ? steps : differing;
  return html`<section class="sheet compared-steps" aria-label="Steps"><header><h2>Steps</h2><span class="muted">${differing.length ? `${plural(differing.length, "step")} of ${steps.length} not the same` : "all the same"}</span>
      <span class="actions"><label class="check small muted"><input type="checkbox" checked=${!all} onChange=${(event) => setAll(!event.target.checked)} />only those that differ</label></span></header>
    <div class="step-row titles" aria-hidden="true"><span>Step</span><span>a</span><span>Took</span><span>Cost</span><span>b</span><span>Took</span><span>Cost</span><span>Output</span></div>
    <${List} rows=${rows} keyOf=${(one) => one.id} height=${ROW} inner=${Math.min(rows.length * ROW, 12 * ROW) || 1} label="Steps of both sides" draw=${(one) => html`<${Row} step=${one} />`} /></section>`;
}

function differs({ a, b, output }) {
  return output.equal === false || a?.status !== b?.status || a?.agent !== b?.agent;
}

function Row({ step }) {
  const { a, b, output } = step;
  return html`<div class="step-row" data-differs=${differs(step) || undefined}><strong class="cut" title=${step.id}>${step.id}</strong>
    <${Half} run=${a} other=${b} /><${Half} run=${b} other=${a} />
    <span>${over(step) && output.equal === false ? html`<${Button} kind="small" onClick=${() => showOutput(step)}>differs…<//>` : html`<span class="muted">${over(step) && output.equal ? "same" : "–"}</span>`}</span></div>`;
}

function Half({ run, other }) {
  if (!run) return html`<span class="faint">not in it</span><span></span><span></span>`;
  const apart = other && run.agent !== other.agent;
  const tries = run.attempt > 1 ? `, ${run.attempt} attempts` : "";
  return html`<span class="who" title=${run.error?.message}><${Mark} state=${run.status} label=${run.status} /><span class=${`cut ${apart ? "apart" : ""}`}>${run.reused ? "taken over" : (run.agent ?? run.status)}${run.variant ? ` (${run.variant})` : ""}${tries}</span></span>
    <span class="num">${run.reused ? "" : duration(run.duration_ms)}</span><span class="num">${run.reused ? "" : money(run.usage?.cost_usd)}</span>`;
}
