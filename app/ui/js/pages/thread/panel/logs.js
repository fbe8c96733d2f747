// What was logged: of a step, or of the whole thread; newest first, asked again when something has happened.
import { html, useEffect, useMemo, useRef, useState } from "../../../lib/html.js";
import { get } from "../../../lib/api.js";
import { paced } from "../../../lib/pace.js";
import { clock, exact } from "../../../lib/words.js";
import { Button } from "../../../kit/bits.js";
import { Loading, Wrong } from "../../../kit/faces.js";
import { List } from "../../../kit/list.js";
import { JsonTree } from "../../../kit/tree.js";

const PAGE = 100;
const EVERY = 5000; // no event tells of a log entry: while something runs they are asked for
const TRIES = 10; // a page may be empty and not be the last
const ROW = 28;

/** The entries of a thread, or of one of its steps; `going` while more may come. */
export function Logs({ thread, step = null, going, height = 360 }) {
  const [state, setState] = useState({ logs: null, cursor: null, problem: null });
  const [level, setLevel] = useState("");
  const [open, setOpen] = useState(null);
  const params = { thread_id: thread.id, step_id: step, level: level || null, limit: PAGE };

  const page = async (cursor) => {
    let found = null;
    for (let tries = 0; tries < TRIES; tries += 1) {
      found = await get("/logs", { params: { ...params, cursor: found?.next_cursor ?? cursor } });
      if (found.logs.length || found.next_cursor === null) break;
    }
    return found;
  };
  const current = useRef(null); // what comes late, of another step or level, is not taken
  const taken = async (from, cursor, put) => {
    let found = null;
    let problem = null;
    try {
      found = await page(cursor);
    } catch (error) {
      problem = error;
    }
    if (current.current === from) setState((before) => (problem ? { ...before, problem } : put(before, found)));
  };
  const newest = useMemo(() => {
    const ask = paced(() => taken(ask, null, joined), 1000);
    return ask;
  }, [thread, step, level]);
  current.current = newest;
  const count = thread.events.value.length;
  useEffect(() => {
    setState({ logs: null, cursor: null, problem: null });
    newest();
    return newest.stop;
  }, [newest]);
  useEffect(() => { if (count) newest(); }, [count, newest]);
  useEffect(() => {
    if (!going) return undefined;
    const timer = setInterval(() => { if (!document.hidden) newest(); }, EVERY);
    return () => clearInterval(timer);
  }, [going, newest]);

  const more = () => taken(newest, state.cursor, (before, found) => (before.cursor === state.cursor
    ? { logs: [...before.logs, ...found.logs], cursor: found.next_cursor, problem: null } : before));
  const { logs, cursor, problem } = state;
  if (!logs) return problem ? html`<${Wrong} problem=${problem} retry=${newest} />` : html`<${Loading} />`;
  const shown = logs.find((entry) => entry.id === open);
  return html`<div class="logs">
    <div class="list-tools"><select aria-label="Level" value=${level} onChange=${(event) => setLevel(event.target.value)}>
      <option value="">every level</option>${["debug", "info", "warning", "error"].map((one) => html`<option key=${one} value=${one}>${one} and above</option>`)}</select>
      <${Button} kind="small quiet" onClick=${newest}>Ask again<//></div>
    ${logs.length === 0 && html`<p class="muted">Nothing was logged. Agents log with Python's <code>logging</code>, or with <code>ctx.log</code>.</p>`}
    <${List} rows=${logs} keyOf=${(entry) => entry.id} height=${ROW} inner=${height} label="Log entries" selected=${logs.indexOf(shown)} draw=${(entry) => html`<${Entry} entry=${entry} named=${step === null}
      open=${entry.id === open} toggle=${() => setOpen(entry.id === open ? null : entry.id)} />`} />
    ${cursor !== null && html`<${Button} kind="small" onClick=${more}>Older entries<//>`}
    ${shown && html`<div class="detail"><p class="message">${shown.message}</p><p class="faint small">${exact(shown.at)} · ${shown.logger}${shown.attempt ? ` · attempt ${shown.attempt}` : ""}${shown.index !== null ? ` · item ${shown.index}` : ""}</p>
      ${shown.context && Object.keys(shown.context).length > 0 && html`<${JsonTree} value=${shown.context} name="context" height=${240} />`}</div>`}
  </div>`;
}

function Entry({ entry, named, open, toggle }) {
  return html`<button type="button" class="log-line" data-level=${entry.level} aria-expanded=${open} onClick=${toggle}>
    <time class="mono faint" datetime=${entry.at} title=${exact(entry.at)}>${clock(entry.at)}</time><span class="level">${entry.level}</span>
    ${named && html`<span class="cut faint step">${entry.step_id ?? ""}</span>`}<span class="cut">${entry.message}</span></button>`;
}

/** The newest page before what is there; if it does not reach it, what is there is let go. */
function joined(before, found) {
  const old = before.logs ?? [];
  const known = new Set(old.map((entry) => entry.id));
  const meets = found.next_cursor === null || found.logs.some((entry) => known.has(entry.id));
  if (!old.length || !meets) return { logs: found.logs, cursor: found.next_cursor, problem: null };
  const fresh = found.logs.filter((entry) => !known.has(entry.id));
  return fresh.length ? { ...before, logs: [...fresh, ...old], problem: null } : { ...before, problem: null };
}
