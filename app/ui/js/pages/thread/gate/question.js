// One question that waits: shown, answered by its form, and told when somebody else was first.
import { html, useId, useState } from "../../../lib/html.js";
import { get, path, post } from "../../../lib/api.js";
import { keepValue, kept } from "../../../lib/prefs.js";
import { useResource } from "../../../lib/resource.js";
import { Ago, Field } from "../../../kit/bits.js";
import { Face } from "../../../kit/faces.js";
import { SchemaForm, useForm } from "../../../kit/form.js";
import { say } from "../../../kit/toast.js";
import { stringify } from "../../../lib/json.js";
import { Answered } from "./answered.js";
import { Shown } from "./shown.js";

/** `gate` as lists have it: what it shows is fetched whole. */
export function Question({ thread, gate, again, alone = true }) {
  const params = { item: gate.item, round: gate.round };
  const whole = useResource((signal) => get(path`/invoke/gates/${gate.thread_id}/${gate.step_id}`, { params, signal }), [gate.thread_id, gate.step_id, gate.item, gate.round, gate.opened_at]);
  return html`<section class="question" data-state="waiting" aria-label=${gate.title ?? `Question of ${gate.step_id}`}>
    <h3>${gate.title ?? "An answer is wanted"}</h3>
    <p class="muted small">${gate.item === null ? "" : `Item ${gate.item}. `}${gate.round > 0 || !alone ? `Question ${gate.round + 1}. ` : ""}${gate.assignees.length ? `For ${gate.assignees.join(", ")}. ` : ""}Asked <${Ago} at=${gate.opened_at} />. <${Until} thread=${thread} gate=${gate} /></p>
    <${Face} of=${whole} what="The question could not be read">${(found) => html`
      ${found.show !== null && html`<${Shown} value=${found.show} />`}
      ${found.status === "open" ? html`<${Form} gate=${found} again=${again} />` : html`<${Answered} gate=${found} />`}`}<//>
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

function Form({ gate, again }) {
  const id = useId();
  const form = useForm({ schema: gate.form ?? undefined, id: `${id}-answer`, label: "Answer",
    remember: `answer ${gate.thread_id} ${gate.step_id} ${gate.item} ${gate.round} ${gate.opened_at}` });
  const [by, setBy] = useState(kept("by", ""));
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const [first, setFirst] = useState(null); // the answer that stands
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
      again();
    } catch (error) {
      if (error.code === "gate_answered") {
        setFirst({ ...gate, ...error.more, status: "answered" });
        say(`Not counted: ${error.more.answered_by ?? "somebody"} was first, and that answer stands.`, { wrong: true });
      }
      else if (error.code === "invalid_input" && form.refused(error)) return;
      else setFault(error.detail ?? String(error));
    } finally {
      setBusy(false);
    }
  };
  if (first) return html`<div class="note" role="alert"><p>Somebody was first. This answer stands:</p><${Answered} gate=${first} bare /></div>`;
  return html`<form class="answer" noValidate onSubmit=${submit}>
    <${SchemaForm} ...${form.props} />
    <${Field} id=${`${id}-by`} label="Who answers" hint="Kept in this browser; nobody checks it."><input id=${`${id}-by`} type="text" maxlength="200" autocomplete="name" value=${by} onInput=${(event) => setBy(event.target.value)} /><//>
    ${fault && html`<p class="note wrong" role="alert">${fault}</p>`}
    <div class="row"><button type="submit" class="button main" disabled=${busy} aria-busy=${busy || undefined}>Answer</button><span class="muted small">The first answer holds.</span></div>
  </form>`;
}
