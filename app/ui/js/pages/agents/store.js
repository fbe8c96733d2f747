// The agents with how each did in the last hour: what the list of them is made of.
import { get } from "../../lib/api.js";
import { duration } from "../../lib/words.js";

const PAGES = 20;

/** `{agents, refused}`: all agents, each with `state`, `why` and `figures` of the last hour; those that need somebody first. */
export async function loadAgents(signal) {
  const [listed, breakers, figures] = await Promise.all([
    all("/agents", "agents", signal),
    all("/breakers", "breakers", signal),
    all("/metrics/agents", "agents", signal, { window: "1h" }),
  ]);
  const breaker = new Map(breakers.rows.map((one) => [one.agent, one]));
  const figure = new Map(figures.rows.map((one) => [one.name, one]));
  const agents = listed.rows.map((one) => ({ ...one, ...standing(one, breaker.get(one.name), figure.get(one.name)), figures: figure.get(one.name) ?? null }));
  agents.sort((one, other) => one.rank - other.rank || (one.name < other.name ? -1 : 1));
  return { agents, refused: listed.first.refused_files ?? [] };
}

async function all(where, key, signal, params = {}) {
  let first = null;
  let cursor = null;
  const rows = [];
  for (let page = 0; page < PAGES; page += 1) {
    const found = await get(where, { params: { ...params, limit: 1000, cursor }, signal });
    first ??= found;
    rows.push(...found[key]);
    cursor = found.next_cursor;
    if (!cursor) break;
  }
  return { first, rows };
}

/** How an agent stands, by a state that has a mark, in a word, and why. */
export function standing(agent, breaker, figures = null) {
  if (!agent.enabled) return { state: "paused", word: "disabled", why: agent.disabled_reason, rank: 0 };
  if (!agent.loaded) return { state: "interrupted", word: "not there", why: "Its code or file is gone from this process.", rank: 1 };
  if (breaker?.state === "open") return { state: "failed", word: "breaker open", why: breaker.reason, probe: breaker.probe_at, rank: 2 };
  if (breaker?.state === "half_open") return { state: "retrying", word: "breaker half-open", why: breaker.reason, rank: 3 };
  if (figures && figures.error_rate >= 0.5) return { state: "failed", word: "fails",
    why: `${Math.round(figures.error_rate * 100)} % of its attempts failed in the last hour.`, rank: 4 };
  return { state: "completed", word: "works", why: null, rank: figures?.errors ? 5 : 6 };
}

/** "1.2 s / 3 s / 4 s": the percentiles of durations. */
export function percentiles(ms) {
  return ms && ms.p50 !== null ? [ms.p50, ms.p95, ms.p99].map(duration) : null;
}

const sparks = new Map();
let line = Promise.resolve();

/** The 95th percentile of the last hour by the minute, asked for one agent after the other, and kept for a minute. */
export function sparkOf(name) {
  const kept = sparks.get(name);
  if (kept && Date.now() - kept.at < 60_000) return kept.values;
  const values = line.then(async () => {
    const found = await get("/metrics/timeseries", { params: { kind: "agent", name, metric: "p95_ms" } });
    return found.points.map((point) => point.value);
  });
  line = values.catch(() => {});
  sparks.set(name, { at: Date.now(), values });
  return values;
}
