// What has happened: the last errors of an agent's steps, what it logged, and its own versions and events.
import { html, useRef } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { clock, exact, shortId } from "../../lib/words.js";
import { Ago, Button } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";

const EVERY = 15_000;
const FIRST = 20; // events of its history to begin with
const FURTHER = 100;

async function load(name, signal) {
  const [errors, logs] = await Promise.all([
    get("/events", { params: { agent: name, event: "step_failed,step_retry,item_failed", order: "desc", limit: 8 }, signal }),
    get("/logs", { params: { agent: name, level: "warning", limit: 8 }, signal }),
  ]);
  const all = [...errors.events.map((one) => ({ at: one.at, error: one })), ...logs.logs.map((one) => ({ at: one.at, log: one }))];
  return all.sort((one, other) => (one.at < other.at ? 1 : -1));
}

const stepOf = (one) => `/threads/${encodeURIComponent(one.thread_id)}${one.step_id ? `?step=${encodeURIComponent(one.step_id)}` : ""}`;

function Happened({ at, error, log }) {
  const one = error ?? log;
  return html`<li><time class="mono faint" title=${exact(at)}>${clock(at).slice(0, -4)}</time>${error
    ? html`<span><b class="kind">${error.data.error?.kind ?? error.event}</b> <span class="message">${error.data.error?.message ?? ""}</span>${error.event === "step_retry"
      && html` <span class="faint">tried again</span>`}</span>`
    : html`<span><b class="level" data-level=${log.level}>${log.level}</b> <span class="message">${log.message}</span></span>`}
    ${one.thread_id && html`<a class="link nowrap" href=${stepOf(one)}>${error ? `${one.workflow ?? "thread"} · ` : ""}${one.step_id ?? shortId(one.thread_id)}</a>`}</li>`;
}

export function Errors({ agent }) {
  const found = useResource((signal) => load(agent.name, signal), [agent.name]);
  useEvery(EVERY, found.reload, [found]);
  const name = encodeURIComponent(agent.name);
  return html`<section class="sheet"><header><h2>What went wrong last</h2><div class="actions">
    <a class="button quiet small" href=${`/events?agent=${name}&type=error`}>All its errors</a>
    <a class="button quiet small" href=${`/events?tab=logs&agent=${name}`}>Its logs</a></div></header>
    <div class="body"><${Face} of=${found}>${(all) => (all.length === 0
      ? html`<p class="muted">No failed or repeated attempt, and no warning, among what is kept.</p>` : html`<ul class="happened">
      ${all.map((one) => html`<${Happened} key=${one.log?.id ?? `${one.error.thread_id}${one.error.seq}`} ...${one} />`)}</ul>`)}<//></div></section>`;
}

/** So many pages of its history, the newest first. */
async function past(name, pages, signal) {
  const events = [];
  let cursor = null;
  for (let page = 0; page < pages && (page === 0 || cursor); page += 1) {
    const found = await get(path`/agents/${name}/events`, { params: { limit: page ? FURTHER : FIRST, cursor }, signal });
    events.push(...found.events);
    cursor = found.next_cursor;
  }
  return { events, more: cursor !== null };
}

export function History({ agent }) {
  const pages = useRef(1);
  const found = useResource((signal) => past(agent.name, pages.current, signal), [agent.name, agent.hash, agent.enabled]);
  const further = () => {
    pages.current += 1;
    found.reload();
  };
  return html`<section class="sheet"><header><h2>Its history</h2></header><div class="body"><${Face} of=${found}>${({ events, more }) => events.length === 0
    ? html`<p class="muted">Nothing is kept.</p>` : html`<ul class="happened short">
    ${events.map((one) => html`<li key=${one.id}><span><b>${one.event}</b>${one.data.version
      && html` <a class="link" href=${`/agents/${encodeURIComponent(`${agent.name}@${one.data.version}`)}`}>version ${one.data.version}</a>`}${one.data.reason
      && html` <span class="message">${one.data.reason.replace(/^disabled: /, "")}</span>`}${one.data.by && ` by ${one.data.by}`}</span>
      <${Ago} at=${one.at} /></li>`)}</ul>${more && html`<${Button} kind="quiet small" onClick=${further}>Further back<//>`}`}<//></div></section>`;
}
