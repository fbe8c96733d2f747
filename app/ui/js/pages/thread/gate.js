// The questions of a step: what is asked, what there is to look at, the form of the answer; and those that have theirs.
import { html, useComputed, useEffect, useRef, useState } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { listen } from "../../lib/feed.js";
import { useResource } from "../../lib/resource.js";
import { useStyle } from "../../lib/style.js";
import { paced } from "../../lib/pace.js";
import { plural, shortId } from "../../lib/words.js";
import { Ago, Button } from "../../kit/bits.js";
import { Empty, Face } from "../../kit/faces.js";
import { Answered } from "./gate/answered.js";
import { Question } from "./gate/question.js";

const SHOWN = 5; // questions that are open at once; the others wait as lines
const MOST = 500;

/** All questions of one step of a thread, those that wait first. */
export function GatePanel({ thread, step }) {
  const styled = useStyle("gate");
  const told = useComputed(() => thread.events.value.findLast((one) => one.step_id === step.id && /^(gate_|step_)/.test(one.event ?? one.name ?? ""))?.seq ?? 0);
  const gates = useResource((signal) => get(path`/invoke/gates/${thread.id}`, { params: { limit: MOST }, signal }), [thread.id, step.id]);
  useEffect(() => { if (gates.value.peek()) gates.reload(); }, [told.value, step.status, step.gate?.round]);
  const begun = useRef(new Set()); // forms that somebody has begun to fill in: they stay when their question is over
  const onBegun = (key, is) => begun.current[is ? "add" : "delete"](key);
  if (!styled) return null;
  return html`<div class="gate"><${Face} of=${gates} what="The questions could not be read">${(found) => {
    const mine = found.gates.filter((one) => one.step_id === step.id);
    const stays = (one) => one.status === "open" || begun.current.has(keyOf(one));
    const open = mine.filter(stays).toReversed();
    const over = mine.filter((one) => !stays(one));
    const shown = open.length ? 0 : 1;
    return html`<${Open} thread=${thread} gates=${open} again=${gates.reload} onBegun=${onBegun} />
      ${!mine.length && html`<p class="muted">This step has not asked yet.</p>`}
      ${over.slice(0, shown).map((one) => html`<${Answered} key=${keyOf(one)} gate=${one} />`)}
      ${over.length > shown && html`<${Earlier} gates=${over.slice(shown)} />`}`;
  }}<//></div>`;
}

function Earlier({ gates }) {
  const [open, setOpen] = useState(false);
  return html`<details class="earlier" open=${open} onToggle=${(event) => setOpen(event.target.open)}><summary>${plural(gates.length, "earlier question")}</summary>
    ${open && gates.slice(0, 100).map((one) => html`<${Answered} key=${keyOf(one)} gate=${one} />`)}</details>`;
}

const keyOf = (gate) => `${gate.thread_id}/${gate.step_id}/${gate.item}/${gate.round}/${gate.opened_at}`;

function Open({ thread, gates, again, onBegun }) {
  const [chosen, setChosen] = useState(null);
  const many = gates.length > SHOWN;
  const at = gates.find((one) => keyOf(one) === chosen) ?? gates[0];
  // However many there are, a question that stays keeps its place, and what is being written into it.
  return html`${many && html`<p class="muted">${plural(gates.length, "question")} wait for an answer.</p>
    <select aria-label="Which question" value=${keyOf(at)} onChange=${(event) => setChosen(event.target.value)}>${gates.map((one) => html`<option key=${keyOf(one)} value=${keyOf(one)}>${placeOf(one)} ${one.title ?? ""}</option>`)}</select>`}
    ${(many ? [at] : gates).map((one, index) => html`<${Question} key=${keyOf(one)} lead=${index === 0} thread=${thread} gate=${one} again=${again} alone=${gates.length === 1} onBegun=${(is) => onBegun(keyOf(one), is)} />`)}`;
}

function placeOf(gate) {
  return [gate.item !== null && `item ${gate.item}`, gate.round > 0 && `question ${gate.round + 1}`].filter(Boolean).join(", ") || gate.step_id;
}

/** The open questions of all threads, newest first; by the feed, without polling. */
export function OpenGates({ limit = 20, quiet = true }) {
  const styled = useStyle("gate");
  const [most, setMost] = useState(limit);
  const gates = useResource((signal) => get("/gates", { params: { limit: most }, signal }), [most]);
  useEffect(() => {
    const again = paced(() => gates.reload(), 2000);
    const stop = listen({ onEvents: (events) => { if (events.some((one) => /^(gate_|workflow_)/.test(one.event))) again(); }, onOpen: () => { if (gates.value.peek()) again(); } });
    return () => {
      stop();
      again.stop();
    };
  }, [gates]);
  if (!styled || (quiet && !gates.value.value?.gates.length)) return null;
  return html`<section class="sheet open-gates" aria-label="Open questions"><${Face} of=${gates}>${(found) => html`
    <header><h2>${found.gates.length ? `${found.next_cursor ? `${found.gates.length} or more` : found.gates.length} open ${found.gates.length === 1 ? "question" : "questions"}` : "Open questions"}</h2></header>
    ${!found.gates.length && html`<${Empty} title="Nobody is asked"><p>Steps that wait for an answer are listed here.</p><//>`}
    <ul>${found.gates.map((one) => html`<${Line} key=${keyOf(one)} gate=${one} />`)}</ul>
    ${found.next_cursor && html`<${Button} kind="quiet small" onClick=${() => setMost(Math.min(1000, most + 50))}>More<//>`}`}<//></section>`;
}

function Line({ gate }) {
  const where = `/threads/${encodeURIComponent(gate.thread_id)}?step=${encodeURIComponent(gate.step_id)}`;
  return html`<li><a href=${where}><strong class="cut">${gate.title ?? `${gate.step_id} asks`}</strong>
    <span class="muted cut">${gate.step_id}${gate.item === null ? "" : ` #${gate.item}`} of <span class="mono">${shortId(gate.thread_id)}</span>${gate.assignees.length ? ` · ${gate.assignees.join(", ")}` : ""}</span>
    <span class="faint"><${Ago} at=${gate.opened_at} /></span>${gate.timeout_at ? html`<span class="faint">ends <${Ago} at=${gate.timeout_at} /></span>` : html`<span></span>`}</a></li>`;
}
