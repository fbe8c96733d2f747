// One step of a thread, or one run of it: how it stands, what it gave, what it was given, what went wrong.
import { html, useComputed, useEffect, useMemo, useRef } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { setQuery } from "../../../lib/route.js";
import { plural } from "../../../lib/words.js";
import { Ago, Button } from "../../../kit/bits.js";
import { Face } from "../../../kit/faces.js";
import { Menu } from "../../../kit/menu.js";
import { RESUMABLE, State } from "../../../kit/marks.js";
import { lazy } from "../../../kit/lazy.js";
import { Tabs } from "../../../kit/tabs.js";
import { Failure } from "../failure.js";
import { Took } from "../header.js";
import { again, skip } from "../later.js";
import { choose, useTabKeys } from "../selection.js";
import { Items } from "./items.js";
import { Logs } from "./logs.js";
import { Runs } from "./runs.js";
import { StreamText } from "./stream.js";
import { Usage } from "./usage.js";
import { Fetched } from "./value.js";

const GatePanel = lazy(() => import("../gate.js"), "GatePanel");
const AT_IT = new Set(["running", "retrying", "waiting"]);
const TRIED = new Set(["agent", "python", "http", "mcp"]);

/** `entry` is the step in the status document, null where it has none. */
export function OfStep({ thread, id, entry, query }) {
  const run = query.run ?? null;
  const found = useRun(thread, id, run, entry);
  return html`<section class="sheet panel" aria-label=${`Step ${id}`}>
    <header><h2 class="cut">${id}</h2><${Button} kind="quiet small" icon="close" label="Show the thread instead (Escape)" onClick=${() => choose(null)} /></header>
    <${Face} of=${found} what="The step could not be shown">${(told) => html`<${Told} thread=${thread} told=${told} entry=${told.current && !run ? entry : null} query=${query} />`}<//>
  </section>`;
}

/** The run without its values; asked again when the status document says something new of the step. */
function useRun(thread, id, run, entry) {
  const found = useResource((signal) => get(path`/invoke/steps/${thread.id}/${id}`, { params: { run_id: run, values: "false" }, signal }), [thread, id, run]);
  const asked = useComputed(() => thread.events.value.findLast((one) => one.step_id === id && one.event === "gate_waiting")?.seq); // an item may ask while others run
  const key = entry && `${entry.status} ${entry.attempt} ${entry.started_at} ${entry.completed_at} ${thread.status.value.execution_id} ${thread.restarts.value} ${asked.value}`;
  const before = useRef(key);
  useEffect(() => {
    if (before.current !== key) found.reload();
    before.current = key;
  }, [key]);
  return found;
}

function Told({ thread, told, entry, query }) {
  // What the stream has told is newer than what was asked for.
  const step = entry ? { ...told, status: entry.status, attempt: entry.attempt, error: entry.error ?? (entry.status === "failed" ? told.error : null), started_at: entry.started_at, completed_at: entry.completed_at } : told;
  const definition = thread.definition.value.value;
  const node = useMemo(() => definition?.graph?.nodes.find((one) => one.id === told.id) ?? null, [definition, told.id]);
  const tabs = tabsOf(step, node);
  const preferred = step.error && !AT_IT.has(step.status) ? "error" : node?.parts && AT_IT.has(step.status) ? "items" : "output";
  const chosen = tabs.some((tab) => tab.id === query.tab) ? query.tab : preferred;
  useTabKeys(tabs, chosen, (tab) => setQuery({ tab }));
  // Not only gates ask: graphs do, and a workflow in Python, whose steps tell no kind.
  const asks = told.gate || (entry?.gate && step.status === "waiting");
  return html`<div class="body">
    ${!told.current && told.run_id && html`<p class="note">This is an earlier run of the step. <button type="button" class="linklike" onClick=${() => setQuery({ run: null })}>Show the present one</button></p>`}
    <${Facts} thread=${thread} step=${step} node=${node} definition=${definition} />
    ${asks && html`<${GatePanel} thread=${thread} step=${entry ?? told} />`}
    <${Tabs} label=${`Of ${told.id}`} tabs=${tabs} chosen=${chosen} onChoose=${(tab) => setQuery({ tab })}>${(tab) => html`<${Content} key=${tab} tab=${tab} thread=${thread} step=${step} node=${node} />`}<//>
  </div>`;
}

