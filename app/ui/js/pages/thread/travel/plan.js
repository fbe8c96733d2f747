// What a rollback would do, as its dry run tells: in numbers, then by name.
import { html } from "../../../lib/html.js";
import { plural } from "../../../lib/words.js";
import { State } from "../../../kit/marks.js";

const EFFECT = { none: "changes nothing outside", idempotent: "harmless when done twice", irreversible: "cannot be undone" };
const STILL = new Set(["gate", "wait_for", "sleep"]);
const MANY = 12;
const OPEN = new Set(["running", "retrying"]);

/** Names with the rest counted: "a, b, c and 40 more". */
export function names(list, most = MANY) {
  return list.length > most ? `${list.slice(0, most - 2).join(", ")} and ${list.length - most + 2} more` : list.join(", ");
}

/** The steps that have begun at any time, on whichever timeline: a plan knows those of the present one alone. `timeline` as the API tells it; null where that is not known. */
export function begunIn(timeline) {
  if (!timeline?.whole) return null;
  return new Set(timeline.steps.filter((run) => run.spans.some((span) => span.state !== "queued")).map((run) => run.step_id));
}

/** Steps that cannot be undone, would run, and are not among those that the plan counts: `{before, first}`, by whether they had begun at any time. */
export function dangerous(plan, nodes, begun) {
  const never = new Set(nodes.filter((one) => one.effect === "irreversible").map((one) => one.id));
  const rest = plan.runs_again.filter((one) => never.has(one) && !plan.irreversible.includes(one));
  return { before: rest.filter((one) => begun?.has(one)), first: rest.filter((one) => !begun?.has(one)) };
}

/** The plan with the steps that are `undone` first; `nodes` are those of the workflow's graph: a gate or a wait changes nothing outside. `begun` as of `begunIn`. */
export function Plan({ plan, undone, nodes, begun }) {
  const still = new Set(nodes.filter((one) => STILL.has(one.kind)).map((one) => one.id));
  const running = plan.undone.filter((one) => OPEN.has(one.status));
  const steps = [...new Set(plan.undone.map((one) => one.step_id))];
  const undeclared = [...new Set(plan.undone.filter((one) => one.effect === null && one.status === "completed" && !still.has(one.step_id)).map((one) => one.step_id))];
  const done = new Set([...steps, ...(begun ?? [])]);
  const again = plan.runs_again.filter((one) => done.has(one));
  const first = plan.runs_again.filter((one) => !done.has(one));
  const risk = dangerous(plan, nodes, begun);
  return html`<ul class="plan">
    ${plan.irreversible.length > 0 && html`<li class="never"><strong>${plural(plan.irreversible.length, "step")} cannot be undone:</strong> ${names(plan.irreversible)}. What ${plan.irreversible.length === 1 ? "it has" : "they have"} done outside stays done${again.some((one) => plan.irreversible.includes(one)) ? ", and is done once more" : ""}.</li>`}
    ${risk.before.length > 0 && html`<li class="never"><strong>${plural(risk.before.length, "step")} that cannot be undone ran before</strong>, without success or on a timeline that was left, and ${risk.before.length === 1 ? "runs" : "run"} once more: ${names(risk.before)}.</li>`}
    ${undone.length > 0 && html`<li><strong>First ${plural(undone.length, "step")} ${undone.length === 1 ? "is" : "are"} undone${undone.length > 1 ? ", one after the other" : ""}:</strong> ${names(undone)}.</li>`}
    ${again.length > 0 && html`<li><strong>${plural(again.length, "step")} ${again.length === 1 ? "runs" : "run"} again:</strong> ${names(again)}.</li>`}
    ${first.length > 0 && html`<li><strong>${plural(first.length, "step")} ${first.length === 1 ? "runs" : "run"}${begun ? " for the first time" : " as well"}:</strong> ${names(first)}.${risk.first.length > 0 ? ` What is done by ${names(risk.first)} cannot be undone.` : ""}</li>`}
    ${!plan.runs_again.length && html`<li><strong>Nothing runs${plan.status === "completed" ? `: v${plan.to_version} is an end, the thread is completed there` : ""}.</strong></li>`}
    ${plan.kept.length > 0 && html`<li><strong>${plural(plan.kept.length, "step")} ${plan.kept.length === 1 ? "is" : "are"} kept:</strong> ${names(plan.kept)}.</li>`}
    ${running.length > 0 && html`<li><strong>${plural(running.length, "step")} ${running.length === 1 ? "is" : "are"} running and will be stopped:</strong> ${names(running.map((one) => one.step_id))}.</li>`}
    ${steps.length > 0 && html`<li><strong>${plural(plan.undone.length, "step run")} ${plan.undone.length === 1 ? "counts" : "count"} no more:</strong> ${names(steps)}. The versions stay in the tree.</li>`}
    ${undeclared.length > 0 && html`<li class="muted">${undeclared.length === 1 ? "One of these does" : `${undeclared.length} of these do`} not declare what ${undeclared.length === 1 ? "it changes" : "they change"} outside: ${names(undeclared)}.</li>`}
  </ul>
  ${plan.undone.length > 0 && html`<details class="undone"><summary>The ${plural(plan.undone.length, "step run")} in question</summary>
    <table><thead><tr><th>step</th><th>status</th><th>agent</th><th>outside</th></tr></thead><tbody>
      ${plan.undone.slice(0, 100).map((one) => html`<tr key=${one.run_id}><td>${one.step_id}</td><td><${State} state=${one.status} /></td><td>${one.agent ?? "–"}</td>
        <td class=${one.effect === "irreversible" ? "never" : "muted"}>${EFFECT[one.effect] ?? (still.has(one.step_id) ? EFFECT.none : "not declared")}${one.compensate ? ", has a compensation" : ""}</td></tr>`)}
    </tbody></table>${plan.undone.length > 100 && html`<p class="muted small">and ${plan.undone.length - 100} more</p>`}</details>`}`;
}
