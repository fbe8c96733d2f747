// Is it well, and if not, what is to be done? Each part with its figures; and the last hour or day of all work.
import { html, useMemo } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { setQuery } from "../../lib/route.js";
import { duration, money, number, plural } from "../../lib/words.js";
import { Chart } from "../../kit/chart.js";
import { Face } from "../../kit/faces.js";
import { Mark } from "../../kit/marks.js";
import { partOf } from "./parts.js";

const EVERY = 5_000;
const PATIENCE = 10_000; // each look of the service at itself is bounded by two seconds
const SERIES_EVERY = 15_000;
const MARK = { ready: "completed", degraded: "waiting", unavailable: "failed" };
const SPANS = { "1h": ["the last hour", 3600], "24h": ["the last day", 86_400] };

/** GET /api/health; 503 answers it too, with all its parts. */
async function health(signal) {
  try {
    return await get("/health", { signal, patience: PATIENCE });
  } catch (error) {
    if (error.status === 503 && error.more?.parts) return { status: "unavailable", parts: error.more.parts, durable: error.more.durable };
    throw error;
  }
}

export default function Health({ query }) {
  const found = useResource(health, []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found} what="The service does not say how it is">${(value) => html`${found.problem.value ? html`<${Silent} />`
    : html`<${Verdict} health=${value} />`}<${Parts} parts=${value.parts} />`}<//>
    <${Work} span=${Object.hasOwn(SPANS, query.window ?? "") ? query.window : "1h"} />`;
}

/** What it said before it fell silent is no verdict on now. */
function Silent() {
  return html`<section class="verdict" data-state="failed" role="status"><h2><${Mark} state="failed" />It does not say how it is</h2>
    <p class="muted">Below is what it said last.</p></section>`;
}

function Verdict({ health: { status, parts, durable } }) {
  const ill = Object.entries(parts).filter(([, part]) => part.status !== "ready").sort(([, one]) => (one.status === "unavailable" ? -1 : 1));
  const words = { ready: "All is well", degraded: ill.length === 1 ? "It works, and one part needs somebody" : `It works, and ${ill.length} parts need somebody`,
    unavailable: "It cannot work now" }[status];
  return html`<section class="verdict" data-state=${MARK[status]}>
    <h2 role="status"><${Mark} state=${MARK[status]} />${words}</h2>
    ${durable === false && html`<p class="muted">Nothing is kept: state is in memory and gone when the process ends.</p>`}
    ${ill.length > 0 && html`<ol class="todo">${ill.map(([name, part]) => html`<li key=${name} data-state=${MARK[part.status]}>
      <b>${partOf(name).label}</b> <span class="detail">${part.detail ?? part.status}</span>
      <p>${partOf(name).help}${partOf(name).leads && html` <a class="link" href=${partOf(name).leads}>Look</a>`}</p></li>`)}</ol>`}
  </section>`;
}

function Parts({ parts }) {
  return html`<ul class="parts" aria-label="Parts of the service">${Object.entries(parts).map(([name, part]) => {
    const known = partOf(name);
    const body = html`<${Mark} state=${MARK[part.status]} label=${part.status} /><span class="label">${known.label}<small>${known.is}</small></span>
      <span class="says">${part.status === "ready" ? known.says(part) : part.detail ?? part.status}</span>`;
    return html`<li key=${name} data-state=${MARK[part.status]}>${known.leads && known.leads !== "/operations"
      ? html`<a href=${known.leads}>${body}</a>` : html`<div>${body}</div>`}</li>`;
  })}</ul>`;
}

const METRICS = [["workflow", "count"], ["workflow", "errors"], ["workflow", "p50_ms"], ["workflow", "p95_ms"], ["agent", "count"], ["agent", "errors"], ["agent", "cost_usd"]];

async function work(span, signal) {
  const seconds = SPANS[span][1];
  const since = new Date(Date.now() - seconds * 1000).toISOString();
  const series = await Promise.all(METRICS.map(([kind, metric]) => get("/metrics/timeseries", { params: { kind, metric, since }, signal })));
  const points = Object.fromEntries(METRICS.map(([kind, metric], index) => [`${kind}.${metric}`, series[index].points]));
  return { points, resolution: series[0].resolution };
}

function Work({ span }) {
  const found = useResource((signal) => work(span, signal), [span]);
  useEvery(SERIES_EVERY, found.reload, [found]);
  return html`<section class="work"><div class="head"><h2>What was done in ${SPANS[span][0]}</h2>
      <div class="actions windows" role="group" aria-label="Over which time">${Object.entries(SPANS).map(([id, [words]]) => html`<button type="button" key=${id}
        aria-pressed=${id === span} aria-label=${words} onClick=${() => setQuery({ window: id })}>${id.replace("h", " h")}</button>`)}</div></div>
    <${Face} of=${found}>${({ points, resolution }) => html`<${Charts} series=${points} each=${resolution} />`}<//></section>`;
}

const sum = (points) => points.reduce((total, point) => total + (point.value ?? 0), 0);

function Charts({ series, each }) {
  const made = useMemo(() => ({
    executions: [{ label: "ended", points: series["workflow.count"], color: "running", bars: true }, { label: "failed", points: series["workflow.errors"],
      color: "failed", bars: true }],
    durations: [{ label: "p95", points: series["workflow.p95_ms"], color: "running" }, { label: "p50", points: series["workflow.p50_ms"], color: "completed" }],
    attempts: [{ label: "attempts", points: series["agent.count"], color: "running", bars: true }, { label: "failed", points: series["agent.errors"],
      color: "failed", bars: true }],
    cost: [{ label: "cost", points: series["agent.cost_usd"], color: "running", bars: true }],
  }), [series]);
  const ended = sum(series["workflow.count"]);
  const failed = sum(series["workflow.errors"]);
  const slowest = Math.max(...series["workflow.p95_ms"].map((point) => point.value ?? 0));
  return html`<p class="muted summary">${ended === 0 ? "No execution has ended."
    : html`${plural(ended, "execution")} ended, ${number(failed)} of them failed${slowest > 0
    && html`, p95 of the slowest ${each} ${duration(slowest)}`}, ${money(sum(series["agent.cost_usd"]))} spent.`} The charts go by the ${each}.</p>
    <div class="charts"><${Chart} label="Executions" series=${made.executions} />
      <${Chart} label="How long they took" unit="ms" series=${made.durations} />
      <${Chart} label="Attempts of agents" series=${made.attempts} />
        <${Chart} label="Cost" unit="usd" series=${made.cost} note="It has cost nothing that is known" /></div>`;
}
