// One workflow on one line: what it is, and how its executions of the last day went.
import { html } from "../../lib/html.js";
import { pageOf, startOf } from "../../lib/definitions.js";
import { duration, money, number, plural } from "../../lib/words.js";

export function Heads() {
  return html`<div class="workflow-row heads" aria-hidden="true"><span>Workflow</span><span></span><span class="num">Runs 24 h</span><span class="num">Failed</span><span class="num">p95</span><span class="num">Cost</span><span></span></div>`;
}

/** `figures` as in GET /api/metrics/workflows, undefined when none of its executions has ended; `known` once they have been asked for. */
export function Row({ workflow, figures, known }) {
  const { name, version, steps, description } = workflow;
  const none = known ? html`<span class="faint">–</span>` : "";
  const runs = figures?.count ?? 0;
  const ended = (word) => `?workflow=${encodeURIComponent(name)}&time=24h${word}`;
  return html`<article class="workflow-row">
    <a class="open" href=${pageOf(name)}><b class="cut">${name}</b><span class="muted cut">${description ?? ""}</span></a>
    <span class="what faint nowrap">v${version} · ${plural(steps.length, "step")}</span>
    <span class="num" data-label="runs">${runs ? html`<a href=${`/threads${ended("")}`} title="executions that ended">${number(runs)}</a>` : none}</span>
    <span class="num" data-label="failed">${figures?.errors ? html`<a class="bad" href=${`/threads${ended("&status=failed")}`}>${number(figures.errors)}</a>` : runs ? html`<span class="faint">0</span>` : none}</span>
    <span class="num" data-label="p95" title="95 of 100 took no longer; told by the bound of a histogram">${runs ? duration(figures.duration_ms.p95) : none}</span>
    <span class="num" data-label="cost">${figures?.cost_usd ? money(figures.cost_usd) : none}</span>
    <span class="act"><a class="button small" href=${startOf(name)} aria-label=${`Start ${name}`}>Start</a></span>
  </article>`;
}
