// The dialog that rolls a thread back: asks the service first what would happen, says it, and does it only to what it has shown.
import { html, useState } from "../../../lib/html.js";
import { path, post } from "../../../lib/api.js";
import { stringify } from "../../../lib/json.js";
import { useResource } from "../../../lib/resource.js";
import { setQuery } from "../../../lib/route.js";
import { useStyle } from "../../../lib/style.js";
import { plural } from "../../../lib/words.js";
import { Field } from "../../../kit/bits.js";
import { Dialog } from "../../../kit/dialog.js";
import { Face, Loading } from "../../../kit/faces.js";
import { say } from "../../../kit/toast.js";
import { Agents, overridesOf, stepsOfAgents } from "./agents.js";
import { Context, contextOf, useContextAt } from "./context.js";
import { Plan, begunIn, dangerous } from "./plan.js";

/**
 * What would happen, with `undo` as well: what would be undone first if that is asked for. Without asking that may be some too:
 * those that an earlier rollback has left to be done.
 */
async function foreseen(thread, version, signal) {
  const ask = (more) => post(path`/invoke/rollback/${thread.id}`, { to_version: version, dry_run: true, ...more }, { signal });
  const plan = await ask({});
  const can = plan.undone.some((one) => one.compensate && one.status === "completed") && plan.status !== "completed";
  return { ...plan, undo: can ? (await ask({ compensate: true })).compensations : plan.compensations };
}

/** `editing`: it is asked for in order to change variables, which is a rollback too. */
export function Rollback({ thread, version, close, editing = false }) {
  useStyle("versions");
  const plan = useResource((signal) => foreseen(thread, version, signal), [thread.id, version]);
  const known = useContextAt(thread, version);
  const [asked, setAsked] = useState({ resume: true, compensate: false, reason: "", context: [], agents: [] });
  const [moved, setMoved] = useState(false);
  const [faults, setFaults] = useState([]);
  const set = (changes) => setAsked({ ...asked, ...changes });
  const told = plan.value.value;
  const nodes = thread.definition.value.value?.graph?.nodes ?? [];
  const begun = begunIn(thread.timeline.value.value);
  const undone = stepsOf((asked.compensate ? told?.undo : told?.compensations) ?? []);
  const ends = told?.status === "completed";
  const danger = told && (told.irreversible.length || dangerous(told, nodes, begun).before.length);

  const submit = async () => {
    const context = contextOf(asked.context);
    setFaults([]);
    setMoved(false);
    // What runs may have changed and the head not: only what has been shown is done.
    const now = await foreseen(thread, version);
    if (stringify(now) !== stringify(told)) {
      plan.value.value = now;
      setMoved(true);
      return false;
    }
    const body = { to_version: version, expected_version: told.from_version, resume: asked.resume, context, overrides: overridesOf(asked.agents) };
    if (asked.compensate) body.compensate = true;
    if (asked.reason.trim()) body.reason = asked.reason.trim();
    try {
      await post(path`/invoke/rollback/${thread.id}`, body);
    } catch (error) {
      setFaults(error.problems ?? []);
      if (error.code !== "version_conflict") throw error;
      setMoved(true);
      plan.reload();
      return false;
    }
    const after = undone.length ? ` Once ${plural(undone.length, "step")} ${undone.length === 1 ? "is" : "are"} undone it is left paused.` : " It is left paused.";
    say(`Rolled back to v${version} from v${told.from_version}.${asked.resume || ends ? "" : after}`);
    thread.reload();
    setQuery({ v: version, w: null });
    return true;
  };

  const title = editing ? `Edit the context at v${version}` : `Roll back to v${version}`;
  return html`<${Dialog} title=${title} close=${close} submit=${submit} action=${editing ? `Roll back to v${version} with these values` : `Roll back to v${version}`}
    kind=${danger ? "danger main" : "main"} disabled=${!told || plan.loading.value || (editing && !asked.context.length) || (editing && ends)} wide=${editing}>
    ${moved && html`<p class="note wrong" role="alert">The thread has moved on meanwhile: nothing has been changed. This is what would happen now.${thread.status.value.status === "running" ? " Pause it first if it moves on too fast." : ""}</p>`}
    <${Face} of=${plan} what=${`No rollback to v${version}`} loading=${html`<${Loading} what="Asking what would happen" />`}>${(found) => html`
      ${editing && html`<p>A version never changes. So this rolls the thread back to v${version} and goes on from there with other values; v${version} itself stays as it is.</p>
        ${ends ? html`<p class="note wrong">v${version} is an end: nothing runs after it that could see other values. Choose an earlier version.</p>` : html`<${Variables} id="edit" known=${known} asked=${asked} set=${set} open />`}`}
      <p>${found.from_version === found.to_version ? `The head stays at v${found.to_version}` : `The head moves from v${found.from_version} to v${found.to_version}`}. Nothing is deleted.</p>
      <${Plan} plan=${found} undone=${undone} nodes=${nodes} begun=${begun} />
      <${Options} found=${found} asked=${asked} set=${set} />
      ${!ends && !editing && html`<${Variables} id="set" known=${known} asked=${asked} set=${set} />`}
      <${OtherAgents} thread=${thread} found=${found} asked=${asked} set=${set} faults=${faults} />
      <${Field} id="rollback-reason" label="Reason" hint="Stands in the tree and in the log."><input id="rollback-reason" type="text" maxlength="500" value=${asked.reason} onInput=${(event) => set({ reason: event.target.value })} /><//>`}<//>
  <//>`;
}

/** The steps that compensations undo. */
function stepsOf(compensations) {
  return compensations.map((one) => one.replace(/\.undo$/, ""));
}

function Options({ found, asked, set }) {
  const more = found.undo.length - found.compensations.length;
  if (found.status === "completed") return null;
  return html`<fieldset class="plain"><legend class="visually-hidden">How</legend>
    ${more > 0 && html`<label class="check"><input type="checkbox" checked=${asked.compensate} onChange=${(event) => set({ compensate: event.target.checked })} />First undo what can be undone: ${plural(more, "compensation")}</label>`}
    <label class="check"><input type="radio" name="resume" checked=${asked.resume} onChange=${() => set({ resume: true })} />Go on from there at once</label>
    <label class="check"><input type="radio" name="resume" checked=${!asked.resume} onChange=${() => set({ resume: false })} />Leave it paused; what is to run waits until it is resumed</label>
  </fieldset>`;
}

function Variables({ id, known, asked, set, open = false }) {
  const body = html`<${Context} id=${`${id}-context`} known=${known} rows=${asked.context} onChange=${(context) => set({ context })} />`;
  if (open) return html`<div class="field"><span class="label">Variables</span>${body}</div>`;
  return html`<details class="more"><summary>Set variables${asked.context.length ? ` (${asked.context.length})` : ""}</summary>${body}</details>`;
}

function OtherAgents({ thread, found, asked, set, faults }) {
  const steps = stepsOfAgents(thread.definition.value.value, found.runs_again);
  if (!steps.length) return null;
  const fault = (step) => faults.find((one) => one.pointer.startsWith(`/overrides/${step}/`))?.message;
  return html`<details class="more" open=${faults.length > 0}><summary>Other agents${asked.agents.length ? ` (${asked.agents.length})` : ""}</summary>
    <${Agents} id="rollback-agents" steps=${steps} rows=${asked.agents} onChange=${(agents) => set({ agents })} fault=${fault} /></details>`;
}
