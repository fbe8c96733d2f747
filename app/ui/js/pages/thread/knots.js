// The versions of a thread as the timeline draws them: when each was written, and by which step.
//
// An entry of the history names all steps that had completed, so that a thousand of them are megabytes: of a thread with many
// versions the ends of its step runs stand for them, and the number is asked for when somebody chooses one.
import { signal } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";

const MANY = 300;

/** `{list, more, again, stop}`: `list` is a signal, `more(head)` fetches what is new, `again()` lets it begin anew with the next. */
export function knots(id) {
  const list = signal([]);
  const control = new AbortController();
  let anew = false;

  async function more(head) {
    if (head > MANY) {
      list.value = null;
      return;
    }
    const afresh = anew;
    const before = afresh ? [] : (list.peek() ?? []);
    anew = false;
    try {
      const found = await get(path`/invoke/history/${id}`, { params: { from_version: (before.at(-1)?.version ?? 0) + 1, limit: MANY }, signal: control.signal });
      list.value = found.next_cursor === null ? [...before, ...found.history] : null;
    } catch { // the page says so elsewhere; the next event asks again
      anew ||= afresh;
    }
  }

  return { list, more, again() { anew = true; }, stop: () => control.abort() };
}

/** Those that stand for versions where there are too many of them. */
export function knotsOf(lanes) {
  const ends = lanes.filter((lane) => lane.kind === "step").flatMap((lane) => {
    const by = new Map();
    for (const span of lane.spans) if (span.to !== null && ["completed", "skipped", "failed"].includes(span.outcome)) by.set(span.run ?? "", span);
    return [...by.values()].map((span) => ({ version: null, at: span.to, current_step: lane.step, on_timeline: !span.left, run: span.run ?? null }));
  });
  return ends.sort((one, other) => one.at - other.at).map((one) => ({ ...one, created_at: new Date(one.at).toISOString() }));
}

/** The number of a version of which only the step and the time are known; null if there is none. */
export async function numberOf(id, { current_step: step, at }) {
  const { history } = await get(path`/invoke/history/${id}`, { params: { step, limit: 20 } });
  const away = (one) => Math.abs(Date.parse(one.created_at) - at);
  return history.sort((one, other) => away(one) - away(other))[0]?.version ?? null;
}
