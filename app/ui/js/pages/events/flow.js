// The events as they come, the newest first; the one that is chosen stands beside them.
import { html, useLayoutEffect, useMemo, useRef } from "../../lib/html.js";
import { useKeys } from "../../lib/keys.js";
import { setQuery } from "../../lib/route.js";
import { clock, exact, plural, shortId } from "../../lib/words.js";
import { Button, CodeLine } from "../../kit/bits.js";
import { Empty, Loading, Wrong } from "../../kit/faces.js";
import { List } from "../../kit/list.js";
import { Mark } from "../../kit/marks.js";
import { EventDetail } from "./detail.js";
import { Filters, KEYS, filtersOf } from "./filters.js";
import { stateOf } from "./names.js";
import { eventList } from "./store.js";

const ROW = 30;

export default function Flow({ query }) {
  const filters = useMemo(() => filtersOf(query), KEYS.map((key) => query[key]));
  const list = useMemo(() => eventList(filters), [filters]);
  useLayoutEffect(() => () => list.stop(), [list]); // also when it is left before it was painted
  const body = useRef(null);
  const rows = list.rows.value;
  const at = useMemo(() => (query.open ? rows.findIndex((row) => row.key === query.open) : -1), [rows, query.open]);
  const open = (row) => setQuery({ open: row ? row.key : null });
  const move = (by) => rows.length && open(rows[Math.max(0, Math.min(rows.length - 1, at + by))]);
  const flow = () => list.pause(!list.paused.peek());
  useKeys("Events", {
    j: { does: "next event", run: () => move(1) },
    k: { does: "event before", run: () => move(-1) },
    p: { does: "pause the flow, or let it go on", run: flow },
    f: { does: "filter by text", run: () => document.querySelector("#event-text")?.focus() },
    Escape: { does: "close the event", run: () => open(null) },
  }, [rows, at, list]);
  const filtered = KEYS.some((key) => query[key]);
  const waiting = list.held.value.length;
  const came = (word) => `${list.torn.value ? "more than " : ""}${plural(waiting, word)}`;
  const paused = list.paused.value;
  return html`<${Filters} query=${query} />
    <div class="row flow"><${Button} kind="small" icon=${paused ? "play" : "pause"} onClick=${flow} aria-pressed=${paused}>${paused ? "Go on" : "Pause"}<//>
      <span class="small muted">${paused ? `paused, ${came("event")} came meanwhile` : `${plural(rows.length, "event")}${list.more.value
        ? " so far, more below" : list.cut.value ? ", the newest: filter to look further back" : ""}`}</span>
      ${!paused && (waiting > 0 || list.torn.value) && html`<button type="button" class="button small held"
        onClick=${() => { scrollTo(0, 0); list.show(); }}>${came("new event")}</button>`}</div>
    ${list.problem.value && html`<${Wrong} problem=${list.problem.value} retry=${list.begin} what="The events could not be listed" />`}
    ${!list.loading.value && !rows.length && !list.problem.value && (filtered ? html`<${Nothing} list=${list} />` : html`<${First} />`)}
    <div class="split" data-open=${query.open ? "" : undefined}>
      <div class="rows" ref=${body}><${List} rows=${rows} keyOf=${(row) => row.key} height=${ROW} label="Events" selected=${at} onTop=${(is) => list.top(is)}
        onEnd=${list.load} draw=${(row, { selected }) => html`<${Row} row=${row} open=${selected} />`} /></div>
      ${query.open && html`<${EventDetail} id=${query.open} row=${rows[at]} close=${() => open(null)} />`}
    </div>
    ${list.loading.value && html`<${Loading} />`}`;
}

function Row({ row, open }) {
  const thread = encodeURIComponent(row.thread_id);
  const choose = (event) => { if (!event.target.closest("a")) setQuery({ open: open ? null : row.key }); };
  return html`<article class="event-row" onClick=${choose} data-event=${row.key} data-state=${stateOf(row.event)}>
    <time class="mono" title=${exact(row.at)}>${clock(row.at)}</time><${Mark} state=${stateOf(row.event)} />
    <button type="button" class="name cut" aria-expanded=${open}>${row.event}</button>
    <a class="of cut" href=${`/threads/${thread}`} title=${row.thread_id}>${row.workflow ?? "ad hoc"} <span class="mono faint">${shortId(row.thread_id)}</span></a>
    ${row.step_id ? html`<a class="step cut" href=${`/threads/${thread}?step=${encodeURIComponent(row.step_id)}`}>${row.step_id}${row.attempt > 1
      && html` <span class="faint">attempt ${row.attempt}</span>`}</a>` : html`<span class="step"></span>`}
    <span class="text cut">${row.gist}</span></article>`;
}

function Nothing({ list }) {
  return html`<${Empty} title="No event matches">
    <p>${list.looked.value ? `Looked back to ${clock(list.looked.value)}.` : "There is none."} New ones that match appear here by themselves.</p>
    <div class="row">${list.more.value
      && html`<${Button} onClick=${list.load}>Look further back<//>`}<${Button}
        onClick=${() => setQuery(Object.fromEntries(KEYS.map((key) => [key, null])))}>Clear the filters<//></div><//>`;
}

function First() {
  return html`<${Empty} title="No events yet">
    <p>Every fact about a thread is an event: it was started, a step began, an attempt failed. They appear here as they happen. From a terminal:</p>
    <${CodeLine} text="backstitch events --follow" /><a class="button main" href="/start">Start a workflow</a><//>`;
}
