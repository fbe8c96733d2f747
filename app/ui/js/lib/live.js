// A stream of server-sent events that is always taken up again where it broke off: nothing is lost, nothing comes twice.
//
// Read with fetch instead of EventSource: that one cannot see heartbeats, so a connection that hangs looks live for ever.
import { signal } from "./html.js";
import { parse } from "./json.js";
import { createParser } from "../../vendor/eventsource-parser.js";

const SILENCE = 40_000; // the service sends a heartbeat every 15 s
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 4_000;
const LOOK = 5_000;
const HIDDEN = 20_000; // a browser opens six connections to a host: pages that nobody sees give theirs back

// Whoever is looked at needs those connections now: the tabs that are hidden let go of theirs.
const tabs = new BroadcastChannel("backstitch.tabs");
const seen = () => { if (!document.hidden) tabs.postMessage("seen"); };
document.addEventListener("visibilitychange", seen);
seen();

/**
 * Follow a stream. `address(cursor)` is where, `cursor` the last id seen or null; `onEvents` gets what came together, as a list of
 * `{id, event, data}` with `data` parsed; `onOpen({again, cursor})` is told of every connection before its first event.
 *
 * Answers `{state, lastAt, close}`: `state.value` is "connecting", "live", "lost" or "ended" (the service says that nothing will
 * come any more), `lastAt` when something was last heard.
 */
export function follow({ address, onEvents, onOpen = () => {}, cursor = null }) {
  const stream = { state: signal("connecting"), lastAt: signal(Date.now()), close };
  let pause = FIRST_PAUSE;
  let open = null;
  let closed = false;
  let again = document.hidden; // else the first connection is made at once
  let timer = 0;
  let hiding = 0;

  async function run() {
    const control = new AbortController();
    open = control;
    let last = Date.now();
    // By the clock: timers stand still while a machine sleeps, and connections do not outlive it.
    const watch = setInterval(() => { if (Math.abs(Date.now() - last) > SILENCE) control.abort(); }, LOOK);
    const heard = () => { last = stream.lastAt.value = Date.now(); };
    let lost = true;
    try {
      const headers = cursor === null ? {} : { "last-event-id": String(cursor) };
      const response = await fetch(address(cursor), { headers, signal: control.signal, cache: "no-store" });
      if (response.status === 204 || isGone(response)) return void finish("ended");
      if (!response.ok) throw new Error(`status ${response.status}`);
      heard();
      pause = FIRST_PAUSE;
      stream.state.value = "live";
      tell(() => onOpen({ again, cursor }));
      again = true;
      await read(response.body, heard);
      lost = false; // the service has closed it: most likely there is nothing more to come, which the next try tells
    } catch { /* cut, refused or silent: taken up below */ } finally {
      clearInterval(watch);
    }
    if (open === control) retry(lost);
  }

  async function read(body, heard) {
    let batch = [];
    const parser = createParser({
      onEvent({ id, event, data }) {
        if (id !== undefined && id !== "") cursor = id;
        if (data) batch.push({ id, event, data: parse(data) });
      },
    });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      parser.feed(value);
      if (batch.length) {
        const events = batch;
        batch = [];
        tell(() => onEvents(events));
      }
    }
  }

  function tell(what) {
    try {
      what();
    } catch (error) {
      console.error(error); // a page that stumbles over an event must not lose the ones behind it
    }
  }

  function retry(lost) {
    open = null;
    again = true;
    if (closed) return;
    stream.state.value = lost ? "lost" : "connecting";
    if (document.hidden) return; // taken up when somebody looks again
    timer = setTimeout(run, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }

  function drop() {
    clearTimeout(timer);
    const control = open;
    open = null;
    if (!closed) stream.state.value = "connecting";
    control?.abort();
  }

  function onVisibility() {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(drop, HIDDEN);
    else if (open === null) {
      drop();
      pause = FIRST_PAUSE;
      run();
    }
  }

  function onOther() {
    if (document.hidden) drop();
  }

  function onOnline() {
    if (stream.state.peek() === "lost" && !document.hidden) {
      drop();
      run();
    }
  }

  function finish(state) {
    closed = true;
    clearTimeout(hiding);
    document.removeEventListener("visibilitychange", onVisibility);
    removeEventListener("online", onOnline);
    tabs.removeEventListener("message", onOther);
    stream.state.value = state;
  }

  function close() {
    finish("ended");
    drop();
  }

  document.addEventListener("visibilitychange", onVisibility);
  addEventListener("online", onOnline);
  tabs.addEventListener("message", onOther);
  if (!document.hidden) run(); // a tab that was opened behind another begins when somebody looks
  return stream;
}

/** Whether the service itself says so: a proxy whose service is away may answer 404 as well. */
function isGone(response) {
  return response.status === 404 && (response.headers.get("content-type") ?? "").startsWith("application/problem+json");
}