function tabsOf(step, node) {
  const others = step.runs.length;
  return [
    { id: "output", label: "Output" },
    { id: "input", label: "Input" },
    step.error && { id: "error", label: "Error" },
    node?.parts && { id: "items", label: node.parts === "repeat" ? "Iterations" : "Items" },
    { id: "logs", label: "Logs" },
    { id: "usage", label: "Usage" },
    others > 0 && { id: "runs", label: `Runs ${others + 1}${step.more_runs ? "+" : ""}` },
  ].filter(Boolean);
}

function Facts({ thread, step, node, definition }) {
  const most = node && TRIED.has(node.kind) ? attempts(definition, step.id) : null;
  const status = thread.status.value.status;
  const acts = node && [
    step.attempt > 0 && { label: "Run again from here…", run: () => again(thread, step.id), disabled: !RESUMABLE.has(status) && status !== "completed", why: "Pause or cancel the thread first." },
    RESUMABLE.has(status) && step.status !== "completed" && step.status !== "skipped" && { label: "Skip with output…", run: () => skip(thread, step.id) },
    { label: "Show its events in the log", run: () => setQuery({ log: "events", only: "step" }) },
  ].filter(Boolean);
  const agent = step.agent && (node === null || node.kind === "agent");
  return html`<div class="step-facts">
    <p class="figures"><${State} state=${step.status} />
      ${step.attempt > 0 && (step.attempt > 1 || most > 1) && html`<span>attempt ${step.attempt}${most ? html`<span class="faint">/${most}</span>` : ""}</span>`}
      ${step.started_at && html`<${Took} since=${step.started_at} until=${step.completed_at} />`}
      ${step.started_at && html`<span class="faint"><${Ago} at=${step.started_at} prefix="started " /></span>`}
      ${step.reused && html`<span class="tag" title="It was done by an earlier execution of this thread, or by the thread that this one was forked from">kept from before</span>`}
      ${acts?.length > 0 && html`<span class="right-end"><${Menu} label=${`More about ${step.id}`} kind="quiet small" items=${acts} /></span>`}</p>
    <dl class="facts">
      ${agent ? html`<dt>Agent</dt><dd><a class="link" href=${`/agents/${encodeURIComponent(step.agent)}`}>${step.agent}</a>${step.agent_version ? html` <span class="faint">@${step.agent_version}</span>` : ""}${step.variant ? html` <span class="tag">variant ${step.variant}</span>` : ""}</dd>`
        : step.kind && html`<dt>${step.kind === "python" ? "Function" : "Kind"}</dt><dd>${step.kind === "python" ? html`<code>${node?.label ?? step.agent}</code>` : `${step.kind.replace("_", " ")} ${step.kind === "gate" ? "" : (node?.label ?? "")}`}</dd>`}
      ${step.status === "retrying" && step.next_attempt_at && html`<dt>Next attempt</dt><dd><${Ago} at=${step.next_attempt_at} /></dd>`}
      ${step.status === "waiting" && html`<dt>Waits for</dt><dd><${Awaited} step=${step} /></dd>`}
      ${step.session_id && step.kind === "workflow" && !node?.parts && html`<dt>Its thread</dt><dd><a class="link mono" href=${`/threads/${encodeURIComponent(step.session_id)}`}>${step.session_id}</a></dd>`}
      ${step.session_id && step.kind !== "workflow" && html`<dt>Session</dt><dd class="mono">${step.session_id}</dd>`}
      ${node?.condition && html`<dt>Only when</dt><dd><code>${node.condition}</code></dd>`}
      ${step.effect === "irreversible" && html`<dt>Effect</dt><dd>cannot be undone</dd>`}
      ${step.compensates && html`<dt>Undoes</dt><dd>${step.compensates}</dd>`}
      ${step.call && html`<dt>Called at</dt><dd><code>${step.call}</code></dd>`}
    </dl></div>`;
}

function Awaited({ step }) {
  if (step.gate?.status === "open") return html`an answer${step.gate.timeout_at && html`, at most until <${Ago} at=${step.gate.timeout_at} />`}`;
  if (step.wait) return html`${step.wait.topic ? html`a message on <code>${step.wait.topic}</code>` : html`the signal <code>${step.wait.signal}</code>`}${step.wait.timeout_at && html`, at most until <${Ago} at=${step.wait.timeout_at} />`}`;
  if (step.kind === "workflow") return "its sub-workflow";
  if (step.next_attempt_at && TRIED.has(step.kind)) return html`its next attempt, <${Ago} at=${step.next_attempt_at} />`;
  if (step.next_attempt_at) return html`the time, <${Ago} at=${step.next_attempt_at} />`;
  return step.kind === "gate" ? "an answer" : "something that has not come yet";
}

