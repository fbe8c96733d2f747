// The head of a thread's page: what it is, how it stands, what it has cost, what to do now.
import { html } from "../../lib/html.js";
import { ago, duration, exact, money, now, number, plural, shortId } from "../../lib/words.js";
import { useKeys } from "../../lib/keys.js";
import { Button, Copy } from "../../kit/bits.js";
import { lazy } from "../../kit/lazy.js";
import { State } from "../../kit/marks.js";
import { Menu } from "../../kit/menu.js";
import { actionsOf, useActionKeys } from "./actions.js";
import { answer, choose } from "./selection.js";

const Stuck = lazy(() => import("./failure.js"), "Stuck");
const OfItems = lazy(() => import("./gate/items.js"), "OfItems");
const STUCK = new Set(["failed", "cancelled", "paused"]);
/** What an execution of each kind began with. */
export const BEGAN = { invoke: "started", resume: "resumed", rollback: "rolled back", fork: "forked", migrate: "moved to another version of its workflow" };
const MANY = 40; // steps above which the bar is not cut into single ones any more
const DONE = new Set(["completed", "skipped"]);

export function Header({ thread, query }) {
  const status = thread.status.value;
  const entry = thread.entry.value.value;
  const actions = actionsOf(thread, query);
  useActionKeys(actions);
  const first = actions.filter((action) => action.first && !action.disabled);
  const { workflow, workflow_version: version } = status;
  const name = workflow ?? "ad hoc";
  return html`<header class="thread-head">
    <div class="head">
      <div class="what">
        <h1>${version !== null ? html`<a class="link" href=${`/workflows/${encodeURIComponent(workflow)}`}>${name}</a> <small class="faint">@${version}</small>` : html`${name} <small class="faint" title="Its document was sent with the start; nobody can start it by name.">ad hoc</small>`}</h1>
        ${entry?.title && html`<p class="title cut" title=${entry.title}>${entry.title}</p>`}
      </div>
      <div class="actions">
        ${first.map((action) => html`<${Button} key=${action.id} kind=${`${action.kind ?? ""} ${action.danger ? "danger" : ""}`} icon=${action.icon} title=${`${action.label} (${action.key})`} aria-keyshortcuts=${action.key} onClick=${action.run}>${action.label}<//>`)}
        <${Menu} label="More actions" items=${actions.filter((action) => !first.includes(action))} onOpen=${thread.others.reload} />
      </div>
    </div>
    <${Figures} thread=${thread} />
    <${Progress} status=${status} />
    <${Trouble} thread=${thread} />
  </header>`;
}

function Figures({ thread }) {
  const status = thread.status.value;
  const last = thread.tree.value.value?.last_version ?? status.version;
  const tokens = status.usage.input_tokens + status.usage.output_tokens;
  const created = thread.entry.value.value?.created_at ?? status.started_at;
  return html`<p class="figures">
    <${State} state=${status.status} />
    <span class="mono" title=${thread.id}>${shortId(thread.id)}<${Copy} text=${thread.id} label="Copy the thread's id" /></span>
    <span title="The version at the head, and the last one that was written">v${status.version}${last > status.version ? ` of ${last}` : ""}</span>
    <${Took} since=${status.started_at} until=${status.completed_at} />
    ${created && html`<time class="faint" datetime=${created} title=${exact(created)}>${BEGAN[status.kind] ?? "started"} ${ago(created, now.value)}</time>`}
    ${status.usage.cost_usd > 0 && html`<span title="What its present execution has cost">${money(status.usage.cost_usd)}</span>`}
    ${tokens > 0 && html`<span class="faint" title=${`${number(status.usage.input_tokens)} in, ${number(status.usage.output_tokens)} out`}>${number(tokens)} tokens</span>`}
    <${Stream} thread=${thread} />
  </p>`;
}

/** How long from `since` until `until`, or until now by the service's clock. */
export function Took({ since, until }) {
  if (!since) return html`<span class="faint">not started</span>`;
  const end = until ? Date.parse(until) : now.value;
  return html`<span class="nowrap" title=${`from ${exact(since)}${until ? ` to ${exact(until)}` : ""}`}>${duration(Math.max(0, end - Date.parse(since)))}</span>`;
}

function Stream({ thread }) {
  const lost = thread.state.value === "lost";
  const problem = thread.problem.value;
  if (problem?.status === 404) return html`<span class="waits" role="status">It was deleted. <a class="link" href="/threads">All threads</a></span>`;
  return lost ? html`<span class="waits" role="status">Reconnecting: what you see may be old.</span>` : null;
}

/** A piece for each step by its state, each a way to it; or shares where there are too many. */
function Progress({ status }) {
  const { steps } = status;
  if (!steps.length) return null;
  const done = steps.filter((step) => DONE.has(step.status)).length;
  const told = `${number(done)} of ${plural(steps.length, "step")}`;
  if (steps.length > MANY) {
    const shares = Object.entries(Object.groupBy(steps, (step) => step.status)).sort(([one], [other]) => ORDER.indexOf(one) - ORDER.indexOf(other));
    return html`<div class="thread-progress"><span class="pieces shares" role="img" aria-label=${shares.map(([state, list]) => `${list.length} ${state}`).join(", ")}>
      ${shares.map(([state, list]) => html`<i key=${state} data-state=${state} style=${{ flex: `${list.length} 0 0` }} title=${`${number(list.length)} ${state}`}></i>`)}</span><span class="of">${told}</span></div>`;
  }
  return html`<div class="thread-progress"><span class="pieces">${steps.map((step) => html`<button type="button" key=${step.id} data-state=${step.status} title=${`${step.id}: ${step.status}`}
    aria-label=${`${step.id}: ${step.status}`} tabindex="-1" onClick=${() => choose(step.id)}><i></i></button>`)}</span><span class="of">${told}</span></div>`;
}

const ORDER = ["completed", "skipped", "running", "retrying", "waiting", "failed", "cancelled", "pending"];

/** What it waits for; or what went wrong and why it stands still, which takes more words. */
function Trouble({ thread }) {
  const status = thread.status.value;
  const asks = status.steps.filter((step) => step.gate);
  if (STUCK.has(status.status) || (status.error && status.status !== "cancelled")) return html`<${Stuck} thread=${thread} />`;
  if (asks.length) return html`<${Asks} asks=${asks.map((step) => ({ step: step.id, title: step.gate.title }))} />`;
  // The document tells what steps ask, and not what items of one do.
  return status.status === "waiting" && !status.steps.some((step) => step.status === "waiting") ? html`<${OfItems} key=${status.last_seq} thread=${thread} />` : null;
}

/** Questions that wait, `{step, title}` each: the first, and how many more. */
export function Asks({ asks: [first, ...rest] }) {
  useKeys("Questions", { a: { does: "answer", run: () => answer(first.step) } });
  return html`<p class="note asks" data-state="waiting"><strong>${first.title ?? `${first.step} asks`}</strong> It goes on once somebody has answered.
    <${Button} kind="small main" title="Answer (a)" aria-keyshortcuts="a" onClick=${() => answer(first.step)}>Answer<//>${rest.length > 0 && html` <span class="muted">and ${plural(rest.length, "more question")}</span>`}</p>`;
}
