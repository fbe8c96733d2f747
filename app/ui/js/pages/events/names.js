// The names of events, the mark that each is drawn with, and what it says in a line.
import { stringify } from "../../lib/json.js";

const STATE = {
  workflow_start: "pending", workflow_resumed: "running", workflow_rolled_back: "retrying", workflow_migrated: "retrying", workflow_paused: "paused",
  workflow_complete: "completed", workflow_failed: "failed", workflow_cancelled: "cancelled", workflow_interrupted: "interrupted", state_quarantined: "interrupted",
  step_start: "running", step_progress: "running", step_retry: "retrying", step_complete: "completed", step_failed: "failed", step_skipped: "skipped",
    item_failed: "failed",
  attempt_discarded: "skipped", gate_waiting: "waiting", gate_answered: "completed", message_waiting: "waiting", message_received: "completed",
};

/** All names, for a choice of them. */
export const NAMES = Object.keys(STATE);
/** The coarse classes. */
export const TYPES = ["status", "progress", "message", "error", "complete"];

export const stateOf = (name) => STATE[name] ?? "pending";

/** What the data of an event says in a line: what went wrong, what was said, what came of it; the status stands in its name. */
export function gistOf(data) {
  if (data.error) return `${data.error.kind}: ${data.error.message}`;
  for (const key of ["message", "title", "reason"]) if (typeof data[key] === "string") return data[key];
  const { status, progress, form, show, session_id: session, ...rest } = data;
  const told = "result" in rest ? rest.result : rest;
  if (told && typeof told === "object" && Object.keys(told).length === 0) return "";
  return typeof told === "string" ? told : stringify(told);
}
