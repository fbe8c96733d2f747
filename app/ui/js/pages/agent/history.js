// What has happened: the last errors of an agent's steps, what it logged, and its own versions and events.
import { html } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { clock, exact, shortId } from "../../lib/words.js";
import { Ago } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";

const EVERY = 15_000;

async function load(name, signal) {
  const [errors, logs] = await Promise.all([
    get("/events", { params: { agent: name, event: "step_failed,step_retry,item_failed", order: "desc", limit: 8 }, signal }),
    get("/logs", { params: { agent: name, level: "warning", limit: 8 }, signal }),
  ]);
  return { errors: errors.events, logs: logs.logs };
}

export function Errors({ agent }) {
  const found = useResource((signal) => load(agent.name, signal), [agent.name]);
  useEvery(EVERY, found.reload, [found]);
  const name = encodeURIComponent(agent.name);
  return html`<section class="sheet"><header><h2>What went wrong last</h2><div class="actions">
    <a class="button quiet small" href=${`/events?agent=${name}&type=error`}>All its errors</a>
    <a class="button quiet small" href=${`/events?tab=logs&agent=${name}`}>Its logs</a></div></header>
    <div class="body"><${Face} of=${found}>${({ errors, logs }) => errors.length + logs.length === 0
      ? html`<p class="muted">No failed or repeated attempt, and no warning, among what is kept.</p>` : html`<ul class="happened">
      ${errors.map((one) => html`<li key=${`${one.thread_id}${one.seq}`}>
        <time class="mono faint" title=${exact(one.at)}>${clock(one.at).slice(0, -4)}</time>
        <span><b class="kind">${one.data.error?.kind ?? one.event}</b> <span class="message">${one.data.error?.message ?? ""}</span>${one.event === "step_retry"
          && html` <span class="faint">tried again</span>`}</span>
        <a class="link nowrap" href=${`/threads/${encodeURIComponent(one.thread_id)}${one.step_id
          ? `?step=${encodeURIComponent(one.step_id)}` : ""}`}>${one.workflow ?? "thread"} · ${one.step_id ?? shortId(one.thread_id)}</a></li>`)}
      ${logs.map((one) => html`<li key=${one.id}><time class="mono faint" title=${exact(one.at)}>${clock(one.at).slice(0, -4)}</time><span>
        <b class="level" data-level=${one.level}>${one.level}</b> <span class="message">${one.message}</span></span>
        ${one.thread_id && html`<a class="link nowrap"
          href=${`/threads/${encodeURIComponent(one.thread_id)}${one.step_id
          ? `?step=${encodeURIComponent(one.step_id)}` : ""}`}>${one.step_id ?? shortId(one.thread_id)}</a>`}</li>`)}
    </ul>`}<//></div></section>`;
}

export function History({ agent }) {
  const found = useResource((signal) => get(path`/agents/${agent.name}/events`, { params: { limit: 20 }, signal }), [agent.name, agent.hash, agent.enabled]);
  return html`<section class="sheet"><header><h2>Its history</h2></header><div class="body"><${Face} of=${found}>${({ events }) => events.length === 0
    ? html`<p class="muted">Nothing is kept.</p>` : html`<ul class="happened short">
    ${events.map((one) => html`<li key=${one.id}><span><b>${one.event}</b>${one.data.version
      && html` <a class="link" href=${`/agents/${encodeURIComponent(`${agent.name}@${one.data.version}`)}`}>version ${one.data.version}</a>`}${one.data.reason
      && html` <span class="message">${one.data.reason.replace(/^disabled: /, "")}</span>`}${one.data.by && ` by ${one.data.by}`}</span>
      <${Ago} at=${one.at} /></li>`)}</ul>`}<//></div></section>`;
}
