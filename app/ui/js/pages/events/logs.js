// The logs of the service, its agents and functions, the newest first; asked for again while somebody looks at the top of them.
import { batch, html, signal, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useKeys } from "../../lib/keys.js";
import { setQuery } from "../../lib/route.js";
import { stringify } from "../../lib/json.js";
import { clock, exact, number, shortId } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { Empty, Loading, Wrong } from "../../kit/faces.js";
import { List } from "../../kit/list.js";
import { LogDetail } from "./detail.js";
import { Typed } from "./filters.js";

const EVERY = 3_000;
const PAGE = 200;
const KEPT = 20_000;
const WEIGHT = 24_000_000; // characters of their messages and contexts
const NEWS = 1000; // entries of a page of news
const BEHIND = 10; // such pages after which the list begins anew
const LATE = 2000; // ms: other processes' entries are kept half a second after they were said
const PATIENCE = 5;
const LONG = 400; // characters
const LEVELS = ["debug", "info", "warning", "error", "critical"];
const KEYS = ["level", "text", "agent", "thread", "step", "logger"];

function logList(filters) {
  const rows = signal([]);
  const problem = signal(null);
  const loading = signal(true);
  const more = signal(true);
  const dropped = signal(0);
  const ids = new Set();
  let cursor = null;
  let since = null; // what was said before this is in the list, or below it
  let busy = false;
  let stopped = false;
  const ask = (params) => get("/logs", { params: { ...filters, limit: PAGE, ...params } });

  function fresh(logs) {
    const made = logs.filter((one) => !ids.has(one.id) && ids.add(one.id));
    return made.map((one) => ({ ...one, weight: one.message.length + (one.context ? stringify(one.context).length : 0) }));
  }

  function keep(list) {
    let end = 0;
    let weight = 0;
    while (end < Math.min(list.length, KEPT) && weight < WEIGHT) {
      weight += list[end].weight;
      end += 1;
    }
    for (const one of list.slice(end)) ids.delete(one.id);
    return list.slice(0, end);
  }

  /** When the last entry of all was said, less what others may be late by. */
  async function newest() {
    const { logs: [last] } = await get("/logs", { params: { limit: 1 } });
    return last ? new Date(Date.parse(last.at) - LATE).toISOString() : null;
  }

  async function turn(run) {
    if (busy || stopped) return;
    busy = true;
    try {
      await run();
      problem.value = null;
    } catch (error) {
      problem.value = error;
    } finally {
      busy = false;
      loading.value = false;
    }
  }

  const load = () => more.peek() && turn(async () => {
    loading.value = true;
    since ??= await newest();
    for (let tries = 0; tries < PATIENCE && !stopped; tries += 1) {
      const found = await ask({ cursor });
      cursor = found.next_cursor;
      const made = fresh(found.logs);
      const all = [...rows.peek(), ...made];
      batch(() => {
        rows.value = keep(all);
        more.value = cursor !== null && rows.peek().length === all.length;
        dropped.value = found.dropped;
      });
      if (made.length || cursor === null) return;
    }
  });

  /** What has come since the last look, however short the pages are; where that is too much, the list begins anew. */
  const look = () => turn(async () => {
    const until = await newest();
    const found = [];
    let first = null;
    let next = null;
    for (let pages = 0; pages < BEHIND && (pages === 0 || next) && !stopped; pages += 1) {
      const page = await ask({ since, limit: NEWS, cursor: next });
      first ??= page;
      found.push(...page.logs);
      next = page.next_cursor;
    }
    since = until;
    batch(() => {
      if (next !== null) {
        ids.clear();
        cursor = first.next_cursor;
        more.value = true;
        rows.value = keep(fresh(first.logs));
      } else {
        const made = fresh(found);
        if (made.length) rows.value = keep([...made, ...rows.peek()].sort(later));
      }
      dropped.value = first.dropped;
    });
  });

  load();
  return { rows, problem, loading, more, dropped, load, look, stop() { stopped = true; } };
}

/** The newest first: what another process said may come after what was said later. */
const later = (one, other) => (one.at === other.at ? 0 : one.at < other.at ? 1 : -1);

