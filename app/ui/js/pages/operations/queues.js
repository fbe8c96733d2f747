// The queues: who waits, who runs, and how much at once.
import { html, useState } from "../../lib/html.js";
import { get, path, send } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { duration, number, plural, span } from "../../lib/words.js";
import { Button, Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { Empty, Face } from "../../kit/faces.js";
import { say } from "../../kit/toast.js";

const EVERY = 5_000;

export default function Queues() {
  const found = useResource((signal) => get("/queue", { signal }), []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found}>${(all) => html`
    <p class="muted">${number(all.running)} ${all.running === 1 ? "thread runs" : "threads run"}, ${number(all.depth)} wait for a slot${all.oldest_wait_ms
      ? `, the longest for ${duration(all.oldest_wait_ms)}` : ""}, ${number(all.delayed)} ${all.delayed === 1 ? "is" : "are"} not due yet.</p>
    ${all.queues.length === 0 ? html`<${Empty} title="No queues yet">
      <p>A queue bounds how many threads are driven at once. It is made by the first start that names it: <code>"queue": "mail"</code>.</p><//>`
      : html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr><th>Queue</th><th>Running</th><th class="num">Waiting</th><th class="num">Longest wait</th>
        <th class="num">Not due yet</th><th class="num">Waiting at most</th><th>Rate</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>${sorted(all.queues).map((queue) => html`<${Queue} key=${queue.name} queue=${queue} done=${found.reload} />`)}</tbody></table></div>`}`}<//>`;
}

/** Those with somebody waiting first. */
function sorted(queues) {
  return queues.toSorted((one, other) => other.depth - one.depth || (one.name < other.name ? -1 : 1));
}

const rate = (given) => (given ? `${number(given.count)} in ${span(given.per_ms)}` : "–");

function Queue({ queue, done }) {
  const each = queue.limit_scope === "process"; // of how many processes the running ones are is not told here
  const taken = !each && queue.limit > 0 && queue.running >= queue.limit && queue.depth > 0;
  const full = queue.depth >= queue.max_depth;
  return html`<tr><td><b>${queue.name}</b>${queue.limit === 0 && html`<span class="sub wrong">held back: its limit is 0</span>`}${full
    && html`<span class="sub wrong">full: starts are refused</span>`}</td>
    <td class="nowrap">${each ? html`${number(queue.running)} <span class="faint">of ${number(queue.limit)} in each process</span>`
      : html`<span class="share" aria-hidden="true"><i style=${{ width: `${queue.limit ? Math.min(1, queue.running / queue.limit) * 100 : 0}%` }}></i></span>${
        number(queue.running)} of ${number(queue.limit)}`}${taken && html`<span class="sub">all slots are taken</span>`}</td>
    <td class="num"><span class=${full ? "wrong" : ""}>${number(queue.depth)}</span></td>
      <td class="num">${queue.oldest_wait_ms ? duration(queue.oldest_wait_ms) : "–"}</td><td class="num">${number(queue.delayed)}</td>
      <td class="num">${number(queue.max_depth)}</td><td>${rate(queue.rate_limit)}</td>
    <td class="acts"><${Button} kind="small" onClick=${() => change(queue, done)}>Change…<//></td></tr>`;
}

function change(queue, done) {
  show((close) => html`<${Change} queue=${queue} close=${close} done=${done} />`);
}

function Change({ queue, close, done }) {
  const usual = queue.limit_scope === "process";
  const [limit, setLimit] = useState(usual ? "" : String(queue.limit));
  const [depth, setDepth] = useState(String(queue.max_depth ?? ""));
  const [count, setCount] = useState(String(queue.rate_limit?.count ?? ""));
  const [seconds, setSeconds] = useState(String(queue.rate_limit ? queue.rate_limit.per_ms / 1000 : "60"));
  const [faults, setFaults] = useState([]);
  const submit = async () => {
    const body = { limit: whole(limit), max_depth: whole(depth), rate_limit: count.trim() ? { count: whole(count), per: Number(seconds) } : null };
    try {
      await send("PUT", path`/queue/${queue.name}`, body);
    } catch (error) {
      setFaults(error.problems ?? []);
      throw error;
    }
    say(`The queue ${queue.name} is changed.`);
    done();
  };
  const at = (pointer) => faults.find((one) => one.pointer?.startsWith(pointer))?.message;
  const field = (id, label, hint, value, set, pointer) => html`<${Field} id=${id} label=${label} hint=${hint} fault=${at(pointer)}>
    <input id=${id} type="number" min="0" step="1" value=${value} onInput=${(event) => set(event.target.value)} /><//>`;
  return html`<${Dialog} title=${`Change the queue ${queue.name}`} close=${close} submit=${submit} action="Change">
    ${field("queue-limit", "Threads driven at once", "Over all processes. Empty: the usual. 0 holds the queue back.", limit, setLimit, "/limit")}
    ${field("queue-depth", "Threads that may wait", "Further starts are refused. Empty: the usual.", depth, setDepth, "/max_depth")}
    ${field("queue-count", "Taken up at most", "So many in the time below. Empty: as fast as it goes.", count, setCount, "/rate_limit")}
    ${count.trim() && field("queue-per", "In so many seconds", null, seconds, setSeconds, "/rate_limit/per")}
    <p class="muted" role="status">${effect(queue, whole(limit))}</p><//>`;
}

const whole = (text) => (String(text).trim() === "" ? null : Number(text));

/** What a new limit will do to those who run and wait now. */
function effect(queue, limit) {
  if (limit === null) return "The usual limit holds.";
  if (limit === 0) return `Nothing is taken up any more: ${plural(queue.depth, "thread")} ${queue.depth === 1 ? "waits" : "wait"}, ${queue.running} that run go on.`;
  const over = queue.running - limit;
  if (over > 0) return `${plural(queue.running, "thread")} run now: none is stopped, and no further one is taken up until ${plural(over + 1, "of them has", "of them have")} ended.`;
  return `${plural(Math.min(queue.depth, limit - queue.running), "waiting thread")} may be taken up at once.`;
}
