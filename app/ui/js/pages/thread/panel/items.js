// The items of a for_each, or the iterations of a repeat: a windowed list; one that is opened stands below it whole.
import { html, useEffect, useMemo, useRef, useState } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { stringify } from "../../../lib/json.js";
import { paced } from "../../../lib/pace.js";
import { useResource } from "../../../lib/resource.js";
import { setQuery } from "../../../lib/route.js";
import { bytes, duration, number } from "../../../lib/words.js";
import { Face, Loading, Wrong } from "../../../kit/faces.js";
import { List } from "../../../kit/list.js";
import { Mark } from "../../../kit/marks.js";
import { Failure } from "../failure.js";
import { StreamText } from "./stream.js";
import { Value } from "./value.js";

const PAGE = 200;
const ROW = 28;
const PREVIEW = 160;
const STATES = ["completed", "failed", "retrying", "waiting"];

export function Items({ thread, step }) {
  const query = new URLSearchParams(location.search);
  const open = query.has("item") ? Number(query.get("item")) : null;
  const [status, setStatus] = useState("");
  const list = useItems(thread, step, status);
  const writing = thread.text.parts(step.id).value;
  const rows = useMemo(() => withWriting(list.items, writing, step, status), [list.items, writing, step.status, status]);
  if (step.run_id === null) return html`<p class="muted">Its items are known once it begins.</p>`;
  if (!step.current) return html`<p class="muted">Only the items of the present run are kept apart; the output of this one has what they gave.</p>`;
  if (!list.items) return list.problem ? html`<${None} problem=${list.problem} retry=${list.reload} />` : html`<${Loading} />`;
  const { counts } = list;
  // One that an address names may not be listed yet.
  const shown = rows.find((row) => row.index === open) ?? (Number.isSafeInteger(open) && open >= 0 ? { index: open } : undefined);
  return html`<div class="items">
    <div class="list-tools"><span class="grow muted">${number(counts.completed)}${counts.total === null ? "" : ` of ${number(counts.total)}`} done${counts.failed ? `, ${number(counts.failed)} failed` : ""}</span>
      <select aria-label="Filter the items by state" value=${status} onChange=${(event) => setStatus(event.target.value)}><option value="">every state</option>${STATES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></div>
    ${rows.length === 0 && html`<p class="muted">None${status ? " is like that" : " has ended yet"}.</p>`}
    <${List} rows=${rows} keyOf=${(row) => row.index} height=${ROW} inner=${280} label="Items" onEnd=${list.more} selected=${rows.indexOf(shown)}
      draw=${(row) => html`<${Line} row=${row} open=${row.index === open} />`} />
    ${shown && html`<${Item} key=${shown.index} thread=${thread} step=${step} row=${shown} />`}
  </div>`;
}

function None({ problem, retry }) {
  if (problem.code === "items_not_found") return html`<p class="muted">This step has no items that are kept apart.</p>`;
  return html`<${Wrong} problem=${problem} retry=${retry} />`;
}

/** Those that write and are not listed yet are in their first attempt. */
function withWriting(items, writing, step, status) {
  if (!items || status || step.status !== "running") return items ?? [];
  const listed = new Set(items.map((item) => item.index));
  const more = writing.filter((index) => !listed.has(index)).map((index) => ({ index, status: "running", attempt: 1, output: null, error: null, duration_ms: null }));
  return more.length ? [...items, ...more].sort((one, other) => one.index - other.index) : items;
}

function useItems(thread, step, status) {
  const [state, setState] = useState({ items: null, counts: null, cursor: null, problem: null, busy: false });
  const page = (cursor, limit = PAGE) => get(path`/workflow/items/${thread.id}/${step.id}`, { params: { status: status || null, cursor, limit } });
  // What was loaded is asked for anew, as one page, when the step has got further.
  const again = useMemo(() => {
    let count = PAGE;
    const ask = paced(async () => {
      try {
        const found = await page(null, Math.min(1000, count));
        setState({ items: found.items, counts: found.counts, cursor: found.next_cursor, problem: null });
      } catch (problem) {
        setState((before) => ({ ...before, problem }));
      }
    }, 2000);
    return Object.assign(ask, { grow: (by) => { count = by; } });
  }, [thread, step.id, step.run_id, status]);
  const said = thread.told.value.get(step.id)?.message;
  useEffect(() => {
    setState({ items: null, counts: null, cursor: null, problem: null });
    again();
    return again.stop;
  }, [again]);
  useEffect(() => { again(); }, [said, step.status, again]);
  const busy = useRef(false);
  const more = async () => {
    if (state.cursor === null || busy.current) return;
    busy.current = true;
    try {
      const found = await page(state.cursor);
      setState((before) => {
        if (before.cursor !== state.cursor) return before;
        const items = [...before.items, ...found.items];
        again.grow(items.length);
        return { ...before, items, counts: found.counts, cursor: found.next_cursor };
      });
    } catch { /* scrolling asks again */ } finally {
      busy.current = false;
    }
  };
  return { ...state, more, reload: again };
}

function Line({ row, open }) {
  const text = row.error ? `${row.error.kind}: ${row.error.message}` : row.output === null || row.output === undefined ? "" : row.output.truncated ? `${bytes(row.output.size_bytes)}: ${row.output.preview}` : preview(row.output);
  return html`<button type="button" class="item-line" aria-expanded=${open} onClick=${() => setQuery({ item: open ? null : row.index })}>
    <span class="mono faint right">${row.index}</span><${Mark} state=${row.status} label=${row.status} /><span class="cut ${row.error ? "fault" : ""}">${text.slice(0, PREVIEW)}</span>
    <span class="faint right">${row.attempt > 1 ? `attempt ${row.attempt}` : ""}</span><span class="right">${row.duration_ms === null ? "" : duration(row.duration_ms)}</span></button>`;
}

function preview(value) {
  return typeof value === "string" ? value : stringify(value);
}

function Item({ thread, step, row }) {
  const name = `${step.id}[${row.index}]`;
  if (row.status === "running") return html`<div class="detail"><h3>Item ${row.index}</h3><${StreamText} text=${thread.text.of(step.id, row.index)} going=${true} label=${`What item ${row.index} writes`} height=${280} /></div>`;
  return html`<${Whole} thread=${thread} step=${step} row=${row} name=${name} />`;
}

function Whole({ thread, step, row, name }) {
  const found = useResource((signal) => get(path`/workflow/items/${thread.id}/${step.id}/${row.index}`, { signal }), [thread, step.id, step.run_id, row.index, row.status, row.attempt]);
  return html`<div class="detail"><h3>Item ${row.index}</h3><${Face} of=${found}>${(item) => html`
    ${item.error && html`<${Failure} error=${item.error} step=${false} />`}
    ${item.session_id && html`<p class="faint">${step.kind === "workflow" ? html`Its thread: <a class="link mono" href=${`/threads/${encodeURIComponent(item.session_id)}`}>${item.session_id}</a>` : html`Session: <span class="mono">${item.session_id}</span>`}</p>`}
    ${!item.error && html`<${Value} value=${item.output} name=${name} />`}`}<//></div>`;
}
