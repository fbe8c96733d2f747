// One thread as it is now: its status document, kept true by its own stream, and what is asked for when the stream says that it
// has changed. All parts of the page read from here; the selection is in the address.
import { batch, computed, signal } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { listen } from "../../lib/feed.js";
import { follow } from "../../lib/live.js";
import { resource } from "../../lib/resource.js";
import { throttled } from "../../lib/throttle.js";
import { applied } from "./apply.js";
import { texts } from "./texts.js";

const ENDED = new Set(["completed", "failed", "cancelled", "interrupted"]);
const PACE = 1000;
const KEPT = 2000; // events of the stream that the page keeps; the log fetches older ones

/** Everything that the page of a thread shows; `stop()` when it is left. */
export function threadOf(id) {
  const status = signal(null); // the status document
  const problem = signal(null);
  const state = signal("connecting"); // of the stream: connecting, live, lost, ended
  const events = signal([]); // those that came since the page was opened, oldest first
  const text = texts();
  const definition = resource((abort) => get(path`/invoke/workflow/${id}`, { signal: abort }));
  const timeline = resource((abort) => get(path`/invoke/timeline/${id}`, { params: { limit: 1000, items: 20 }, signal: abort }));
  const tree = resource((abort) => get(path`/invoke/tree/${id}`, { params: { limit: 1000 }, signal: abort }));
  let stream = null;
  let seen = 0; // the last event of the stream
  let stopped = false;
  let unwatch = () => {};

  const refresh = throttled(async () => {
    try {
      const found = await get(path`/invoke/status/${id}`);
      if (stopped) return;
      const before = status.peek();
      if (before && found.last_seq < before.last_seq) return;
      batch(() => {
        problem.value = null;
        status.value = found;
      });
      if (before && before.execution_id !== found.execution_id) definition.reload();
    } catch (error) {
      if (!stopped) problem.value = error;
    }
  }, 2 * PACE);
  const refreshTimeline = throttled(() => { if (!stopped) timeline.reload(); }, PACE);
  const refreshTree = throttled(() => { if (!stopped) tree.reload(); }, PACE);

  function open() {
    if (stopped || stream) return;
    const begin = status.peek().last_seq;
    seen = begin;
    stream = follow({
      address: (cursor) => `/api${path`/invoke/stream/${id}`}?after=${cursor ?? begin}`,
      cursor: begin,
      // The service tells the text so far again at every connection.
      onOpen({ again }) {
        text.clear();
        if (again) [refreshTimeline, refreshTree].forEach((one) => one());
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

  function onEvents(list) {
    const { version } = status.peek();
    let steps = false;
    let other = false;
    const fresh = [];
    batch(() => {
      for (const { event: name, data } of list) {
        if (name === "snapshot") {
          if (data.last_seq >= status.peek().last_seq) status.value = data;
        } else if (name === "step_chunk") {
          text.add(data);
        } else {
          if (name === "attempt_discarded") text.drop(data);
          if (data.seq !== null && data.seq <= seen) continue;
          seen = data.seq ?? seen;
          fresh.push(data);
          // A snapshot may be newer than the events behind it, which then only go into the log.
          if (data.seq === null || data.seq > status.peek().last_seq) status.value = applied(status.peek(), data);
          steps ||= data.step_id !== null;
          other ||= name.startsWith("workflow_") || name.startsWith("state_");
        }
      }
      if (fresh.length) events.value = [...events.peek(), ...fresh].slice(-KEPT);
    });
    if (!fresh.length) return;
    if (steps || other) refreshTimeline();
    if (other || status.peek().version !== version) refreshTree();
    if (other) refresh();
  }

  // A thread that had ended may go on, by somebody else's doing too: the feed tells.
  const unlisten = listen({
    onEvents(list) {
      if (stream || !status.peek()) return;
      if (list.some(({ data }) => data.thread_id === id && data.seq > status.peek().last_seq)) again();
    },
    onOpen() { if (!stream && status.peek()) again(); },
  });

  async function again() {
    await load();
    [timeline, tree].forEach((one) => one.reload());
  }

  async function load() {
    try {
      const found = await get(path`/invoke/status/${id}`);
      if (stopped) return;
      batch(() => {
        status.value = found;
        problem.value = null;
      });
      if (ENDED.has(found.status)) state.value = "ended";
      else open();
    } catch (error) {
      if (!stopped) problem.value = error;
    }
  }

  load();
  [definition, timeline, tree].forEach((one) => one.reload());

  return {
    id, status, problem, state, events, text, definition, timeline, tree,
    steps: computed(() => new Map((status.value?.steps ?? []).map((step) => [step.id, step]))),
    /** Ask again: after something was done to the thread, or by hand. */
    reload: again,
    stop() {
      stopped = true;
      unwatch();
      unlisten();
      stream?.close();
      [refresh, refreshTimeline, refreshTree].forEach((one) => one.stop());
      [definition, timeline, tree].forEach((one) => one.stop());
    },
  };
}
