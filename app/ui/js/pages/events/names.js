// The names of events, and the mark that each is drawn with.

const STATE = {
  workflow_start: "pending", workflow_resumed: "running", workflow_rolled_back: "retrying", workflow_migrated: "retrying", workflow_paused: "paused",
  workflow_complete: "completed", workflow_failed: "failed", workflow_cancelled: "cancelled", workflow_interrupted: "interrupted", state_quarantined: "interrupted",
  step_start: "running", step_progress: "running", step_retry: "retrying", step_complete: "completed", step_failed: "failed", step_skipped: "skipped", item_failed: "failed",
  attempt_discarded: "skipped", gate_waiting: "waiting", gate_answered: "completed", message_waiting: "waiting", message_received: "completed",
};

/** All names, for a choice of them. */
export const NAMES = Object.keys(STATE);
/** The coarse classes. */
export const TYPES = ["status", "progress", "message", "error", "complete"];

export const stateOf = (name) => STATE[name] ?? "pending";
