// What has happened, event by event; and beside it what was logged.
import { html, useMemo } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { useResource } from "../../lib/resource.js";
import { setQuery } from "../../lib/route.js";
import { clock, exact, number } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { Face, Wrong } from "../../kit/faces.js";
import { List } from "../../kit/list.js";
import { Mark, OPEN } from "../../kit/marks.js";
import { Tabs } from "../../kit/tabs.js";
import { JsonTree } from "../../kit/tree.js";
import { useEvents } from "./log/events.js";
import { gist, markOf } from "./log/words.js";
import { Logs } from "./panel/logs.js";
import { choose } from "./selection.js";

const ROW = 28;
const TALL = 392;
const TYPES = ["status", "progress", "message", "error", "complete"];
const TABS = [{ id: "events", label: "Events" }, { id: "logs", label: "Logs" }];

export function Log({ thread, query }) {
  const chosen = query.log === "logs" ? "logs" : "events";
  return html`<section class="sheet log" aria-label="What has happened"><div class="body">
    <${Tabs} label="What has happened" tabs=${TABS} chosen=${chosen} onChoose=${(tab) => setQuery({ log: tab })}>${(tab) => (tab === "logs"
      ? html`<${Logs} thread=${thread} going=${OPEN.has(thread.status.value.status)} height=${TALL} />`
      : html`<${Events} thread=${thread} query=${query} />`)}<//>
  </div></section>`;
}

function Events({ thread, query }) {
  const step = query.only === "step" && query.step ? query.step : null;
  const type = TYPES.includes(query.type) ? query.type : null;
  const newest = query.order !== "oldest";
  const list = useEvents(thread, { step, type, newest });
  const { rows } = list;
  const open = rows.find((row) => String(row.seq) === query.event) ?? null;
  const total = thread.status.value.last_seq;
  return html`<div class="list-tools">
      <select aria-label="Filter the events by class" value=${type ?? ""} onChange=${(event) => setQuery({ type: event.target.value })}><option value="">every class</option>${TYPES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>
      <label class="check"><input type="checkbox" checked=${query.only === "step"} onChange=${(event) => setQuery({ only: event.target.checked ? "step" : null })} />only those of ${query.step ?? "the chosen step"}</label>
      <span class="grow"></span><span class="faint small">${number(total)} in all</span>
      <select aria-label="Order of the events" value=${newest ? "" : "oldest"} onChange=${(event) => setQuery({ order: event.target.value })}><option value="">newest first</option><option value="oldest">oldest first</option></select>
    </div>
    ${list.problem && html`<${Wrong} problem=${list.problem} retry=${list.again} />`}
    <div class="split" data-open=${open !== null || undefined}>
      <div>${!list.loading && rows.length === 0 && !list.problem && html`<p class="muted">No event is like that.</p>`}
        <${List} rows=${rows} keyOf=${(row) => row.seq} height=${ROW} inner=${TALL} label="Events" onEnd=${list.more} selected=${open ? rows.indexOf(open) : -1}
          draw=${(row) => (row.gap ? html`<${Gap} row=${row} />` : html`<${Line} row=${row} chosen=${row === open} step=${query.step} />`)} />
        ${list.loading && html`<p class="faint small" role="status">Asking for more…</p>`}</div>
      ${open && !open.gap && html`<${Opened} key=${open.seq} thread=${thread} event=${open} />`}
    </div>`;
}

function Line({ row, chosen, step }) {
  return html`<button type="button" class="event-line" aria-expanded=${chosen} data-of=${(step && row.step_id === step) || undefined} data-type=${row.type} onClick=${() => setQuery({ event: chosen ? null : row.seq })}>
    <span class="mono faint right">${row.seq}</span><time class="mono faint" datetime=${row.at} title=${exact(row.at)}>${clock(row.at)}</time>
    <${Mark} state=${markOf(row)} /><span class="cut what">${row.event.replace(/^workflow_/, "").replaceAll("_", " ")}</span><span class="cut mono step">${row.step_id ?? ""}</span><span class="cut muted">${gist(row)}</span></button>`;
}

function Gap({ row }) {
  const one = row.from_seq === row.to_seq;
  return html`<p class="event-gap faint">${one ? `Event ${row.from_seq} is` : `Events ${number(row.from_seq)} to ${number(row.to_seq)} are`} not kept any more.</p>`;
}

/** One event whole; what the stream or a page has cut is asked for. */
function Opened({ thread, event }) {
  return html`<section class="detail" aria-label=${`Event ${event.seq}`}>
    <header class="row"><h3>${event.event}</h3><span class="grow"></span><${Button} kind="quiet small" icon="close" label="Close the event" onClick=${() => setQuery({ event: null })} /></header>
    <p class="faint small">${exact(event.at)}${event.step_id ? html` · <button type="button" class="linklike" onClick=${() => choose(event.step_id)}>${event.step_id}</button>` : ""}${event.attempt ? ` · attempt ${event.attempt}` : ""} · v${event.version}</p>
    ${event.cut ? html`<${Asked} thread=${thread} seq=${event.seq} />` : html`<${Data} event=${event} />`}
  </section>`;
}

function Asked({ thread, seq }) {
  const found = useResource((signal) => get(path`/invoke/events/${thread.id}`, { params: { after: String(seq - 1), limit: 1 }, signal }), [thread, seq]);
  return html`<${Face} of=${found}>${(page) => (page.events[0] ? html`<${Data} event=${page.events[0]} />` : html`<p class="muted">It is not kept any more.</p>`)}<//>`;
}

function Data({ event }) {
  const data = useMemo(() => event.data, [event]);
  return html`<${JsonTree} value=${data} name="data" height=${320} />`;
}
