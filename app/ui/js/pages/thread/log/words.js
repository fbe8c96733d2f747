// What an event says, in a line. Pure.
import { duration, plural } from "../../../lib/words.js";

const LONGEST = 200;

/** The gist of an event: what its name does not say. */
export function gist({ event, data, attempt, version }) {
  const about = SAYS[event]?.(data, attempt, version) ?? "";
  return about.length > LONGEST ? `${about.slice(0, LONGEST)}…` : about;
}

const fault = (data) => (data.error ? `${data.error.kind}: ${data.error.message}` : "");
const item = (data) => (data.index === undefined || data.index === null ? "" : `item ${data.index}: `);
const SAYS = {
  workflow_start: (data) => (data.forked_from ? `forked from v${data.forked_from.version ?? "?"}` : "accepted"),
  workflow_resumed: (data) => (data.trigger === "recovery" ? `taken up again after its process was lost${data.steps?.length ? `: ${data.steps.join(", ")}` : ""}` : `from v${data.from_version}${data.from_step ? `, ${data.from_step} again` : ""}`),
  workflow_rolled_back: (data) => `from v${data.from_version} to v${data.to_version}${data.reason ? `: ${data.reason}` : ""}`,
  workflow_paused: (data) => (data.reason ? `over its limit: ${data.reason}` : ""),
  workflow_failed: fault,
  workflow_cancelled: fault,
  workflow_interrupted: fault,
  workflow_migrated: (data) => `from @${data.from_workflow_version} to @${data.to_workflow_version}`,
  state_quarantined: (data) => `${plural(data.findings?.length ?? 0, "finding")}; the head is ${data.to_version === null ? "nowhere" : `v${data.to_version}`}`,
  step_start: (data) => [data.agent, data.variant && `variant ${data.variant}`, data.compensates && `undoes ${data.compensates}`].filter(Boolean).join(", "),
  step_progress: (data) => [typeof data.progress === "number" && `${Math.round(data.progress * 100)} %`, data.message].filter(Boolean).join(", "),
  step_retry: (data, attempt) => `${item(data)}attempt ${attempt} in ${duration(data.delay_ms)}, after ${fault(data)}`,
  attempt_discarded: (data, attempt) => `${item(data)}what attempt ${attempt} has said is void`,
  item_failed: (data) => `${item(data)}${fault(data)}`,
  step_complete: (_data, _attempt, version) => `wrote v${version}`,
  step_skipped: (data) => (data.reason === "condition" ? "its condition does not hold" : (data.reason ?? "")),
  step_failed: (data) => `${fault(data)}${data.caught ? " (the thread goes on all the same)" : ""}`,
  gate_waiting: (data) => data.title ?? "asks",
  gate_answered: (data) => `by ${data.by ?? "somebody"}${data.via ? ` via ${data.via}` : ""}`,
  message_waiting: (data) => (data.topic ? `a message on ${data.topic}` : `the signal ${data.signal}`),
  message_received: (data) => `${data.topic ?? data.signal ?? ""}${data.by ? ` by ${data.by}` : ""}${data.via ? ` via ${data.via}` : ""}`,
};

const MARKS = {
  workflow_start: "pending", workflow_resumed: "running", workflow_rolled_back: "pending", workflow_paused: "paused", workflow_complete: "completed", workflow_failed: "failed",
  workflow_cancelled: "cancelled", workflow_interrupted: "interrupted", workflow_migrated: "pending", state_quarantined: "interrupted", step_start: "running", step_progress: "running",
  step_retry: "retrying", attempt_discarded: "retrying", item_failed: "failed", step_complete: "completed", step_skipped: "skipped", step_failed: "failed", gate_waiting: "waiting",
  gate_answered: "running", message_waiting: "waiting", message_received: "running",
};

/** The state that an event's mark shows. */
export function markOf({ event, type }) {
  return MARKS[event] ?? { error: "failed", complete: "completed", progress: "running" }[type] ?? "pending";
}