/** How often the step is tried at most, by the document. */
function attempts(definition, id) {
  const document = definition?.document;
  const retry = document?.steps?.find?.((step) => step.id === id)?.retry ?? document?.defaults?.retry;
  if (retry === undefined) return 3;
  return Number.isInteger(retry?.max_attempts) ? retry.max_attempts : null;
}

function Content({ tab, thread, step, node }) {
  const fetcher = (name) => async (signal) => ({ value: (await get(path`/invoke/steps/${thread.id}/${step.id}`, { params: { run_id: step.run_id }, signal }))[name] });
  const deps = [step.run_id, step.completed_at, step.status];
  const going = AT_IT.has(step.status);
  const size = (step.input_bytes ?? 0) + (step.output_bytes ?? 0);
  if (tab === "input") return step.input_bytes === null ? html`<p class="muted">${step.run_id ? "It was given nothing." : "What it is given is made when it starts."}</p>` : html`<${Fetched} size=${size} name=${`${step.id}.input`} fetcher=${fetcher("input")} deps=${[step.run_id]} />`;
  if (tab === "error") return html`<${Failure} error=${step.error} step=${false} />`;
  if (tab === "logs") return html`<${Logs} thread=${thread} step=${step.id} going=${going} />`;
  if (tab === "items") return html`<${Items} thread=${thread} step=${step} />`;
  if (tab === "usage") return html`<${Usage} thread=${thread} step=${step} />`;
  if (tab === "runs") return html`<${Runs} step=${step} />`;
  if (going || (step.output_bytes === null && step.current)) return html`<${Streamed} thread=${thread} step=${step} node=${node} />`;
  if (step.output_bytes === null) return html`<p class="muted">This run has no output.</p>`;
  return html`<${Fetched} size=${size} name=${`${step.id}.output`} fetcher=${fetcher("output")} deps=${deps} />`;
}

const NONE = {
  pending: "It has not started.", running: "Nothing yet: what it streams stands here as it comes.", retrying: "The next attempt begins soon.",
  waiting: "It waits; what it gets will stand here.", failed: "It has failed before it gave anything.", cancelled: "It was stopped before it gave anything.", skipped: "It was skipped without an output.",
};

function Streamed({ thread, step, node }) {
  const text = thread.text.of(step.id);
  const { last, blocks } = text.value;
  const going = step.status === "running";
  const said = useSaid(thread, step, going);
  const parts = thread.text.parts(step.id).value;
  const tells = going && said && (typeof said.progress === "number" || said.message);
  const nothing = tells ? "Its output stands here once it is done." : (NONE[step.status] ?? "Its output is on its way.");
  return html`${tells && html`<${Said} of=${step.id} said=${said} />`}
    ${last || blocks.length
      ? html`<${StreamText} text=${text} going=${going} label=${`What ${step.id} writes`} />`
      : html`<p class="muted">${going && node?.parts ? html`${parts.length ? `${plural(parts.length, "item")} write${parts.length === 1 ? "s" : ""}: ` : ""}<button type="button" class="linklike" onClick=${() => setQuery({ tab: "items" })}>see the items</button>` : nothing}</p>`}`;
}

/** What the step told last: the stream knows it from when the page was opened, what came before is asked for. */
function useSaid(thread, step, going) {
  const live = thread.told.value.get(step.id);
  const asks = going && !live;
  const params = { thread_id: thread.id, step_id: step.id, event: "step_progress", order: "desc", limit: 1 };
  const found = useResource((signal) => (asks ? get("/events", { params, signal }) : Promise.resolve(null)), [thread, step.id, step.attempt, step.started_at, asks]);
  const last = found.value.value?.events[0];
  return live ?? (last && last.attempt === step.attempt && Date.parse(last.at) >= Date.parse(step.started_at) ? last.data : null);
}

/** What a step tells of itself: how much is done, if it knows that, and its last words. */
function Said({ of, said: { progress, message } }) {
  const share = typeof progress === "number" ? Math.round(Math.min(1, Math.max(0, progress)) * 100) : null;
  return html`<div class="said">${share !== null && html`<progress max="100" value=${share} aria-label=${`Progress of ${of}`}></progress><span>${share} %</span>`}
    ${message && html`<span class="muted">${message}</span>`}</div>`;
}
