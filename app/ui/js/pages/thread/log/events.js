// The events of a thread: pages of what was, and what the stream brings, each once and in order.
import { useEffect, useMemo, useRef, useState } from "../../../lib/html.js";
import { get } from "../../../lib/api.js";

const PAGE = 200;
const TRIES = 10; // a page may be empty and not be the last

/** `filters`: `{step, type, newest}`. Answers `{rows, more, problem, loading, end, again}`; a row is an event or `{gap: true, from_seq, to_seq}`. */
export function useEvents(thread, { step, type, newest }) {
  const begun = thread.restarts.value;
  const [state, setState] = useState(empty());
  const asked = useRef(null);
  const key = `${thread.id} ${step} ${type} ${newest} ${begun}`;
  const current = useRef(key);
  current.current = key;

  const load = async (cursor) => {
    const mine = { key };
    if (asked.current?.key === key) return;
    asked.current = mine;
    setState((before) => ({ ...before, loading: true }));
    try {
      let found = null;
      const events = [];
      for (let tries = 0; tries < TRIES; tries += 1) {
        found = await get("/events", { params: { thread_id: thread.id, step_id: step, type, order: newest ? "desc" : "asc", limit: PAGE, cursor: found?.next_cursor ?? cursor } });
        events.push(...found.events);
        if (events.length >= PAGE / 2 || found.next_cursor === null) break;
      }
      if (current.current !== key) return;
      setState((before) => ({ pages: [...before.pages, ...events], cursor: found.next_cursor, loading: false, problem: null, end: found.next_cursor === null }));
    } catch (problem) {
      if (current.current === key) setState((before) => ({ ...before, loading: false, problem }));
    } finally {
      if (asked.current === mine) asked.current = null;
    }
  };

  useEffect(() => {
    setState(empty());
    load(null);
  }, [key]);

  const live = thread.events.value;
  const rows = useMemo(() => merged(state, live, { step, type, newest }), [state, live, step, type, newest]);
  return { ...state, rows, more: () => { if (!state.end && !state.loading && !state.problem) load(state.cursor); }, again: () => load(state.cursor) };
}

const empty = () => ({ pages: [], cursor: null, loading: true, problem: null, end: false });

/** Pure: what is shown of what was fetched and what has come, in order and each once. */
export function merged({ pages, end, loading }, live, { step, type, newest }) {
  const known = new Map(pages.map((event) => [event.seq, event]));
  // Oldest first, what comes stands at the end: behind pages that are not there yet it would stand in the wrong place.
  if (newest || end) {
    if (loading && !pages.length) return [];
    for (const event of live) {
      if (step && event.step_id !== step) continue;
      if (type && event.type !== type) continue;
      if (event.seq !== null) {
        if (!known.has(event.seq)) known.set(event.seq, event);
      } else if (event.event === "gap") known.set(event.data.from_seq - 0.5, gap(event.data.from_seq, event.data.to_seq));
    }
  }
  const all = [...known].sort(([one], [other]) => one - other).map(([, event]) => event);
  const rows = step || type ? all : withGaps(all);
  return newest ? rows.reverse() : rows;
}

/** Numbers that are missing between two events are of events that are not kept any more. */
function withGaps(events) {
  const rows = [];
  let before = null;
  for (const event of events) {
    if (event.gap) continue;
    if (before !== null && event.seq > before + 1) rows.push(gap(before + 1, event.seq - 1));
    rows.push(event);
    before = event.seq;
  }
  return rows;
}

const gap = (from, to) => ({ gap: true, seq: from - 0.5, from_seq: from, to_seq: to });
