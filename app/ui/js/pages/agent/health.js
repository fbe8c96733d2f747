// How an agent does: figures of a span of time, and the same over time.
import { html, useMemo } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { setQuery } from "../../lib/route.js";
import { duration, money, number } from "../../lib/words.js";
import { Chart } from "../../kit/chart.js";
import { Face } from "../../kit/faces.js";

export const WINDOWS = {
  "15m": { label: "15 min", words: "the last 15 minutes", seconds: 900 },
  "1h": { label: "1 h", words: "the last hour", seconds: 3600 },
  "24h": { label: "24 h", words: "the last day", seconds: 86_400 },
  "7d": { label: "7 d", words: "the last week", seconds: 7 * 86_400 },
};
const EVERY = 15_000;
const METRICS = ["p50_ms", "p95_ms", "p99_ms", "count", "errors", "cost_usd", "input_tokens", "output_tokens"];

async function load(name, window, signal) {
  const { seconds } = WINDOWS[window];
  const since = new Date(Date.now() - seconds * 1000).toISOString();
  const [figures, health, ...series] = await Promise.all([
    totals(name, window, signal),
    seconds <= 86_400 ? get(path`/agents/${name}/health`, { params: { window }, signal }) : null,
    ...METRICS.map((metric) => get("/metrics/timeseries", { params: { kind: "agent", name, metric, since }, signal })),
  ]);
  return { figures, health, series: Object.fromEntries(METRICS.map((metric, index) => [metric, series[index].points])) };
}

/** What its attempts came to; agents are listed by name, so it is found by pages. */
async function totals(name, window, signal) {
  let cursor = null;
  for (let page = 0; page < 20; page += 1) {
    const found = await get("/metrics/agents", { params: { window, limit: 1000, cursor }, signal });
    const mine = found.agents.find((one) => one.name === name);
    if (mine || !found.next_cursor) return mine ?? null;
    cursor = found.next_cursor;
  }
  return null;
}

/** The choice of a span of time, which stands in the address as `window`. */
export function Windows({ chosen, label = "Over which time" }) {
  return html`<div class="windows" role="group" aria-label=${label}>${Object.entries(WINDOWS).map(([id, one]) => html`<button type="button" key=${id}
    aria-pressed=${id === chosen} aria-label=${one.words} onClick=${() => setQuery({ window: id })}>${one.label}</button>`)}</div>`;
}

export function Health({ agent, window }) {
  const found = useResource((signal) => load(agent.name, window, signal), [agent.name, window]);
  useEvery(EVERY, found.reload, [found]);
  return html`<section class="sheet health"><header><h2>How it does</h2><div class="actions"><${Windows} chosen=${window} /></div></header>
    <div class="body"><${Face} of=${found}>${(value) => html`<${Figures} found=${value} window=${window} />${attemptsOf(value) > 0
      && html`<${Charts} series=${value.series} />`}`}<//></div></section>`;
}

const attemptsOf = ({ figures, health }) => (health ? health.attempts : figures?.count ?? 0);

function Figures({ found: { figures, health }, window }) {
  const attempts = attemptsOf({ figures, health });
  if (!attempts) return html`<p class="muted none">No attempt in ${WINDOWS[window].words}.</p>`;
  const rate = health ? health.success_rate : 1 - figures.error_rate;
  const times = health ? health.duration_ms : figures.duration_ms;
  const fact = (label, value, hint, bad) => html`<div class="figure" title=${hint} data-bad=${bad || undefined}><dt>${label}</dt>
    <dd>${value}</dd></div>`;
  return html`<dl class="figures">
    ${fact("attempts", number(attempts))}
    ${fact("success", rate === null ? "–" : `${Math.floor(rate * 1000) / 10} %`, "of those that completed or failed", rate !== null && rate < 0.95)}
    ${health?.rejected > 0 && fact("rejected", number(health.rejected), "failed for good, of their input, say: not counted against the agent")}
    ${fact("p50", duration(times?.p50), "half of the attempts took at most so long")}
    ${fact("p95", duration(times?.p95), "95 of 100 took at most so long")}
    ${fact("p99", duration(times?.p99), "99 of 100 took at most so long")}
    ${fact("cost", money(figures?.cost_usd ?? null))}
    ${fact("tokens in / out", `${number(figures?.input_tokens ?? 0)} / ${number(figures?.output_tokens ?? 0)}`)}
  </dl>`;
}

function Charts({ series }) {
  const made = useMemo(() => ({
    times: [{ label: "p99", points: series.p99_ms, color: "waiting" }, { label: "p95", points: series.p95_ms, color: "running" }, { label: "p50",
      points: series.p50_ms, color: "completed" }],
    counts: [{ label: "attempts", points: series.count, color: "running", bars: true }, { label: "failed", points: series.errors, color: "failed", bars: true }],
    cost: [{ label: "cost", points: series.cost_usd, color: "running", bars: true }],
    tokens: [{ label: "in", points: series.input_tokens, color: "running" }, { label: "out", points: series.output_tokens, color: "waiting" }],
  }), [series]);
  return html`<div class="charts">
    <${Chart} label="Duration" unit="ms" series=${made.times} /><${Chart} label="Attempts" series=${made.counts} />
    <${Chart} label="Cost" unit="usd" series=${made.cost} height=${96} note="It has cost nothing that is known" />
      <${Chart} label="Tokens" series=${made.tokens} height=${96} note="No tokens of a model" />
  </div>`;
}
