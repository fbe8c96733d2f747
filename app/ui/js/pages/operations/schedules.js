// The schedules: when each fires next, and what came of its last time.
import { html, useState } from "../../lib/html.js";
import { get, path, post } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { clock, exact, number, plural, span } from "../../lib/words.js";
import { Ago, Button, CodeLine, Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { Empty, Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";

const EVERY = 10_000;
const MOST = 1000;
const LATE = 15_000; // ms: a firing is made within moments of its time, unless something holds it up
const OUTCOME = { started: "completed", starting: "running", buffered: "waiting", skipped: "skipped", missed: "interrupted", failed: "failed" };

export default function Schedules() {
  const found = useResource(async (signal) => ({ ...await get("/schedules", { params: { limit: MOST }, signal }), read: Date.now() }), []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found}>${({ schedules, next_cursor: more, read }) => (schedules.length === 0 ? html`<${First} />` : html`<div class="scroll" tabindex="0" role="region" aria-label="Table">
    <table><thead><tr><th>Schedule</th><th>When</th><th>Next</th><th>Last</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
    <tbody>${sorted(schedules).map((one) => html`<${Row} key=${one.name} one=${one} read=${read} done=${found.reload} />`)}</tbody></table></div>${more
      && html`<p class="muted">There are more: <code>backstitch schedule list</code> shows them.</p>`}`)}<//>`;
}

const ill = (one) => one.last_firing && (["failed", "missed"].includes(one.last_firing.outcome)
  || ["failed", "interrupted"].includes(one.last_firing.thread_status));

/** Those of which something went wrong first, then by when they fire next. */
function sorted(schedules) {
  const due = (one) => Date.parse(one.next_due_at ?? "9999-12-31");
  return schedules.toSorted((one, other) => Number(Boolean(ill(other))) - Number(Boolean(ill(one))) || due(one) - due(other));
}

function Row({ one, read, done }) {
  const last = one.last_firing;
  const paused = one.state === "paused" || one.paused;
  return html`<tr><td><b>${one.name}</b>
    <span class="sub">starts <a class="link" href=${`/workflows/${encodeURIComponent(one.workflow.split("@")[0])}`}>${one.workflow}</a>${one.description
      && ` · ${one.description}`}</span></td>
    <td><code class="nowrap">${one.cron ?? `every ${span(one.every_ms)}`}</code><span class="sub nowrap">${one.cron ? one.timezone : ""}</span></td>
    <td>${paused ? html`<${State} state="paused">paused<//><span class="sub">${one.pause_reason}</span>` : one.state === "ended"
      ? html`<span class="faint">it has ended</span>` : html`<${Due} at=${one.next_due_at} read=${read} />`}</td>
    <td>${last ? html`<${Came} last=${last} />` : html`<span class="faint">not yet</span>`}</td>
    <td class="acts"><${Button} kind="small" onClick=${() => run(one, done)}>Run now…<//>${paused
      ? html`<${Button} kind="small" onClick=${() => resume(one, done)}>Resume<//>`
      : html`<${Button} kind="small" onClick=${() => pause(one, done)}>Pause…<//>`}</td></tr>`;
}

function Due({ at, read }) {
  const late = at && read - Date.parse(at) > LATE;
  return html`${late && html`<span class="wrong">late, due </span>`}<${Ago} at=${at} /><span class="sub nowrap" title=${exact(at)}>${clock(at).slice(0, -4)}</span>`;
}

/** What came of the last time; a thread that is not kept any more has no status, and is led to by no link. */
function Came({ last }) {
  const state = last.outcome === "started" ? last.thread_status ?? "completed" : OUTCOME[last.outcome];
  return html`<${State} state=${state}>${last.outcome === "started" && last.thread_status
    ? html`<a class="link" href=${`/threads/${encodeURIComponent(last.thread_id)}`}>${last.thread_status}</a>` : last.outcome}${last.missed > 1
    && ` ${number(last.missed)} times`}<//> <span class="faint"><${Ago} at=${last.decided_at ?? last.fire_time} /></span>
    ${last.outcome === "missed" && html`<span class="sub">due ${clock(last.fire_time).slice(0, -4)}${last.until
      && last.until !== last.fire_time && ` to ${clock(last.until).slice(0, -4)}`}</span>`}
    ${last.error && html`<span class="sub wrong">${last.error.message}${last.outcome === "starting"
      && `; tried ${plural(last.attempts, "time")}, and again`}</span>`}
    ${last.reason && html`<span class="sub">${last.reason}</span>`}`;
}

const act = async (one, what, body, words, done) => {
  await post(path`/schedules/${one.name}/${what}`, body);
  say(words);
  done();
};

const resume = (one, done) => act(one, "resume", {}, `${one.name} fires again.`, done).catch((error) => complain(error, "Resume"));

function run(one, done) {
  show((close) => html`<${Dialog} title=${`Run ${one.name} now?`} close=${close} action="Start 1 thread"
    submit=${() => act(one, "run", {}, `A thread of ${one.workflow} begins.`, done)}>
    <p>1 thread of ${one.workflow} is started at once, with the schedule’s input. Its own times stay as they are.</p><//>`);
}

function pause(one, done) {
  show((close) => html`<${Pause} one=${one} close=${close} done=${done} />`);
}

function Pause({ one, close, done }) {
  const [why, setWhy] = useState("");
  return html`<${Dialog} title=${`Pause ${one.name}?`} close=${close} action="Pause"
    submit=${() => act(one, "pause", why.trim() ? { reason: why.trim() } : {}, `${one.name} is paused.`, done)}>
    <p>It starts nothing until it is resumed. What runs goes on.</p>
    <${Field} id="pause-why" label="Reason">
      <input id="pause-why" type="text" maxlength="500" value=${why} onInput=${(event) => setWhy(event.target.value)} /><//><//>`;
}

function First() {
  const line = `curl -s ${location.origin}/api/schedules -d '{"name": "morning-briefing", "cron": "0 9 * * MON-FRI", "timezone": "Europe/Vienna",
    "workflow": "content-strategy"}'`;
  return html`<${Empty} title="No schedules yet"><p>A schedule starts a thread of a workflow at its times, by a cron line or every so often.</p>
    <${CodeLine} text=${line} /><//>`;
}
