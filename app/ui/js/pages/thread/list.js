// The steps of a thread as a list: where there are many, or no graph is known.
import { html, useMemo, useState } from "../../lib/html.js";
import { own } from "../../lib/own.js";
import { duration, money, number } from "../../lib/words.js";
import { Empty } from "../../kit/faces.js";
import { List } from "../../kit/list.js";
import { Mark } from "../../kit/marks.js";
import { Took } from "./header.js";
import { choose } from "./selection.js";

const ROW = 32;

export function StepList({ thread, query, notes, graph, known, height }) {
  const { steps } = thread.status.value;
  const [text, setText] = useState("");
  const [state, setState] = useState("");
  const kinds = useMemo(() => new Map((graph?.nodes ?? []).map((node) => [node.id, node])), [graph]);
  const rows = useMemo(() => steps.filter((step) => (!state || step.status === state) && (!text || `${step.id} ${step.agent ?? ""}`.toLowerCase().includes(text.toLowerCase()))), [steps, state, text]);
  const states = useMemo(() => [...Map.groupBy(steps, (step) => step.status)].map(([name, list]) => [name, list.length]), [steps]);
  if (!steps.length) return html`<${Empty} title="No step yet"><p class="muted">${known ? "The steps of a workflow in Python are known as they come." : "The steps are on their way."}</p><//>`;
  return html`${steps.length > 8 && html`<div class="list-tools">
      <input type="search" class="grow" placeholder="step or agent" aria-label="Filter the steps by text" value=${text} spellcheck=${false} onInput=${(event) => setText(event.target.value)} />
      <select aria-label="Filter the steps by state" value=${state} onChange=${(event) => setState(event.target.value)}><option value="">all ${number(steps.length)}</option>
        ${states.map(([name, count]) => html`<option key=${name} value=${name}>${name} ${number(count)}</option>`)}</select>
    </div>`}
    ${rows.length === 0 && html`<p class="loading-not muted">No step is like that.</p>`}
    <${List} rows=${rows} keyOf=${(step) => step.id} height=${ROW} inner=${height - 40} label="Steps" selected=${rows.findIndex((step) => step.id === query.step)}
      draw=${(step, { selected }) => html`<${Line} step=${step} node=${kinds.get(step.id)} note=${own(notes, step.id)} selected=${selected} />`} />`;
}

function Line({ step, node, note, selected }) {
  const does = step.agent ?? node?.label ?? node?.kind ?? "";
  return html`<button type="button" class="step-line" aria-pressed=${selected} onClick=${() => choose(selected ? null : step.id)}>
    <${Mark} state=${step.status} label=${step.status} /><span class="cut id">${step.id}</span>
    <span class="cut faint does">${does === step.id ? (node?.kind ?? "") : does}</span>
    <span class="faint right">${note ?? (step.reused ? "kept" : "")}</span>
    <span class="right">${step.usage?.cost_usd ? money(step.usage.cost_usd) : ""}</span>
    <span class="right">${step.duration_ms !== null && step.duration_ms !== undefined ? duration(step.duration_ms) : step.started_at ? html`<${Took} since=${step.started_at} />` : ""}</span>
  </button>`;
}
