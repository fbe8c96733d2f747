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

const UNTOLD = new Set(["status", "progress", "workflow", "form", "show", "session_id"]); // what stands elsewhere in the row, or is long

/** What the data of an event says in a line: what went wrong, what was said, what came of it; the status stands in its name. */
export function gistOf(data) {
  if (data.error) return `${data.error.kind}: ${data.error.message}`;
  for (const key of ["message", "title", "reason"]) if (typeof data[key] === "string") return data[key];
  if ("result" in data) return typeof data.result === "string" ? data.result : stringify(data.result);
  const told = Object.entries(data).filter(([key, value]) => !UNTOLD.has(key) && value !== null);
  return told.map(([key, value]) => `${key.replaceAll("_", " ")} ${typeof value === "string" ? value : stringify(value)}`).join(" · ");
}
