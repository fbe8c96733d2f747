// One thread as it is now: its status document, kept true by its own stream, and what is asked for when the stream says that it
// has changed. All parts of the page read from here; the selection is in the address.
import { batch, computed, signal } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { ahead } from "../../lib/clock.js";
import { feedState, listen } from "../../lib/feed.js";
import { follow } from "../../lib/live.js";
import { paced } from "../../lib/pace.js";
import { resource } from "../../lib/resource.js";
import { OPEN } from "../../kit/marks.js";
import { applied } from "./apply.js";
import { knots } from "./knots.js";
import { texts } from "./texts.js";

const PACE = 1000;
const LATE = 400; // what a thread does after its last event is told by none: it is asked for a moment later
const KEPT = 20_000; // events of the stream that the page keeps, without long results; the log fetches older ones
const DRAWN = 150; // ms between two drawings of what the stream brings
const PAGES = 10; // of the timeline, 1,000 step runs each; of the tree, 1,000 executions each

/** Everything that the page of a thread shows; `stop()` when it is left. */
export function threadOf(id) {
  const status = signal(null); // the status document
  const problem = signal(null);
  const state = signal("connecting"); // of the stream: connecting, live, lost, ended
  const events = signal([]); // those that came since the page was opened, oldest first
  const told = signal(new Map()); // step: {progress, message}, as it told last
  const restarts = signal(0); // how often the page has begun anew: what it had fetched of events may have a hole
  const text = texts();
  const entry = resource((abort) => get("/threads", { params: { ids: id }, signal: abort }).then((found) => found.threads[0] ?? {}));
  const definition = resource((abort) => get(path`/invoke/workflow/${id}`, { signal: abort }));
  // Versions of its workflow, the newest two: enough to tell whether there is another. Asked for when somebody looks what can be done.
  const others = resource(async (abort) => {
    const { workflow, workflow_version: version } = status.peek();
    return version === null ? [] : (await get(path`/workflows/${workflow}/versions`, { params: { limit: 2 }, signal: abort })).versions.filter((one) => one.version !== version);
  });
  const timeline = resource((abort) => wholeTimeline(id, abort));
  const tree = resource((abort) => wholeTree(id, abort));
  const versions = knots(id);
  let beginning = null;
  let stream = null;
  let unwatch = () => {};
  let seen = 0; // the last event of the stream
  let stopped = false;

  function put(found) {
    const before = status.peek();
    if (before && found.last_seq < before.last_seq) return;
    batch(() => {
      problem.value = null;
      status.value = found;
    });
    if (before && (before.workflow_version !== found.workflow_version || before.workflow !== found.workflow)) definition.reload();
  }

  async function ask() {
    try {
      const found = await get(path`/invoke/status/${id}`);
      if (!stopped) put(found);
      return found;
    } catch (error) {
      if (!stopped) problem.value = error;
      return null;
    }
  }

  const refresh = paced(async () => {
    const found = await ask();
    // Between two steps, or about to wait: it will be one or the other soon.
    const between = found?.status === "running" && !found.steps.some((step) => step.status === "running" || step.status === "retrying");
    const missed = found === null && problem.peek()?.passing && feedState.peek() === "live";
    if (between || missed) refresh();
  }, 2 * PACE, LATE);
  const refreshTimeline = paced(() => timeline.reload(), PACE, 100);
  const refreshTree = paced(() => tree.reload(), PACE, 100);
  const refreshVersions = paced(() => versions.more(status.peek().version), PACE, 100);
  const refreshing = [refresh, refreshTimeline, refreshTree, refreshVersions];

  function open() {
    if (stopped || stream) return;
    const begin = status.peek().last_seq;
    seen = begin;
    stream = follow({
      address: (cursor) => `/api${path`/invoke/stream/${id}`}?after=${cursor ?? begin}`,
      cursor: begin,
      // The service tells the text so far again at every connection.
      onOpen({ again: reconnected }) {
        text.clear();
        if (reconnected) [refreshTimeline, refreshTree, refreshVersions].forEach((one) => one());
      },
      onEvents,
    });
    unwatch = stream.state.subscribe((value) => {
      state.value = value;
      if (value === "ended" && stream) {
        stream = null;
        refresh();
      }
    });
  }

  // Text goes to its place at once; what may come by the thousand is drawn together.
  let held = [];
  let timer = 0;
  let drawn = 0;

  function onEvents(list) {
    list.forEach(write);
    const rest = list.filter((one) => one.event !== "step_chunk");
    if (!rest.length) return;
    held = held.concat(rest);
    timer ||= setTimeout(draw, Math.max(0, drawn + DRAWN - performance.now()));
  }

  function draw() {
    timer = 0;
    if (stopped) return;
    const list = held;
    held = [];
    tell(list);
    drawn = performance.now();
  }

  function tell(list) {
    const { version } = status.peek();
    const fresh = [];
    let news = [];
    const said = new Map();
    let turned = false;
    batch(() => {
      for (const { event: name, data } of list) {
        if (name === "snapshot") {
          put(data);
          news = news.filter((one) => one.seq > data.last_seq);
        } else if (data.seq === null || data.seq > seen) {
          seen = data.seq ?? seen;
          fresh.push(light(data));
          if (name === "step_progress") said.set(data.step_id, data.data);
          else if (name === "step_start") said.set(data.step_id, null);
          turned ||= name.startsWith("workflow_") || name.startsWith("state_");
          // A snapshot may be newer than the events behind it, which then only go into the log.
          if (data.seq !== null && data.seq > status.peek().last_seq) news.push(data);
        }
      }
      if (said.size) told.value = new Map([...told.peek(), ...said].filter(([, what]) => what !== null));
      if (news.length) status.value = applied(status.peek(), news);
      if (fresh.length) events.value = [...events.peek(), ...fresh].slice(-KEPT);
    });
    if (!fresh.length) return;
    refresh();
    refreshTimeline();
    if (turned) versions.again();
    if (turned || status.peek().version !== version) [refreshTree, refreshVersions].forEach((one) => one());
  }

  /** What an event means for the text that agents stream; in the order of the stream, since a beginning makes it void. */
  function write({ event: name, data }) {
    if (name === "step_chunk") text.add(data);
    else if (name === "attempt_discarded") text.drop(data);
    else if (name === "step_start") text.begin(data.step_id);
    else if (name === "workflow_resumed" && data.data.trigger === "recovery") (data.data.steps ?? []).forEach(text.begin);
  }

  // A thread that had ended may go on, by somebody else's doing too: the feed tells.
  const unlisten = listen({
    onEvents(list) {
      if (stream || !status.peek()) return;
      if (list.some(({ data }) => data.thread_id === id && data.seq > status.peek().last_seq)) again();
    },
    onOpen() { if (!stream) look(); },
  });

  /** Whether it has gone on, without asking for all of it. */
  async function look() {
    if (!status.peek()) return void begin();
    if (problem.peek()) refresh();
    const found = await get("/threads", { params: { ids: id } }).catch(() => null);
    if (!stopped && !stream && found && (found.threads[0]?.last_seq ?? 0) !== status.peek().last_seq) again();
  }

  /** The status first: what is further down the page is asked for once the top of it can be drawn. */
  function begin() {
    beginning ??= asked().finally(() => { beginning = null; });
    return beginning;
  }

  async function asked() {
    const before = status.peek();
    const found = await ask();
    if (!found || stopped) return;
    if (!before) [timeline, tree].forEach((one) => one.reload());
    refreshVersions();
    if (OPEN.has(found.status)) open();
    else if (!stream) state.value = "ended";
  }

  async function again() {
    const before = status.peek();
    await begin();
    if (stopped || (before && status.peek().last_seq === before.last_seq)) return;
    if (before) batch(() => { restarts.value += 1; events.value = []; });
    versions.again();
    [refreshTimeline, refreshTree, refreshVersions].forEach((one) => one());
  }

  begin();
  [entry, definition].forEach((one) => one.reload());

  return {
    id, status, problem, state, events, told, restarts, text, entry, definition, others, timeline, tree, versions,
    steps: computed(() => new Map((status.value?.steps ?? []).map((step) => [step.id, step]))),
    /** Ask again: after something was done to the thread, or by hand. */
    reload: again,
    stop() {
      stopped = true;
      clearTimeout(timer);
      unwatch();
      unlisten();
      stream?.close();
      refreshing.forEach((one) => one.stop());
      [entry, definition, others, timeline, tree, versions].forEach((one) => one.stop());
    },
  };
}