export default function Logs({ query }) {
  const list = useMemo(() => logList({ level: query.level, text: query.text, agent: query.agent, thread_id: query.thread, step_id: query.step,
    logger: query.logger }), KEYS.map((key) => query[key]));
  useEffect(() => () => list.stop(), [list]);
  const top = useRef(true);
  const [chosen, setChosen] = useState(null);
  const rows = list.rows.value;
  const at = useMemo(() => (chosen ? rows.findIndex((row) => row.id === chosen) : -1), [rows, chosen]);
  useEvery(EVERY, () => (top.current ? list.look() : undefined), [list]);
  const move = (by) => rows.length && setChosen(rows[Math.max(0, Math.min(rows.length - 1, at + by))].id);
  useKeys("Logs", {
    j: { does: "next entry", run: () => move(1) },
    k: { does: "entry before", run: () => move(-1) },
    f: { does: "filter by text", run: () => document.querySelector("#log-text")?.focus() },
    Escape: { does: "close the entry", run: () => setChosen(null) },
  }, [rows, at]);
  const filtered = KEYS.some((key) => query[key]);
  return html`<div class="filters">
      <select aria-label="By level" value=${query.level ?? ""} onChange=${(event) => setQuery({ level: event.target.value })}>
        <option value="">all levels</option>${LEVELS.map((level) => html`<option key=${level} value=${level}>${level} and above</option>`)}</select>
      <${Typed} name="agent" label="agent" given=${query.agent ?? ""} /><${Typed} name="thread" label="thread id" given=${query.thread ?? ""} />
        <${Typed} name="step" label="step" given=${query.step ?? ""} />
        <${Typed} name="logger" label="logger" given=${query.logger ?? ""} />
        <${Typed} name="text" label="text of the message" given=${query.text ?? ""} id="log-text" />
      ${list.dropped.value > 0 && html`<span class="small muted">${number(list.dropped.value)} could not be kept</span>`}</div>
    ${list.problem.value && html`<${Wrong} problem=${list.problem.value} retry=${rows.length ? list.look : list.load} what="The logs could not be read" />`}
    ${!list.loading.value && !rows.length && !list.problem.value && html`<${Empty} title=${filtered ? "No entry matches" : "No logs yet"}>
      ${filtered ? html`<div class="row">${list.more.value
        && html`<${Button} onClick=${list.load}>Look further back<//>`}<${Button}
          onClick=${() => setQuery(Object.fromEntries(KEYS.map((key) => [key, null])))}>Clear the filters<//></div>`
        : html`<p>What agents and functions say with Python’s <code>logging</code> appears here, with its thread and step.</p>`}<//>`}
    <div class="split" data-open=${at >= 0 ? "" : undefined}>
      <div class="rows"><${List} rows=${rows} keyOf=${(row) => row.id} height=${30} label="Log entries" selected=${at} onTop=${(is) => { top.current = is; }}
        onEnd=${list.load}
        draw=${(row, { selected }) => html`<${Row} row=${row} open=${selected} choose=${() => setChosen(selected ? null : row.id)} />`} /></div>
      ${at >= 0 && html`<${LogDetail} row=${rows[at]} close=${() => setChosen(null)} />`}
    </div>
    ${list.loading.value && html`<${Loading} />`}`;
}

/** As much of a message as a row may show. */
const start = (text) => (text.length > LONG ? `${text.slice(0, LONG)}…` : text);

function Row({ row, open, choose }) {
  const where = row.thread_id && `/threads/${encodeURIComponent(row.thread_id)}${row.step_id ? `?step=${encodeURIComponent(row.step_id)}` : ""}`;
  return html`<article class="log-row" onClick=${(event) => { if (!event.target.closest("a")) choose(); }}>
    <time class="mono" title=${exact(row.at)}>${clock(row.at)}</time><span class="level" data-level=${row.level}>${row.level}</span>
    <button type="button" class="name cut" aria-expanded=${open} title=${start(row.message)}>${start(row.message)}</button>
    <span class="cut faint logger">${row.agent ?? row.logger}</span>${where
      ? html`<a class="of cut" href=${where}>${row.step_id ?? shortId(row.thread_id)}</a>` : html`<span class="of"></span>`}</article>`;
}
