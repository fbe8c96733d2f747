// The timeline of the API as lanes to draw: one for the thread, one for each step with all of its runs, one for each item of a
// step that is opened. Pure functions; times are ms since 1970, an end that is not yet there is null.

/** `{lanes, from, to, open, lost}`: `to` is the last end (0 for none), `open` whether something goes on, `lost` whether an attempt was. */
export function lanesOf(document, steps, opened) {
  const lanes = [threadLane(document, lastWork(document))];
  const begun = new Map(steps.map((step) => [step.id, step.started_at]));
  for (const lane of stepLanes(document, begun)) {
    lanes.push(lane);
    if (opened.has(lane.step)) lanes.push(...itemLanes(lane));
  }
  const spans = lanes.flatMap((lane) => lane.spans);
  const from = Math.min(...document.executions.map((one) => Date.parse(one.started_at)).filter(Number.isFinite), Date.parse(document.now));
  let to = 0;
  let open = false;
  for (const span of spans) {
    if (span.to === null) open = true;
    else if (span.to > to) to = span.to;
  }
  return { lanes, from, to, open, lost: spans.some((span) => span.outcome === "lost") };
}

const BADLY = new Set(["failed", "interrupted", "cancelled"]);

/** When the last attempt of a step ended. */
function lastWork(document) {
  let last = 0;
  for (const run of document.steps) for (const span of run.spans) if (span.state === "running" && span.ended_at) last = Math.max(last, Date.parse(span.ended_at));
  return last;
}

function threadLane(document, last) {
  const spans = [];
  for (const execution of document.executions) {
    for (const span of execution.spans) {
      const over = BADLY.has(execution.status) && span === execution.spans.at(-1) ? execution.status : "completed";
      const one = timed(span, { of: execution.kind, outcome: span.ended_at && span.state === "running" ? over : undefined });
      // A thread that waits has done so since its last step stopped working.
      if (execution.waiting && one.to === null && last > one.from) spans.push({ ...one, to: last, outcome: "completed" }, { ...one, state: "waiting", from: last });
      else spans.push(execution.waiting && one.to === null ? { ...one, state: "waiting" } : one);
    }
  }
  return { key: "thread", kind: "thread", label: "thread", step: null, spans: spans.sort(byTime), items: [] };
}

function stepLanes(document, begun) {
  const lanes = new Map();
  const last = new Map(document.steps.map((run) => [run.step_id, run.run_id]));
  for (const run of document.steps) {
    let lane = lanes.get(run.step_id);
    if (!lane) lanes.set(run.step_id, (lane = { key: `step ${run.step_id}`, kind: "step", label: run.step_id, step: run.step_id, index: run.step_index, runs: 0, spans: [], items: [] }));
    // After a rollback a step may not have begun again: then its last run is one of before too.
    const present = Boolean(begun.get(run.step_id)) && last.get(run.step_id) === run.run_id;
    lane.runs += 1;
    lane.spans.push(...run.spans.map((span) => timed(span, { run: present ? null : run.run_id, left: !present && begun.has(run.step_id) })));
    lane.items.push(...run.items.map((item) => ({ ...itemSpan(item), run: present ? null : run.run_id, index: item.index })));
  }
  return [...lanes.values()].sort((one, other) => one.index - other.index || (one.step < other.step ? -1 : 1));
}

function itemLanes(lane) {
  const by = Map.groupBy(lane.items, (item) => item.index);
  return [...by].map(([index, spans]) => ({ key: `item ${lane.step} ${index}`, kind: "item", label: `item ${index}`, step: lane.step, item: index, spans, items: [] }));
}

function itemSpan(item) {
  const over = item.ended_at !== null;
  const state = over ? "running" : item.status;
  return { state, from: Date.parse(item.started_at), to: over ? Date.parse(item.ended_at) : null, attempt: item.attempt, outcome: over ? item.status : undefined };
}

function timed(span, more) {
  const { state, attempt, outcome, error, waits_for: waits } = span;
  return { state, attempt, outcome, error, waits, from: Date.parse(span.started_at), to: span.ended_at === null ? null : Date.parse(span.ended_at), ...more };
}

const byTime = (one, other) => one.from - other.from;

/** What is drawn of a span: its look by state and outcome. */
export function lookOf(span) {
  // What came before a wait of the step has an end and no outcome: it runs no more.
  if (span.state === "running") return span.outcome ?? (span.to === null ? "running" : "completed");
  return span.state;
}

const WORDS = { queued: "in the queue", retrying: "pause before the next attempt", waiting: "waits", paused: "paused", running: "runs", completed: "ran" };
const WAITS = { sleep: "until a time", thread: "for its sub-workflow", gate: "for an answer", message: "for a message", signal: "for a signal", time: "until a time", answer: "for an answer" };

/** A span in words, without its times. */
export function told(span) {
  const what = span.state === "running" && span.outcome ? { lost: "lost with its process" }[span.outcome] ?? span.outcome : (WORDS[lookOf(span)] ?? span.state);
  const parts = [span.waits ? `${what} ${WAITS[span.waits] ?? `for ${span.waits}`}` : what];
  if (span.attempt && (span.attempt > 1 || span.state === "retrying")) parts.push(span.state === "retrying" ? `before attempt ${span.attempt}` : `attempt ${span.attempt}`);
  if (span.error) parts.push(`after ${span.error.kind}`);
  if (span.left) parts.push("an earlier run");
  return parts.join(", ");
}
