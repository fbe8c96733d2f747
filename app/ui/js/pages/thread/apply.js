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
const ENDED = new Set(["completed", "failed", "cancelled", "interrupted"]);
const AT_IT = new Set(["running", "retrying"]);

/** The document after the events: a new one, however many they are. */
export function applied(document, events) {
  const next = { ...document, steps: [...document.steps] };
  const places = new Map(next.steps.map((step, index) => [step.id, index]));
  for (const event of events) apply(next, places, event);
  next.current_step = next.steps.find((step) => step.status === "running")?.id ?? null;
  return next;
}

function apply(next, places, event) {
  const { event: name, data } = event;
  Object.assign(next, { version: event.version ?? next.version, last_update: event.at, last_seq: Math.max(next.last_seq, event.seq ?? 0) });
  if (name in THREAD) {
    next.status = data.status ?? THREAD[name];
    next.error = data.error ?? (next.status === "failed" ? next.error : null);
    next.output = name === "workflow_complete" ? (data.result ?? null) : null;
    next.completed_at = ENDED.has(next.status) ? event.at : null;
  } else if (event.step_id !== null && name in STEP && data.index === undefined && (data.item ?? null) === null) {
    stepsAfter(next.steps, places, event);
    next.status = during(next.status, name, next.steps);
    next.started_at ??= event.at;
  }
  if (typeof data.progress === "number" && name !== "step_progress") next.progress = data.progress;
}

function stepsAfter(steps, places, event) {
  const at = places.get(event.step_id);
  if (at !== undefined) steps[at] = stepAfter(steps[at], event);
  // A step of a workflow in Python, which is known only now; what undoes a step is none.
  else if (event.event === "step_start" && event.data.compensates === undefined) {
    places.set(event.step_id, steps.length);
    steps.push(stepAfter({ id: event.step_id, index: steps.length, agent: null, retry_count: 0, session_id: null, usage: null, variant: null }, event));
  }
}

/** A thread whose steps all wait waits itself, which no event of its own tells. */
function during(status, name, steps) {
  if (name === "step_start" && (status === "pending" || status === "waiting")) return "running";
  if (STEP[name] !== "waiting" || status !== "running") return status;
  return steps.some((step) => AT_IT.has(step.status)) ? status : "waiting";
}

function stepAfter(step, { event: name, data, attempt, at }) {
  const status = STEP[name];
  const next = { ...step, status, attempt: attempt ?? step.attempt, error: data.error ?? (status === "failed" ? step.error : null) };
  if (name === "step_start") {
    const fresh = { started_at: at, completed_at: null, duration_ms: null, reused: false, gate: undefined, waits_for: undefined };
    Object.assign(next, fresh, { agent: data.agent ?? step.agent, variant: data.variant ?? null, usage: null });
  }
  if (name === "step_retry") next.retry_count = Math.max(step.retry_count, (attempt ?? 1) - 1);
  if (name === "gate_waiting") next.gate = { title: data.title, show: data.show, form: data.form, assignees: data.assignees, timeout_at: data.timeout_at, round: data.round };
  if (name === "message_waiting") next.waits_for = { topic: data.topic ?? null, signal: data.signal ?? null, match: data.match, opened_at: at, timeout_at: data.timeout_at };
  if (name === "gate_answered") next.gate = undefined;
  if (name === "message_received") next.waits_for = undefined;
  if (OVER.has(status)) {
    Object.assign(next, { completed_at: at, gate: undefined, waits_for: undefined });
    next.duration_ms = step.started_at ? Date.parse(at) - Date.parse(step.started_at) : null;
  }
  return next;
}
