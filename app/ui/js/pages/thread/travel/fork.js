// The dialog that forks a thread at a version: up to twenty variants, each with other agents and variables; then where they are.
import { html, useMemo, useRef, useState } from "../../../lib/html.js";
import { path, post, send } from "../../../lib/api.js";
import { stringify } from "../../../lib/json.js";
import { useResource } from "../../../lib/resource.js";
import { useStyle } from "../../../lib/style.js";
import { plural, shortId } from "../../../lib/words.js";
import { Button, Field } from "../../../kit/bits.js";
import { Dialog } from "../../../kit/dialog.js";
import { Face, Loading } from "../../../kit/faces.js";
import { State } from "../../../kit/marks.js";
import { Agents, overridesOf, stepsOfAgents } from "./agents.js";
import { Context, contextOf, useContextAt } from "./context.js";
import { names } from "./plan.js";

const MOST = 20;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function Fork({ thread, version, close }) {
  useStyle("versions");
  const plan = useResource((signal) => post(path`/invoke/rollback/${thread.id}`, { to_version: version, dry_run: true }, { signal }), [thread.id, version]);
  const known = useContextAt(thread, version);
  const [variants, setVariants] = useState([{ name: "a", agents: [], context: [] }]);
  const [asked, setAsked] = useState({ resume: true, reason: "" });
  const [faults, setFaults] = useState([]);
  const [made, setMade] = useState(null);
  const key = useRef({ text: "", value: "" });

  const submit = async () => {
    setFaults([]);
    const told = variants.map((one) => ({ name: one.name, overrides: overridesOf(one.agents), context: contextOf(one.context) }));
    const body = stringify({ version, variants: told, resume: asked.resume, ...(asked.reason.trim() ? { reason: asked.reason.trim() } : {}) });
    if (key.current.text !== body) key.current = { text: body, value: `page-${Date.now()}-${Math.random().toString(36).slice(2)}` };
    try {
      setMade(await send("POST", path`/invoke/fork/${thread.id}`, body, { headers: { "idempotency-key": key.current.value } }));
    } catch (error) {
      setFaults(error.problems ?? []);
      throw error;
    }
    thread.tree.reload();
    return false;
  };

  if (made) return html`<${Made} thread=${thread} made=${made} close=${close} />`;
  const change = (at, changes) => setVariants(variants.map((one, index) => (index === at ? { ...one, ...changes } : one)));
  const wrong = variants.map((one, at) => nameFault(one.name, variants) ?? faults.find((fault) => fault.pointer === `/variants/${at}/name`)?.message);
  return html`<${Dialog} title=${`Fork from v${version}`} close=${close} submit=${submit} action=${`Make ${plural(variants.length, "thread")}`} disabled=${!plan.value.value || wrong.some(Boolean)} wide>
    <${Face} of=${plan} what=${`No fork from v${version}`} loading=${html`<${Loading} what="Asking what would run" />`}>${(found) => html`
      <${Runs} thread=${thread} found=${found} count=${variants.length} />
      ${variants.map((one, at) => html`<${Variant} key=${at} at=${at} thread=${thread} one=${one} fault=${wrong[at]} faults=${faults} found=${found} known=${known} onChange=${(changes) => change(at, changes)}
        onDrop=${variants.length > 1 ? () => setVariants(variants.filter((_, index) => index !== at)) : null} />`)}
      <div><${Button} kind="small" icon="plus" disabled=${variants.length >= MOST} onClick=${() => setVariants([...variants, { name: freeName(variants), agents: [], context: [] }])}>Another variant<//></div>
      <fieldset class="plain"><legend class="visually-hidden">How</legend>
        <label class="check"><input type="radio" name="resume" checked=${asked.resume} onChange=${() => setAsked({ ...asked, resume: true })} />Run on at once</label>
        <label class="check"><input type="radio" name="resume" checked=${!asked.resume} onChange=${() => setAsked({ ...asked, resume: false })} />Leave them paused</label></fieldset>
      <${Field} id="fork-reason" label="Reason"><input id="fork-reason" type="text" maxlength="500" value=${asked.reason} onInput=${(event) => setAsked({ ...asked, reason: event.target.value })} /><//>`}<//>
  <//>`;
}

