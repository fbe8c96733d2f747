// What an event of the feed says about a row of the list. Pure functions.

const STATUS = {
  workflow_start: "pending",
  workflow_resumed: "pending",
  workflow_rolled_back: "pending",
  workflow_migrated: "pending",
  workflow_paused: "paused",
  workflow_complete: "completed",
  workflow_failed: "failed",
  workflow_cancelled: "cancelled",
  workflow_interrupted: "interrupted",
};
const ENDED = new Set(["completed", "failed", "cancelled", "interrupted"]);
const OVER = new Set(["step_complete", "step_failed", "step_skipped"]);

/** Whether the event is the beginning of a thread, or brings one back to the top of the list. */
export function begins(event) {
  return STATUS[event.event] === "pending";
}

/** The status of the thread after the event, null where it does not say. */
export function leadsTo(event) {
  return STATUS[event.event] ? (event.data.status ?? STATUS[event.event]) : null;
}

/** The entry after the event. */
export function applied(entry, event) {
  const { event: name, step_id: step, data } = event;
  const next = { ...entry, last_seq: event.seq, version: event.version ?? entry.version, updated_at: event.at };
  if (STATUS[name]) {
    next.status = leadsTo(event);
    next.error = data.error ?? (ENDED.has(next.status) ? entry.error : null);
    if (ENDED.has(next.status)) {
      next.completed_at = event.at;
      next.open = [];
    }
    if (next.status === "completed") next.steps_done = entry.steps_total;
  } else if (step) {
    if (entry.status === "pending" || (entry.status === "waiting" && name === "step_start")) next.status = "running";
    next.started_at = entry.started_at ?? event.at;
    next.open = opened(entry.open, event);
    if (OVER.has(name) && name !== "step_failed") next.steps_done = Math.min(entry.steps_total || Infinity, entry.steps_done + 1);
  }
  if (typeof data.progress === "number" && name !== "step_progress") next.progress = data.progress;
  return next;
}

function opened(open, { event: name, step_id: step, data, attempt, at }) {
  const others = open.filter((one) => one.id !== step);
  if (OVER.has(name)) return others;
  const before = open.find((one) => one.id === step) ?? { id: step, agent: data.agent ?? null, attempt: attempt ?? 1, started_at: at, waits: null };
  const status = { step_start: "running", step_retry: "retrying", gate_waiting: "waiting", message_waiting: "waiting", gate_answered: "running", message_received: "running" }[name];
  if (!status) return open;
  const waits = name === "gate_waiting" ? "gate" : name === "message_waiting" ? "message" : null;
  return [{ ...before, status, waits, attempt: attempt ?? before.attempt }, ...others].slice(0, 5);
}