/** An event as it is kept: a long result is asked for again when somebody opens it. */
function light(event) {
  const { result } = event.data;
  const long = typeof result === "string" ? result.length > 500 : result !== null && typeof result === "object";
  return long ? { ...event, data: { ...event.data, result: undefined }, cut: true } : event;
}

async function wholeTimeline(id, signal) {
  const page = (cursor) => get(path`/invoke/timeline/${id}`, { params: { limit: 1000, items: 20, cursor }, signal });
  const first = await page(null);
  ahead.value = Date.parse(first.now) - Date.now();
  let { next_cursor: cursor, whole } = first;
  const steps = [...first.steps];
  for (let count = 1; cursor !== null && count < PAGES; count += 1) {
    const next = await page(cursor);
    steps.push(...next.steps);
    whole &&= next.whole;
    cursor = next.next_cursor;
  }
  return { ...first, steps, whole: whole && cursor === null };
}

/** Its pages in one: the present execution is on the last. What came of the thread is told with each; the first has it. */
async function wholeTree(id, signal) {
  const page = (cursor) => get(path`/invoke/tree/${id}`, { params: { limit: 1000, cursor }, signal });
  let tree = await page(null);
  for (let count = 1; tree.next_cursor !== null && count < PAGES; count += 1) {
    const next = await page(tree.next_cursor);
    const { status, head_version, last_version, next_cursor } = next;
    tree = { ...tree, status, head_version, last_version, next_cursor, branches: [...tree.branches, ...next.branches] };
  }
  return tree;
}
