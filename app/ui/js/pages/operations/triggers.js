// The triggers: which messages start which workflow, and what came of the last ones.
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get, path, post, send } from "../../lib/api.js";
import { typed } from "../../lib/fault.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { Ago, Button, CodeLine } from "../../kit/bits.js";
import { Dialog, confirm, show } from "../../kit/dialog.js";
import { Empty, Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";
import { JsonTree } from "../../kit/tree.js";

const EVERY = 15_000;
const MOST = 1000; // there can be no more
const OUTCOME = { started: "completed", duplicate: "skipped", waiting: "waiting", failed: "failed" };

export default function Triggers() {
  const found = useResource((signal) => get("/triggers", { params: { limit: MOST }, signal }), []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found}>${({ triggers }) => (triggers.length === 0 ? html`<${First} />` : html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>
    <th>Trigger</th><th>Messages of</th><th>If</th><th>Last</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
    <tbody>${triggers.map((one) => html`<${Row} key=${one.name} one=${one} done=${found.reload} />`)}</tbody></table></div>`)}<//>`;
}

function Row({ one, done }) {
  return html`<tr><td><b>${one.name}</b>
    <span class="sub">starts <a class="link" href=${`/workflows/${encodeURIComponent(one.workflow.split("@")[0])}`}>${one.workflow}</a>${one.description
      && ` · ${one.description}`}</span></td>
    <td><code>${one.topic}</code></td><td>${one.condition ? html`<code>${one.condition}</code>` : html`<span class="faint">always</span>`}</td>
    <td>${!one.enabled && html`<${State} state="paused">off<//> `}<${Last} name=${one.name} /></td>
    <td class="acts"><${Button} kind="small" onClick=${() => show((close) => html`<${Test} one=${one} close=${close} />`)}>Test…<//>
      <${Button} kind="small" onClick=${() => turn(one, done)}>${one.enabled ? "Turn off…" : "Turn on"}<//></td></tr>`;
}

/** What came of its last message: asked for only while it is in view, for there may be a thousand triggers. */
function Last({ name }) {
  const place = useRef(null);
  const [seen, setSeen] = useState(false);
  const [asked, setAsked] = useState({});
  useEffect(() => {
    const watch = new IntersectionObserver((all) => setSeen(all.at(-1).isIntersecting));
    watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  const look = async () => {
    if (!seen) return;
    await get(path`/triggers/${name}/firings`, { params: { limit: 1 } }).then(({ firings: [last = null] }) => setAsked({ last }), (problem) => setAsked({ problem }));
  };
  useEffect(() => void look(), [name, seen]);
  useEvery(EVERY, look, [name, seen]);
  return html`<span ref=${place}>${asked.problem ? html`<span class="wrong">could not be read</span>` : asked.last === undefined ? "…"
    : asked.last === null ? html`<span class="faint">nothing yet</span>` : html`<${Came} last=${asked.last} />`}</span>`;
}

function Came({ last }) {
  return html`<${State} state=${OUTCOME[last.outcome] ?? "pending"}>${last.thread_id
    ? html`<a class="link" href=${`/threads/${encodeURIComponent(last.thread_id)}`}>${last.outcome}</a>` : last.outcome}<//> <span class="faint">
    <${Ago} at=${last.at} /></span>${last.error && html`<span class="sub wrong">${last.error.message}</span>`}`;
}

function turn(one, done) {
  const run = async () => {
    await send("PATCH", path`/triggers/${one.name}`, { enabled: !one.enabled });
    say(`${one.name} is ${one.enabled ? "off" : "on"}.`);
    done();
  };
  if (!one.enabled) return void run().catch((error) => complain(error, "Turn on"));
  confirm({ title: `Turn ${one.name} off?`, text: "It acts on no message until it is turned on again; messages that come meanwhile start nothing, also not later.",
    action: "Turn off", kind: "danger main", run });
}

function Test({ one, close }) {
  const [text, setText] = useState('{\n  "example": true\n}');
  const [fault, setFault] = useState(null);
  const [came, setCame] = useState(null);
  const submit = async () => {
    const { value, fault: wrong } = typed(text);
    setFault(wrong ?? null);
    if (!wrong) setCame(await post(path`/triggers/${one.name}/test`, { message: { topic: one.topic.replace(/\*/g, "test").replace(/>$/, "test"), data: value } }));
    return false;
  };
  return html`<${Dialog} title=${`What would ${one.name} make of a message?`} close=${close} submit=${submit} action="Test" wide>
    <p class="muted">Nothing is started. The message is of the topic <code>${one.topic}</code>.</p>
    <textarea class="mono document" rows="7" aria-label="The data of the message, as JSON" value=${text} spellcheck=${false}
      onInput=${(event) => setText(event.target.value)}></textarea>
    ${fault && html`<p class="faults" role="alert">${fault}</p>`}
    ${came && html`<p role="status">
      <${State} state=${came.starts ? "completed" : came.problems.length ? "failed" : "skipped"}>${came.starts
        ? `It would start ${one.workflow}.` : came.problems.length ? "It would fail." : "It would start nothing."}<//></p>
      <${JsonTree} value=${came} name="test" height=${220} />`}<//>`;
}

function First() {
  const line = `curl -s ${location.origin}/api/triggers -d '{"name": "check-large-orders", "topic": "orders.created", "condition": "message.data.total > 100",
    "workflow": "check-order"}'`;
  return html`<${Empty} title="No triggers yet"><p>A trigger starts a workflow when a message of its topic comes and its condition holds.</p>
    <${CodeLine} text=${line} /><//>`;
}
