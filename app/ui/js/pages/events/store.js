// The durable events of all threads, the newest first: a page to begin with, then from its cursor on whenever the feed tells that
// something has come. The cursor is the truth: nothing is lost and nothing comes twice, over breaks, restarts and hidden pages too.
import { batch, signal } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { feedState, listen } from "../../lib/feed.js";
import { stringify } from "../../lib/json.js";
import { paced } from "../../lib/pace.js";
import { gistOf } from "./names.js";

const PAGE = 200;
const AT_ONCE = 1000;
const PACE = 400;
const GIST = 200; // characters
const KEPT = 20_000; // events in memory, the newest
const WEIGHT = 48_000_000; // characters of their data
const BEHIND = 20; // pages of news after which it begins anew with the newest
const PATIENCE = 10; // pages looked through for one that matches

/** `filters` as in GET /api/events, and `text`, which is looked for here. */
export function eventList({ text, ...filters }) {
  const rows = signal([]);
  const held = signal([]); // what came while the reader was further down, or had paused the flow
  const problem = signal(null);
  const loading = signal(true);
  const more = signal(true);
  const paused = signal(false);
  const looked = signal(null); // how far back was looked
  const torn = signal(false); // more came than can be held: it is told of, and shown by beginning anew
  const cut = signal(false); // older ones were let go of
  const known = new Set();
  const wanted = text ? text.toLowerCase() : null;
  let older = null; // cursor of the next page downwards
  let present = null; // cursor of what comes
  let atTop = true;
  let busy = false;
  let stopped = false;
  let turn = 0; // each beginning anew makes what is still on its way void

  const control = new AbortController();
  const ask = (params) => get("/events", { params: { ...filters, ...params }, signal: control.signal });

  /** Those that are new, as rows; data is kept as text, which takes half the room. */
  function taken(events) {
    const made = [];
    for (const { data, ...event } of events) {
      const key = `${event.thread_id}:${event.seq}`;
      if (known.has(key)) continue;
      const row = { ...event, key, text: stringify(data), gist: gistOf(data).slice(0, GIST) };
      if (wanted && !matches(row, wanted)) continue;
      known.add(key);
      made.push(row);
    }
    return made;
  }

  function keep(list) {
    const end = room(list);
    if (end === list.length) return list;
    for (const row of list.slice(end)) known.delete(row.key);
    more.value = false; // what is older would only be dropped again
    cut.value = true;
    return list.slice(0, end);
  }

  async function begin() {
    const mine = (turn += 1);
    busy = true;
    present = null; // what comes meanwhile is asked for after it
    loading.value = true;
    try {
      const found = await ask({ order: "desc", limit: PAGE });
      if (stopped || turn !== mine) return;
      known.clear();
      present = found.cursor;
      older = found.next_cursor;
      batch(() => {
        rows.value = taken(found.events);
        held.value = [];
        torn.value = cut.value = false;
        more.value = older !== null;
        looked.value = found.events.at(-1)?.at ?? null;
        problem.value = null;
      });
    } catch (error) {
      if (turn === mine) problem.value = error;
    }
    if (stopped || turn !== mine) return;
    busy = false;
    loading.value = false;
    if (present === null) return;
    if (rows.peek().length < PAGE / 4) load();
    news();
  }

  async function load() {
    if (busy || stopped || !older || !more.peek()) return;
    const mine = turn;
    busy = true;
    loading.value = true;
    try {
      for (let tries = 0, found = 0; tries < PATIENCE && found < PAGE / 4 && older && !stopped; tries += 1) {
        const page = await ask({ order: "desc", limit: wanted ? AT_ONCE : PAGE, cursor: older });
        if (turn !== mine) return;
        older = page.next_cursor;
        const made = taken(page.events);
        found += made.length;
        batch(() => {
          more.value = older !== null;
          problem.value = null;
          if (page.events.length) looked.value = page.events.at(-1).at;
          if (made.length) rows.value = keep([...rows.peek(), ...made]);
        });
      }
    } catch (error) {
      if (turn === mine) problem.value = error;
    } finally {
      if (turn === mine) busy = loading.value = false;
    }
  }

  /** All that has come since the cursor. */
  async function follow() {
    if (stopped) return;
    if (present === null) {
      if (!busy) begin(); // what could not be fetched before
      return;
    }
    const mine = turn;
    try {
      for (let pages = 0; !stopped; pages += 1) {
        if (torn.peek()) return;
        if (pages === BEHIND) return void (follows() ? begin() : (torn.value = true));
        const page = await ask({ order: "asc", limit: AT_ONCE, cursor: present });
        if (stopped || turn !== mine) return;
        present = page.next_cursor ?? page.cursor ?? present;
        put(taken(page.events).reverse());
        if (page.next_cursor === null) break;
      }
    } catch (error) {
      // The cursor stays; when the service is away, the feed tells when it is back.
      if (!stopped && error.passing && feedState.peek() === "live") news();
    }
  }

  /** Whether what comes is shown as it comes. */
  const follows = () => atTop && !paused.peek();

  function put(made) {
    if (!made.length) return;
    const all = [...made, ...held.peek()];
    if (follows()) rows.value = keep([...all, ...rows.peek()]);
    else if (room(all) < all.length) torn.value = true;
    else held.value = all;
  }

  const news = paced(follow, PACE);
  const end = listen({ onEvents: news, onOpen: news });
  begin();

  return {
    rows, held, torn, cut, problem, loading, more, paused, looked, load, begin,
    top(is) {
      atTop = is;
      if (is && !paused.peek()) this.show();
    },
    show() {
      if (torn.peek()) return void begin();
      if (!held.peek().length) return;
      batch(() => {
        rows.value = keep([...held.peek(), ...rows.peek()]);
        held.value = [];
      });
    },
    pause(is) {
      paused.value = is;
      if (!is && atTop) this.show();
    },
    stop() {
      stopped = true;
      control.abort();
      end();
      news.stop();
    },
  };
}

/** How many of them, from the first, may be kept. */
function room(list) {
  let weight = 0;
  let end = 0;
  while (end < list.length && end < KEPT && (weight += list[end].text.length) < WEIGHT) end += 1;
  return end;
}

function matches(row, wanted) {
  return row.text.toLowerCase().includes(wanted) || row.event.includes(wanted) || row.thread_id.toLowerCase().includes(wanted)
    || (row.step_id ?? "").toLowerCase().includes(wanted);
}