function nameFault(name, variants) {
  if (!NAME.test(name)) return "1 to 128 letters, digits, . _ -";
  return variants.filter((one) => one.name === name).length > 1 ? "Two variants have this name." : null;
}

function freeName(variants) {
  const taken = new Set(variants.map((one) => one.name));
  return [..."abcdefghijklmnopqrstuvwxyz"].find((one) => !taken.has(one)) ?? `v${variants.length + 1}`;
}

/** What each of the threads will do. */
function Runs({ thread, found, count }) {
  const nodes = new Map((thread.definition.value.value?.graph?.nodes ?? []).map((one) => [one.id, one]));
  const never = useMemo(() => found.runs_again.filter((step) => nodes.get(step)?.effect === "irreversible"), [found]);
  const each = count === 1 ? "The new thread begins" : `Each of the ${count} new threads begins`;
  return html`<p>${each} with all that this one held at v${found.to_version}. This thread stays as it is.</p><ul class="plan">
    ${never.length > 0 && html`<li class="never"><strong>${plural(never.length, "step")} cannot be undone once done:</strong> ${names(never)}${count > 1 ? `, ${count} times in all` : ""}.</li>`}
    <li><strong>${found.runs_again.length ? `${plural(found.runs_again.length, "step")} ${found.runs_again.length === 1 ? "runs" : "run"}${count > 1 ? " in each" : ""}` : "Nothing runs"}</strong>${found.runs_again.length ? html`: ${names(found.runs_again)}.` : `: v${found.to_version} is an end. Nothing can be changed there; fork an earlier version for that.`}</li>
    ${found.kept.length > 0 && html`<li><strong>${plural(found.kept.length, "step")} ${found.kept.length === 1 ? "is" : "are"} taken over:</strong> ${names(found.kept)}.</li>`}</ul>`;
}

function Variant({ at, thread, one, fault, faults, found, known, onChange, onDrop }) {
  const steps = stepsOfAgents(thread.definition.value.value, found.runs_again);
  const wrong = (step) => faults.find((each) => each.pointer.startsWith(`/variants/${at}/overrides/${step}/`))?.message;
  return html`<fieldset class="variant"><legend>Variant ${at + 1}</legend>
    <div class="row"><${Field} id=${`variant-${at}`} label="Name" fault=${fault}><input id=${`variant-${at}`} type="text" value=${one.name} spellcheck=${false} aria-invalid=${Boolean(fault)} onInput=${(event) => onChange({ name: event.target.value.trim() })} /><//>
      <span class="grow"></span>${onDrop && html`<${Button} kind="quiet small" icon="close" label=${`Without variant ${one.name}`} onClick=${onDrop} />`}</div>
    ${steps.length > 0 && html`<div class="field"><span class="label">Agents</span><${Agents} id=${`variant-${at}-agents`} steps=${steps} rows=${one.agents} onChange=${(agents) => onChange({ agents })} fault=${wrong} /></div>`}
    ${found.runs_again.length > 0 && html`<div class="field"><span class="label">Variables</span><${Context} id=${`variant-${at}-context`} known=${known} rows=${one.context} onChange=${(context) => onChange({ context })} /></div>`}
  </fieldset>`;
}

/** Where they are, and how to compare them. */
function Made({ thread, made, close }) {
  const compare = (a, b) => `/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`;
  const [first, second] = made.forks;
  return html`<${Dialog} title=${`${plural(made.forks.length, "thread")} forked from v${made.version}`} close=${close}
    beside=${second && html`<a class="button" href=${compare(first.thread_id, second.thread_id)} onClick=${close}>Compare ${first.variant} with ${second.variant}</a>`}>
    ${made.failed.map((one) => html`<p class="note wrong" key=${one.variant}>${one.variant} was not made: ${one.detail}</p>`)}
    <table class="made"><tbody>${made.forks.map((one) => html`<tr key=${one.thread_id}><td><strong>${one.variant}</strong></td><td><a class="link mono" href=${`/threads/${encodeURIComponent(one.thread_id)}`} onClick=${close}>${shortId(one.thread_id)}</a></td>
      <td><${State} state=${one.status} /></td><td class="right"><a class="link" href=${compare(thread.id, one.thread_id)} onClick=${close}>Compare with this thread</a></td></tr>`)}</tbody></table>
  <//>`;
}
