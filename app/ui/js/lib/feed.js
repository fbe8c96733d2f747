// The one feed of all threads, for the whole page: whoever listens gets every event once, and is told when some may be missing.
import { computed } from "./html.js";
import { follow } from "./live.js";

const listeners = new Set();
let stream = null;

/**
 * Listen to the events of all threads. `onEvents(list)` gets them as they come, each as in the docs (`event.data.seq` and so on);
 * `onOpen({again})` is called at every connection from now on: what is fetched after it, or after this call while the feed is
 * live, misses nothing that the feed does not bring; with `again` something may have happened since the page was opened.
 * Answers a function that ends it.
 */
export function listen({ onEvents, onOpen = () => {} }) {
  const listener = { onEvents, onOpen };
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * `run` whenever the feed is there again after it was lost: what could not be had meanwhile can. `soon`: also once after so many ms
 * if the feed is there then, for it may have come back just before. Answers a function that ends it.
 */
export function whenBack(run, soon = 0) {
  const timer = soon && setTimeout(() => { if (feedState.peek() === "live") run(); }, soon);
  const stop = listen({ onEvents: () => {}, onOpen: ({ again }) => { if (again) run(); } });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

export function startFeed() {
  stream = follow({
    address: () => "/api/stream?compact=true",
    onEvents: (events) => listeners.forEach((one) => one.onEvents(events)),
    onOpen: (how) => listeners.forEach((one) => one.onOpen(how)),
  });
}

/** "connecting", "live" or "lost". */
export const feedState = computed(() => stream?.state.value ?? "connecting");
export const lastHeard = computed(() => stream?.lastAt.value ?? Date.now());
