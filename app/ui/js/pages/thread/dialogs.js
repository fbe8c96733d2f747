// Dialogs that let a thread go on in another way: skip a step with an output that is given, run again from a step on.
import { html, useEffect, useState } from "../../lib/html.js";
import { get, post, path } from "../../lib/api.js";
import { parse, stringify } from "../../lib/json.js";
import { plural } from "../../lib/words.js";
import { Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { say } from "../../kit/toast.js";

const DONE = new Set(["completed", "skipped"]);
const LONG = 8_000;

/** Skip a step with an output of one's own. */
export function skip(thread, step) {
  show((close) => html`<${Skip} thread=${thread} given=${step} close=${close} />`);
}

/** Run a step, and all that depends on it, again. */
export function again(thread, step) {
  show((close) => html`<${Again} thread=${thread} given=${step} close=${close} />`);
}

function Skip({ thread, given, close }) {
  const open = thread.status.value.steps.filter((one) => !DONE.has(one.status)).map((one) => one.id);
  const [step, setStep] = useState(open.includes(given) ? given : (open[0] ?? ""));
  const [text, setText] = useState("null");
  const [touched, setTouched] = useState(false);
  useEffect(() => {
    if (touched) return;
    earlier(thread.id, step).then((found) => { if (found !== null) setText(found); }, () => {});
  }, [step]);
  const fault = faultOf(text);
  const submit = async () => {
    await post(path`/invoke/resume/${thread.id}`, `{"skip": {${JSON.stringify(step)}: ${text}}}`);
    say(`${step} is skipped; the thread goes on.`);
    thread.reload();
  };
  return html`<${Dialog} title="Skip a step with an output of yours" close=${close} submit=${submit} action=${step ? `Skip ${step}` : "Skip"} disabled=${Boolean(fault) || !step}>
    <p>The step does not run. What comes after it sees this output in its place, and the thread goes on at once.</p>
    <${Field} id="skip-step" label="Step"><select id="skip-step" value=${step} onChange=${(event) => setStep(event.target.value)}>${open.map((id) => html`<option key=${id} value=${id}>${id}</option>`)}</select><//>
    <${Field} id="skip-output" label="Output" hint="JSON. A text stands in quotes." fault=${fault}>
      <textarea id="skip-output" autofocus class="mono" rows="9" spellcheck=${false} value=${text} aria-invalid=${Boolean(fault) || undefined} aria-describedby="skip-output~hint"
        onInput=${(event) => { setTouched(true); setText(event.target.value); }}></textarea><//>
  <//>`;
}

function faultOf(text) {
  if (!text.trim()) return "An output is needed; null is one.";
  try {
    parse(text);
    return null;
  } catch (error) {
    return `This is no JSON: ${error.message}`;
  }
}

/** What the step gave in an earlier run, as a beginning. */
async function earlier(thread, step) {
  if (!step) return null;
  const { runs } = await get(path`/invoke/steps/${thread}/${step}`, { params: { values: "false" } });
  const run = runs.find((one) => one.status === "completed");
  if (!run) return null;
  const sizes = await get(path`/invoke/steps/${thread}/${step}`, { params: { run_id: run.id, values: "false" } });
  if ((sizes.output_bytes ?? 0) + (sizes.input_bytes ?? 0) > LONG) return null;
  const { output } = await get(path`/invoke/steps/${thread}/${step}`, { params: { run_id: run.id } });
  return stringify(output, 2);
}

function Again({ thread, given, close }) {
  const steps = thread.status.value.steps.filter((one) => one.status !== "pending").map((one) => one.id);
  const [step, setStep] = useState(steps.includes(given) ? given : (steps[0] ?? ""));
  const [plan, setPlan] = useState(null);
  const ask = () => post(path`/invoke/resume/${thread.id}`, { from_step: step, dry_run: true });
  useEffect(() => {
    let wanted = true;
    setPlan(null);
    ask().then((found) => wanted && setPlan(found), (error) => wanted && setPlan(error));
    return () => { wanted = false; };
  }, [step]);
  const submit = async () => {
    const now = await ask(); // only what has been shown is done
    if (stringify(now) !== stringify(plan)) {
      setPlan(now);
      throw new Error("The thread has moved on meanwhile: nothing has been changed. This is what would happen now.");
    }
    await post(path`/invoke/resume/${thread.id}`, { from_step: step, expected_version: plan.resumed_from_version });
    say(`${plural(plan.would_run.length, "step")} run${plan.would_run.length === 1 ? "s" : ""} again, from ${step} on.`);
    thread.reload();
  };
  const ready = plan && !(plan instanceof Error);
  return html`<${Dialog} title="Run again from a step" close=${close} submit=${submit} disabled=${!ready} kind=${ready && plan.irreversible.length ? "danger main" : "main"}
    action=${ready ? `Run ${plural(plan.would_run.length, "step")}` : "Run again"}>
    <p>The step and all that depends on it run again; what else has completed is kept. Nothing is lost: the earlier versions stay in the history.</p>
    <${Field} id="again-step" label="From"><select id="again-step" autofocus value=${step} onChange=${(event) => setStep(event.target.value)}>${steps.map((id) => html`<option key=${id} value=${id}>${id}</option>`)}</select><//>
    <${Plan} plan=${plan} />
  <//>`;
}

function Plan({ plan }) {
  if (plan === null) return html`<p class="muted" role="status">Asking what would run…</p>`;
  if (plan instanceof Error) return html`<p class="note wrong" role="alert">${plan.detail ?? plan.message}</p>`;
  const names = (list) => `${list.slice(0, 12).join(", ")}${list.length > 12 ? ` and ${list.length - 12} more` : ""}`;
  return html`<dl class="facts" aria-live="polite">
    ${plan.compensations.length > 0 && html`<dt>First undone</dt><dd>${names(plan.compensations.map((one) => one.replace(/\.undo$/, "")))}</dd>`}
    <dt>Would run</dt><dd>${plan.would_run.length ? names(plan.would_run) : "nothing"}</dd>
    <dt>Kept</dt><dd>${plan.kept.length ? names(plan.kept) : "nothing"}</dd>
    ${plan.again.length > 0 && html`<dt>Done once more</dt><dd>${names([...new Set(plan.again.map((one) => one.step_id))])}</dd>`}
  </dl>
  ${plan.irreversible.length > 0 && html`<p class="note wrong">${plural(plan.irreversible.length, "step")} that cannot be undone ${plan.irreversible.length === 1 ? "was" : "were"} done already and would be done once more: <strong>${names(plan.irreversible)}</strong>.</p>`}`;
}
