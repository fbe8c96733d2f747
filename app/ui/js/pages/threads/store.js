// The list of threads as it is now: fetched by pages, kept true by the feed. An event changes its row at once by what it says
// itself; what it does not say is asked for soon after, together with all other rows that changed and are in view.
import { batch, computed, signal } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { serviceNow } from "../../lib/clock.js";
import { feedState, listen } from "../../lib/feed.js";
import { paced } from "../../lib/pace.js";
import { applied, begins, leadsTo } from "./apply.js";

const PAGE = 100;
const PACE = 1000;
const AT_ONCE = 100; // rows asked for together
const BEHIND = 10; // pages of new threads after which the list begins anew with the newest
const KEPT = 5000; // rows; with more it begins anew, once the reader is at its top

/** `given` are filters as in GET /api/threads, and `within`, seconds until now instead of `since`; `stop()` when the list is left. */
export function threadList({ within, ...given }) {
  const rows = signal([]); // {id, entry: signal}, the newest first
  const known = new Map();
  const problem = signal(null);
  const loading = signal(true);
  const more = signal(true); // whether there is a further page
  const counts = signal(null);
  const held = signal([]); // new ones, while the reader is further down
  const picked = signal(new Set());
  const dirty = new Set(); // rows of which an event has told less than all
  const newly = new Set(); // threads not in the list that may have come to match its status
  let cursor = null;
  let fresh = false; // threads that are not in the list have begun
  let newest = null; // when the newest had begun, down to which the list is whole
  let torn = false; // between those that are held and the rows there are more
  let turn = 0; // each beginning anew makes the page that is on its way void
  let atTop = true;
  let busy = false;
  let stopped = false;
  let inView = () => [];
  const statuses = new Set((given.status ?? "").split(",").filter(Boolean));

  const control = new AbortController();
  const { signal: left } = control;
  const where = () => (within ? { ...given, since: timeBefore(within) } : given);
  const ask = (params) => get("/threads", { params: { ...where(), ...params }, signal: left });

  function put(entries, place) {
    const added = [];
    for (const entry of entries) {
      const row = known.get(entry.thread_id);
      if (row === undefined) {
        const made = { id: entry.thread_id, entry: signal(entry) };
        known.set(made.id, made);
        added.push(made);
      } else if (entry.last_seq >= row.entry.peek().last_seq || entry.execution_id !== row.entry.peek().execution_id) {
        row.entry.value = entry;
      }
    }
    if (added.length) place(added);
  }

  async function load() {
    if (busy || stopped || !more.peek()) return;
    busy = true;
    loading.value = true;
    const mine = turn;
    try {
      // A page may be empty and not be the last: it has looked through as much as one request may.
      for (let tries = 0; tries < 20 && !stopped; tries += 1) {
        const found = await ask({ limit: PAGE, cursor });
        if (stopped || turn !== mine) break;
        newest ??= found.threads[0]?.created_at ?? null;
        cursor = found.next_cursor;
        batch(() => {
          put(found.threads, (added) => { rows.value = [...rows.peek(), ...added]; });
          more.value = cursor !== null;
          problem.value = null;
        });
        if (found.threads.length || cursor === null) break;
      }
    } catch (error) {
      if (!stopped) problem.value = error;
    } finally {
      busy = false;
      loading.value = false;
    }
    if (turn !== mine) await load();
  }

  /** Those that have begun since the list was last whole, and where it goes on; `whole` unless they are too many. */
  async function begun() {
    const threads = [];
    for (let page = null, count = 0; ; count += 1) {
      page = await ask({ limit: count ? PAGE : PAGE / 2, cursor: page?.next_cursor });
      threads.push(...page.threads);
      const next = page.next_cursor;
      const whole = next === null || (newest !== null && (threads.at(-1)?.created_at ?? newest) <= newest);
      if (whole || count === BEHIND) return { threads, next, whole };
    }
  }

  function anew({ threads, next }) {
    turn += 1;
    known.clear();
    torn = false;
    held.value = [];
    rows.value = [];
    put(threads, (added) => { rows.value = added; });
    cursor = next;
    more.value = next !== null;
  }

  function takeOver(found) {
    if (atTop && (!found.whole || (rows.peek().length > KEPT && !picked.peek().size))) anew(found);
    else {
      put(found.threads, hold);
      torn ||= !found.whole;
      if (atTop) tidy();
    }
    newest = found.threads[0]?.created_at ?? newest;
  }

  /** Threads that are not there any more have been deleted. */
  function remove(ids) {
    if (!ids.length) return;
    const gone = new Set(ids);
    ids.forEach((id) => known.delete(id));
    for (const list of [rows, held]) list.value = list.peek().filter((row) => !gone.has(row.id));
    picked.value = new Set([...picked.peek()].filter((id) => !gone.has(id)));
  }

  async function refresh() {
    await first;
    if (stopped) return;
    const seen = new Set(inView());
    const wanted = [...dirty].filter((id) => seen.has(id)).slice(0, AT_ONCE);
    const others = [...newly].slice(0, AT_ONCE - wanted.length);
    wanted.forEach((id) => dirty.delete(id)); // those out of view are asked for when they come into it
    others.forEach((id) => newly.delete(id));
    if (newly.size) refreshSoon();
    const ids = [...wanted, ...others];
    const top = fresh;
    fresh = false;
    try {
      const [found, changed] = await Promise.all([top ? begun() : null, ids.length ? get("/threads", { params: { ids }, signal: left }) : null]);
      if (stopped) return;
      batch(() => {
        if (changed) {
          put(changed.threads.filter((one) => known.has(one.thread_id) || belongs(one)), insert);
          const there = new Set(changed.threads.map((one) => one.thread_id));
          remove(wanted.filter((id) => !there.has(id)));
        }
        if (found) takeOver(found);
      });
    } catch (error) {
      if (stopped) return;
      if (error.status === undefined) console.error(error);
      wanted.forEach((id) => dirty.add(id));
      others.forEach((id) => newly.add(id));
      fresh ||= top;
      // When the service is away, the feed tells when it is back.
      if (error.passing && feedState.peek() === "live") refreshSoon();
    }
  }

  /** Whether the thread of an event may have come to be in one of the statuses that are filtered by. */
  function comes(event) {
    const status = leadsTo(event);
    return status === null ? statuses.has("running") || statuses.has("waiting") : statuses.has(status);
  }

  /** Whether a thread that was asked for by its id is one of the list, as far as it is loaded. */
  function belongs(entry) {
    const last = rows.peek().at(-1)?.entry.peek().created_at;
    return statuses.has(entry.status) && (!given.workflow || entry.workflow === given.workflow) && (!within || entry.created_at >= timeBefore(within))
      && (given.children || entry.parent_thread_id === null) && (!more.peek() || !last || entry.created_at >= last);
  }

  function hold(added) {
    if (atTop) insert(added);
    else held.value = [...added, ...held.peek()];
  }

  function insert(added) {
    rows.value = sorted([...rows.peek(), ...added]);
  }

  /** Rows that do not match any more have been pale for a while: they go, unless they are selected. */
  function tidy() {
    const since = within ? timeBefore(within) : "";
    const stays = rows.peek().filter(({ id, entry }) => picked.peek().has(id)
      || ((!statuses.size || statuses.has(entry.peek().status)) && entry.peek().created_at >= since));
    if (stays.length === rows.peek().length) return;
    const left = new Set(stays.map((row) => row.id));
    for (const id of known.keys()) if (!left.has(id) && !held.peek().some((row) => row.id === id)) known.delete(id);
    rows.value = stays;
  }

  const refreshSoon = paced(refresh, PACE);
  const countSoon = paced(async () => {
    const { status, text, ...rest } = where();
    if (text) return; // they cannot be counted
    const found = await get("/threads/counts", { params: rest, signal: left }).catch(() => null);
    if (found && !stopped) counts.value = found;
  }, 2 * PACE);

  function onEvents(events) {
    batch(() => {
      for (const { data } of events) {
        const row = known.get(data.thread_id);
        if (row && data.seq > row.entry.peek().last_seq) {
          row.entry.value = applied(row.entry.peek(), data);
          dirty.add(row.id);
        } else if (!row && begins(data)) fresh = true;
        else if (!row && comes(data)) {
          if (given.text) fresh = true; // whether it has the text only the service knows
          else newly.add(data.thread_id);
        }
      }
    });
    if (statuses.size && dirty.size) fresh = true; // some may have left
    if (fresh || dirty.size || newly.size) refreshSoon();
    countSoon();
  }

  function onOpen() {
    // Something may have happened before the feed was open: ask for all that is in view, and for what is new.
    for (const id of known.keys()) dirty.add(id);
    fresh = true;
    refreshSoon();
    countSoon();
    if (!known.size) load(); // what could not be fetched before
  }

  // What has become too old no event tells.
  const ageing = within && setInterval(() => {
    if (document.hidden) return;
    fresh = true;
    refreshSoon();
    countSoon();
  }, 60_000);
  const first = load();
  const end = listen({ onEvents, onOpen });
  countSoon();

  return {
    rows, problem, loading, more, counts, held, picked, load, where,
    /** What `watch()` answers are the ids in view, whose rows are kept exact. */
    watch(given) { inView = given; },
    /** Other rows have come into view. */
    seen() { if (dirty.size) refreshSoon(); },
    /** Whether a row does not match the filters any more. */
    left: (entry) => statuses.size > 0 && !statuses.has(entry.status),
    top(is) {
      atTop = is;
      if (is && held.peek().length) this.showHeld();
    },
    showHeld() {
      if (torn) {
        anew({ threads: [], next: null });
        more.value = true;
        load();
        return;
      }
      batch(() => {
        rows.value = sorted([...held.peek(), ...rows.peek()]);
        held.value = [];
      });
    },
    again: onOpen,
    /** Rows that an action has just changed are asked for at once. */
    changed(ids) {
      ids.forEach((id) => dirty.add(id));
      refreshSoon();
      countSoon();
    },
    pick(ids, on) {
      const next = new Set(picked.peek());
      ids.forEach((id) => (on ? next.add(id) : next.delete(id)));
      picked.value = next;
    },
    stop() {
      stopped = true;
      control.abort();
      clearInterval(ageing);
      end();
      refreshSoon.stop();
      countSoon.stop();
    },
    empty: computed(() => !loading.value && !more.value && rows.value.length === 0),
  };
}

/** To the minute, so that what is asked for stays the same for a while. */
function timeBefore(seconds) {
  return new Date(Math.floor((serviceNow() - seconds * 1000) / 60_000) * 60_000).toISOString();
}

function sorted(rows) {
  const at = (row) => row.entry.peek().created_at;
  return rows.toSorted((one, other) => (at(one) < at(other) ? 1 : at(one) > at(other) ? -1 : 0));
}
