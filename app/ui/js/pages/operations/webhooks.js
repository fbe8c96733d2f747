// The webhooks: who is told of events, those that fail first; test one, and send again what has failed.
import { html, useState } from "../../lib/html.js";
import { get, path, post, send } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { clock, duration, plural } from "../../lib/words.js";
import { Ago, Button, CodeLine, Field } from "../../kit/bits.js";
import { Dialog, confirm, show } from "../../kit/dialog.js";
import { Empty, Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";

const EVERY = 15_000;
const STATE = { delivered: "completed", pending: "waiting", failed: "failed" };
const rank = (one) => (!one.enabled && one.disabled_reason ? 0 : one.failing_since ? 1 : one.enabled ? 2 : 3);

export default function Webhooks() {
  const found = useResource((signal) => get("/webhooks", { params: { limit: 100 }, signal }), []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found}>${({ webhooks }) => (webhooks.length === 0 ? html`<${First} />` : html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>
    <th>Endpoint</th><th>Is told of</th><th>State</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
    <tbody>${webhooks.toSorted((one, other) => rank(one) - rank(other)).map((one) => html`<${Row} key=${one.id} one=${one}
      done=${found.reload} />`)}</tbody></table></div>`)}<//>`;
}

function Row({ one, done }) {
  const [state, word] = [["failed", "disabled"], ["failed", "fails"], ["completed", "works"], ["paused", "off"]][rank(one)];
  const topics = one.topics.map((topic) => topic.replace(/^workflow\./, "").replace(/\.>$/, ""));
  return html`<tr><td><b>${one.url}</b><span class="sub">${one.description}</span></td>
    <td><span title=${one.topics.join("\n")}>${topics.slice(0, 3).join(", ")}${topics.length > 3 ? ` and ${topics.length - 3} more` : ""}</span>
      <span class="sub">${one.workflows.length ? `of ${one.workflows.join(", ")}` : "of all workflows"}</span></td>
    <td><${State} state=${state}>${word}<//>${one.failing_since
      && html` <span class="faint">since <${Ago} at=${one.failing_since} /></span>`}${one.disabled_reason
      && html`<span class="sub wrong">${one.disabled_reason}</span>`}</td>
    <td class="acts"><${Button} kind="small" onClick=${() => show((close) => html`<${Deliveries} one=${one} close=${close} />`)}>Deliveries<//>
      <${Button} kind="small" onClick=${() => test(one, done)}>Test<//>
      ${one.enabled && html`<${Button} kind="small" onClick=${() => show((close) => html`<${Recover} one=${one} close=${close} done=${done} />`)}>Recover…<//>`}
      <${Button} kind="small" onClick=${() => turn(one, done)}>${one.enabled ? "Turn off…" : "Enable"}<//></td></tr>`;
}

async function test(one, done) {
  try {
    const { tries, status } = await post(path`/webhooks/${one.id}/test`, {});
    const last = tries.at(-1);
    if (status === "delivered") say(`It took the test in ${duration(last.duration_ms)} with status ${last.status_code}.`);
    else say(`It did not take the test: ${last?.error ?? (last?.status_code ? `status ${last.status_code}` : status)}`, { wrong: true });
    done();
  } catch (error) {
    complain(error, "Test");
  }
}

function turn(one, done) {
  const run = async () => {
    await send("PATCH", path`/webhooks/${one.id}`, { enabled: !one.enabled });
    say(one.enabled ? "It is told of nothing any more." : "It is told again; what waits is sent now.");
    done();
  };
  if (!one.enabled) return void run().catch((error) => complain(error, "Enable"));
  confirm({ title: "Turn this endpoint off?", text: `${one.url} is told of nothing until it is enabled again; what waits for it stays.`, action: "Turn off",
    kind: "danger main", run });
}

const SPANS = { 1: "the last hour", 24: "the last day", 168: "the last week" };

function Recover({ one, close, done }) {
  const [hours, setHours] = useState("24");
  const run = async () => {
    const since = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
    const { recovered } = await post(path`/webhooks/${one.id}/recover`, { since });
    say(recovered ? `${plural(recovered, "delivery", "deliveries")} will be sent again.` : "Nothing has failed in that time.");
    done();
  };
  return html`<${Dialog} title="Send again what has failed?" close=${close} submit=${run} action="Send again">
    <p>All that has failed for ${one.url} is sent again, in its order, with the same ids: a receiver that keeps them knows what it has had.</p>
    <${Field} id="recover-since" label="Messages of">
      <select id="recover-since" value=${hours} onChange=${(event) => setHours(event.target.value)}>${Object.entries(SPANS).map(([value, words]) => html`<option
        key=${value} value=${value}>${words}</option>`)}</select><//><//>`;
}

function Deliveries({ one, close }) {
  const found = useResource((signal) => get(path`/webhooks/${one.id}/deliveries`, { params: { limit: 50 }, signal }), [one.id]);
  const again = (delivery) => post(path`/webhooks/deliveries/${delivery.id}/redeliver`, {}).then(() => { say("It is sent again."); found.reload(); }, (error) => complain(error, "Send again"));
  return html`<${Dialog} title=${`Last deliveries to ${one.url}`} close=${close} wide>
    <${Face} of=${found}>${({ deliveries }) => (deliveries.length === 0 ? html`<p class="muted">Nothing was sent yet.</p>` : html`<table><thead><tr>
    <th>Message</th><th>State</th><th>Last try</th><th></th></tr></thead>
    <tbody>${deliveries.map((each) => { const last = each.tries.at(-1); return html`<tr key=${each.id}>
      <td>${each.topic.replace(/^workflow\./, "")}<span class="sub">${clock(each.at).slice(0, -4)}${each.thread_id
      && html` · <a class="link" href=${`/threads/${encodeURIComponent(each.thread_id)}`}>thread</a>`}</span></td>
      <td><${State} state=${STATE[each.status] ?? "pending"}>${each.status}<//>
        <span class="sub">${plural(each.attempts, "try", "tries")}${each.next_attempt_at
        && html`, next <${Ago} at=${each.next_attempt_at} />`}</span></td>
      <td class="tries">${last ? last.error ?? `status ${last.status_code} in ${duration(last.duration_ms)}` : "–"}</td>
        <td class="acts">${each.status !== "pending"
        && html`<${Button} kind="small" onClick=${() => again(each)}>Send again<//>`}</td></tr>`; })}</tbody></table>`)}<//><//>`;
}

function First() {
  const line = `curl -s ${location.origin}/api/webhooks -d '{"url": "https://hooks.example.com/backstitch"}'`;
  return html`<${Empty} title="No webhooks yet">
    <p>A webhook is told of events by a signed POST: ends of threads and questions of gates, unless you say otherwise.</p>
    <${CodeLine} text=${line} /><//>`;
}
