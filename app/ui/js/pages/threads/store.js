// The list of threads as it is now: fetched by pages, kept true by the feed. An event changes its row at once by what it says
// itself; what it does not say is asked for soon after, together with all other rows that changed and are in view.
import { batch, computed, signal } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { listen } from "../../lib/feed.js";
import { throttled } from "../../lib/pace.js";
import { applied, begins, leadsTo } from "./apply.js";

const PAGE = 100;
const PACE = 1000;
const AT_ONCE = 100; // rows asked for together

/** `filters` as in GET /api/threads; `stop()` when the list is left. */
export function threadList(filters) {
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
  let atTop = true;
  let busy = false;
  let stopped = false;
  let inView = () => [];
  const statuses = new Set((filters.status ?? "").split(",").filter(Boolean));

  const ask = (params) => get("/threads", { params: { ...filters, ...params } });

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
    try {
      // A page may be empty and not be the last: it has looked through as much as one request may.
      for (let tries = 0; tries < 20 && !stopped; tries += 1) {
        const found = await ask({ limit: PAGE, cursor });
        cursor = found.next_cursor;
        batch(() => {
          put(found.threads, (added) => { rows.value = [...rows.peek(), ...added]; });
          more.value = cursor !== null;
          problem.value = null;
        });
        if (found.threads.length || cursor === null) break;
      }
    } catch (error) {
      problem.value = error;
    } finally {
      busy = false;
      loading.value = false;
    }
  }

  async function refresh() {
    if (stopped) return;
    const seen = new Set(inView());
    const wanted = [...dirty].filter((id) => seen.has(id)).slice(0, AT_ONCE);
    const others = [...newly].slice(0, AT_ONCE - wanted.length);
    wanted.forEach((id) => dirty.delete(id)); // those out of view are asked for when they come into it
    newly.clear();
    const ids = [...wanted, ...others];
    const top = fresh;
    fresh = false;
    try {
      const [newest, changed] = await Promise.all([top ? ask({ limit: 50 }) : null, ids.length ? get("/threads", { params: { ids } }) : null]);
      if (stopped) return;
      batch(() => {
        if (changed) put(changed.threads.filter((one) => known.has(one.thread_id) || belongs(one)), insert);
        if (newest) {
          put(newest.threads, hold);
          if (atTop) tidy();
        }
      });
    } catch (error) {
      // The feed tells when the service is back, and all is asked again.
      if (error.status === undefined) console.error(error);
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
    return statuses.has(entry.status) && (!filters.workflow || entry.workflow === filters.workflow) && (!filters.since || entry.created_at >= filters.since)
      && (filters.children || entry.parent_thread_id === null) && (!more.peek() || !last || entry.created_at >= last);
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
    if (!statuses.size) return;
    const stays = rows.peek().filter((row) => statuses.has(row.entry.peek().status) || picked.peek().has(row.id));
    if (stays.length === rows.peek().length) return;
    const left = new Set(stays.map((row) => row.id));
    for (const id of known.keys()) if (!left.has(id) && !held.peek().some((row) => row.id === id)) known.delete(id);
    rows.value = stays;
  }

  const refreshSoon = throttled(refresh, PACE);
  const countSoon = throttled(async () => {
    const { status, text, limit, ...rest } = filters;
    const found = await get("/threads/counts", { params: rest }).catch(() => null);
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
        else if (!row && !filters.text && comes(data)) newly.add(data.thread_id);
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

  const end = listen({ onEvents, onOpen });
  load();
  countSoon();

  return {
    rows, problem, loading, more, counts, held, picked, load,
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
      end();
      refreshSoon.stop();
      countSoon.stop();
    },
    empty: computed(() => !loading.value && !more.value && rows.value.length === 0),
  };
}

function sorted(rows) {
  const at = (row) => row.entry.peek().created_at;
  return rows.toSorted((one, other) => (at(one) < at(other) ? 1 : at(one) > at(other) ? -1 : 0));
}
