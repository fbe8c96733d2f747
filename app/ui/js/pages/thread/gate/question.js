// One question that waits: shown, answered by its form, and told when somebody else was first.
import { html, useEffect, useId, useRef, useState } from "../../../lib/html.js";
import { get, path, post } from "../../../lib/api.js";
import { keepValue, kept } from "../../../lib/prefs.js";
import { useResource } from "../../../lib/resource.js";
import { Ago, Button, Field } from "../../../kit/bits.js";
import { Face } from "../../../kit/faces.js";
import { SchemaForm, useForm, useSubmitKey } from "../../../kit/form.js";
import { Unreadable } from "../../../kit/form/schema.js";
import { say } from "../../../kit/toast.js";
import { stringify } from "../../../lib/json.js";
import { answering } from "../selection.js";
import { Answered } from "./answered.js";
import { Shown } from "./shown.js";

/** `gate` as lists have it: what it shows is fetched whole. `lead`: it is the first of those that wait. `onBegun(bool)` is told whether something stands in its form that was not sent. */
export function Question({ thread, gate, again, onBegun, alone = true, lead = false }) {
  const params = { item: gate.item, round: gate.round };
  const whole = useResource((signal) => get(path`/invoke/gates/${gate.thread_id}/${gate.step_id}`, { params, signal }), [gate.thread_id, gate.step_id, gate.item, gate.round, gate.opened_at]);
  return html`<section class="question" data-state="waiting" aria-label=${gate.title ?? `Question of ${gate.step_id}`}>
    <h3>${gate.title ?? "An answer is wanted"}</h3>
    <p class="muted small">${gate.item === null ? "" : `Item ${gate.item}. `}${gate.round > 0 || !alone ? `Question ${gate.round + 1}. ` : ""}${gate.assignees.length ? `For ${gate.assignees.join(", ")}. ` : ""}Asked <${Ago} at=${gate.opened_at} />. ${gate.status === "open" && html`<${Until} thread=${thread} gate=${gate} />`}</p>
    <${Face} of=${whole} what="The question could not be read">${(found) => html`
      ${found.show !== null && html`<${Shown} value=${found.show} />`}
      ${found.status === "open" ? html`<${Form} gate=${found} lead=${lead} over=${gate.status === "open" ? null : gate} again=${again} onBegun=${onBegun} />` : html`<${Answered} gate=${found} />`}`}<//>
  </section>`;
}

function Until({ thread, gate }) {
  if (!gate.timeout_at) return "It waits for as long as it takes.";
  const step = thread.definition.value.value?.document?.steps?.find((one) => one.id === gate.step_id);
  const then = step?.gate && ("on_timeout" in step.gate ? html`counts <code>${short(step.gate.on_timeout)}</code>` : "the step fails");
  return html`Its time ends <${Ago} at=${gate.timeout_at} />${then && html`; then ${then}`}.`;
}

function short(value) {
  const text = stringify(value) ?? "";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** `over`: the gate as it ended meanwhile. */
function Form({ gate, lead, over, again, onBegun }) {
  const ref = useRef(null);
  const id = useId();
  const form = useForm({ schema: gate.form ?? undefined, id: `${id}-answer`, label: "Answer",
    remember: `answer ${gate.thread_id} ${gate.step_id} ${gate.item} ${gate.round} ${gate.opened_at}` });
  const [by, setBy] = useState(kept("by", ""));
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const [first, setFirst] = useState(null); // the answer that stands, as the refusal of this one tells it
  useEffect(() => onBegun(form.begun), [form.begun]);
  const submit = async (event) => {
    event.preventDefault();
    const taken = form.take();
    if (busy || !taken) return;
    setBusy(true);
    setFault(null);
    try {
      const who = by.trim();
      await post(path`/invoke/gates/${gate.thread_id}/${gate.step_id}`, { answer: taken.value ?? null, round: gate.round, ...(gate.item === null ? {} : { item: gate.item }), ...(who ? { by: who } : {}), via: "page" });
      form.done();
      keepValue("by", who);
      say("Answered.");
      onBegun(false);
      again();
    } catch (error) {
      if (error.code === "gate_answered") {
        onBegun(true);
        setFirst({ ...gate, ...error.more, status: "answered" });
      } else if (error.code === "invalid_input" && form.refused(error)) return;
      else setFault(error.detail ?? String(error));
    } finally {
      setBusy(false);
    }
  };
  useSubmitKey(() => ref.current.requestSubmit(), ref);
  const leave = () => {
    form.done();
    onBegun(false);
    again();
  };
  if (first ?? over) return html`<${Late} gate=${first ?? over} entered=${form.begun ? form.value : undefined} leave=${leave} />`;
  return html`<form class="answer" noValidate ref=${ref} onSubmit=${submit}>
    <${SchemaForm} ...${form.props} first=${lead && answering.value?.step === gate.step_id ? answering.value : null} />
    <${Field} id=${`${id}-by`} label="Who answers" hint="Kept in this browser; nobody checks it."><input id=${`${id}-by`} type="text" maxlength="200" autocomplete="name" value=${by} onInput=${(event) => setBy(event.target.value)} /><//>
    ${fault && html`<p class="note wrong" role="alert">${fault}</p>`}
    <div class="row"><button type="submit" class="button main" disabled=${busy} aria-busy=${busy || undefined}>Answer</button><span class="muted small">or <kbd>Ctrl</kbd> <kbd>Enter</kbd>. The first answer holds.${gate.form ? "" : " Nothing written counts as null."}</span></div>
  </form>`;
}

/** The question ended while its form was filled in: how, and what was entered, which nobody has got. */
function Late({ gate, entered, leave }) {
  const first = gate.status === "answered" && gate.via !== "timeout";
  const note = useRef(null);
  useEffect(() => { if (document.activeElement === document.body) note.current.focus(); }, []); // its field is gone
  return html`<div class="note" role="alert" tabindex="-1" ref=${note}>
    <p>${first ? "Somebody was first. This answer stands:" : gate.status === "closed" ? "It was closed, and waits no more." : `Its time was over${gate.status === "answered" ? "; this counts:" : "."}`}</p>
    <${Answered} gate=${gate} bare />
    ${entered !== undefined && html`<p>What you entered was not sent:</p><${Shown} value=${entered instanceof Unreadable ? entered.text : entered} />`}
    <${Button} kind="small" onClick=${leave}>Close<//></div>`;
}
