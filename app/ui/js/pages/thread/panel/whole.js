// The thread itself: what it was given, what came of it, what it knows at its head, whom it belongs to.
import { html } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { setQuery } from "../../../lib/route.js";
import { number, shortId } from "../../../lib/words.js";
import { Ago, Copy } from "../../../kit/bits.js";
import { Empty, Face } from "../../../kit/faces.js";
import { lazy } from "../../../kit/lazy.js";
import { State } from "../../../kit/marks.js";
import { Tabs } from "../../../kit/tabs.js";
import { BEGAN } from "../header.js";
import { useTabKeys } from "../selection.js";
import { Fetched, Value } from "./value.js";

const UsageOfThread = lazy(() => import("./usage.js"), "UsageOfThread");

const FEW = 20;

export function OfThread({ thread, query }) {
  const status = thread.status.value;
  const tabs = [
    { id: "about", label: "About" },
    { id: "input", label: "Input" },
    { id: "output", label: "Output" },
    { id: "context", label: "Context" },
    { id: "usage", label: "Usage" },
  ];
  const chosen = tabs.some((tab) => tab.id === query.tab) ? query.tab : status.status === "completed" ? "output" : "about";
  useTabKeys(tabs, chosen, (tab) => setQuery({ tab }));
  return html`<section class="sheet panel" aria-label="The thread"><header><h2>The thread</h2><span class="faint small">choose a step to see what it did</span></header>
    <div class="body"><${Tabs} label="Of the thread" tabs=${tabs} chosen=${chosen} onChoose=${(tab) => setQuery({ tab })}>${(tab) => html`<${Content} tab=${tab} thread=${thread} />`}<//></div></section>`;
}

function Content({ tab, thread }) {
  const status = thread.status.value;
  if (tab === "about") return html`<${About} thread=${thread} />`;
  if (tab === "usage") return html`<${UsageOfThread} thread=${thread} />`;
  if (tab === "output") return status.status === "completed" ? html`<${Value} value=${status.output} name="output" />` : html`<p class="muted">The output is told once the thread has completed.</p>`;
  // The version with which the present input began has nothing of the steps yet.
  if (tab === "input") return html`<${OfState} thread=${thread} which=${{ step: "START", on_timeline: true }} name="input" />`;
  return html`<p class="muted">The variables that steps have set, as they are at v${status.version}.</p>
    <${OfState} thread=${thread} which=${{ from_version: status.version, to_version: status.version, all: true }} name="context" />`;
}

/** A part of the state at a version; the state is fetched whole, so that its size counts. */
function OfState({ thread, which, name }) {
  const found = useResource((signal) => get(path`/invoke/history/${thread.id}`, { params: { ...which, limit: 1000 }, signal }), [thread, name, thread.status.value.version]);
  return html`<${Face} of=${found}>${({ history }) => {
    const { version = 1, size_bytes: size = 0 } = history.at(-1) ?? {};
    return html`<${Fetched} key=${`${name} ${version}`} size=${size} name=${name} deps=${[thread, version, name]}
      fetcher=${async (signal) => ({ value: (await get(path`/invoke/history/${thread.id}/${version}`, { signal })).state[name] })} />`;
  }}<//>`;
}

function About({ thread }) {
  const status = thread.status.value;
  const entry = thread.entry.value.value;
  const tree = thread.tree.value.value;
  const parent = tree?.parent?.thread_id ?? entry?.parent_thread_id;
  const begin = tree?.branches[0];
  return html`<dl class="facts">
    <dt>Id</dt><dd class="mono">${thread.id} <${Copy} text=${thread.id} label="Copy the thread's id" /></dd>
    <dt>Workflow</dt><dd>${status.workflow ?? "ad hoc"}${status.workflow_version === null ? " (ad hoc)" : `@${status.workflow_version}`}</dd>
    <dt>Now</dt><dd>${BEGAN[status.kind] ?? status.kind}, <${State} state=${status.status} /></dd>
    ${begin && html`<dt>Started</dt><dd><${Ago} at=${begin.created_at} /></dd>`}
    ${entry?.triggered_by && html`<dt>By</dt><dd>${entry.triggered_by}</dd>`}
    <dt>Last change</dt><dd><${Ago} at=${status.last_update} /></dd>
    ${tree?.branches.length > 1 && html`<dt>Executions</dt><dd>${number(tree.branches.length)}</dd>`}
    ${parent && html`<dt>Started by</dt><dd><a class="link mono" href=${`/threads/${encodeURIComponent(parent)}`}>${parent}</a>${tree?.parent?.step_id ? html`, its step <code>${tree.parent.step_id}</code>` : ""}</dd>`}
    ${tree?.forked_from && html`<dt>Forked from</dt><dd><${To} id=${tree.forked_from.thread_id} /> at v${tree.forked_from.version}${tree.forked_from.variant ? html` <span class="tag">${tree.forked_from.variant}</span>` : ""}</dd>`}
    ${tree?.replay_of && html`<dt>Replay of</dt><dd><${To} id=${tree.replay_of.thread_id} />${tree.replay_of.step_id ? html`, step <code>${tree.replay_of.step_id}</code>` : ""}</dd>`}
    <${Others} label="Sub-workflows" list=${tree?.children} more=${tree?.children_cursor} note=${(one) => one.step_id} />
    <${Others} label="Forks" list=${tree?.forks} more=${tree?.forks_cursor} note=${(one) => `at v${one.version}${one.variant ? ` ${one.variant}` : ""}`} />
    <${Others} label="Replays" list=${tree?.replays} more=${tree?.replays_cursor} note=${(one) => one.step_id} />
  </dl>
  ${thread.tree.problem.value && html`<${Empty} title="The tree could not be asked for"><p class="muted">${thread.tree.problem.value.detail}</p><//>`}`;
}

function To({ id }) {
  return html`<a class="link mono" href=${`/threads/${encodeURIComponent(id)}`} title=${id}>${shortId(id)}</a>`;
}

function Others({ label, list, more, note }) {
  if (!list?.length) return null;
  return html`<dt>${label}</dt><dd><ul>${list.slice(0, FEW).map((one) => html`<li key=${one.thread_id}><${State} state=${one.status}><${To} id=${one.thread_id} /><//> <span class="faint">${note(one)}</span></li>`)}</ul>
    ${(list.length > FEW || more) && html`<span class="muted">and more</span>`}</dd>`;
}
