// What an event says about the status document of its thread. Pure functions; what it does not say is asked for by the store.

const THREAD = {
  workflow_paused: "paused",
  workflow_complete: "completed",
  workflow_failed: "failed",
  workflow_cancelled: "cancelled",
  workflow_interrupted: "interrupted",
  workflow_resumed: "pending",
  workflow_rolled_back: "pending",
  workflow_start: "pending",
  workflow_migrated: "pending",
};
const STEP = {
  step_start: "running",
  step_retry: "retrying",
  step_complete: "completed",
  step_failed: "failed",
  step_skipped: "skipped",
  gate_waiting: "waiting",
  gate_answered: "running",
  message_waiting: "waiting",
  message_received: "running",
};
const OVER = new Set(["completed", "failed", "skipped"]);

/** The document after the event. */
export function applied(document, event) {
  const next = { ...document, version: event.version ?? document.version, last_update: event.at };
  if (event.seq !== null) next.last_seq = Math.max(document.last_seq, event.seq);
  const { event: name, data } = event;
  if (name in THREAD) {
    next.status = data.status ?? THREAD[name];
    next.error = data.error ?? (next.status === "failed" ? document.error : null);
    if (name === "workflow_complete") next.output = data.result ?? null;
    if (["completed", "failed", "cancelled", "interrupted"].includes(next.status)) next.completed_at = event.at;
    else next.completed_at = null;
  } else if (event.step_id !== null && name in STEP && data.index === undefined && (data.item ?? null) === null) {
    next.steps = document.steps.map((step) => (step.id === event.step_id ? stepAfter(step, event) : step));
    if (name === "step_start" && (document.status === "pending" || document.status === "waiting")) next.status = "running";
    next.started_at = document.started_at ?? event.at;
    next.current_step = next.steps.find((step) => step.status === "running")?.id ?? null;
  }
  if (typeof data.progress === "number" && name !== "step_progress") next.progress = data.progress;
  return next;
}

function stepAfter(step, { event: name, data, attempt, at }) {
  const status = STEP[name];
  const next = { ...step, status, attempt: attempt ?? step.attempt, error: data.error ?? (status === "failed" ? step.error : null) };
  if (name === "step_start") Object.assign(next, { started_at: at, completed_at: null, duration_ms: null, reused: false, agent: data.agent ?? step.agent, gate: undefined });
  if (name === "step_retry") next.retry_count = Math.max(step.retry_count, (attempt ?? 1) - 1);
  if (name === "gate_waiting") next.gate = { title: data.title, show: data.show, form: data.form, assignees: data.assignees, timeout_at: data.timeout_at, round: data.round };
  if (name === "gate_answered") next.gate = undefined;
  if (OVER.has(status)) {
    next.completed_at = at;
    next.duration_ms = step.started_at ? Date.parse(at) - Date.parse(step.started_at) : null;
  }
  return next;
}
