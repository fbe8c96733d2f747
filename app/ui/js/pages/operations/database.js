// The database: how large and how fast it is, and what retention deletes, has deleted and would delete now.
import { html, useState } from "../../lib/html.js";
import { get, post } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { bytes, duration, number, plural, span } from "../../lib/words.js";
import { Ago, Button, Lasts } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";

const EVERY = 10_000;
const ROW_LIMIT = 12;

/** How it does: what answers also while it is away. */
async function load(signal) {
  // 503 is answered with the same document
  const told = (where, field) => get(where, { signal }).catch((error) => { if (error.more?.[field] !== undefined) return error.more; throw error; });
  const [checkpointer, health] = await Promise.all([told("/health/checkpointer", "reachable"), told("/health", "parts")]);
  return { checkpointer, pool: health.parts.database?.pool ?? null };
}

export default function Database() {
  const state = useResource(load, []);
  const found = useResource((signal) => get("/retention", { signal }), []);
  useEvery(EVERY, state.reload, [state]);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${state}>${({ checkpointer, pool }) => html`<${Figures} checkpointer=${checkpointer} pool=${pool} />`}<//>
    <${Face} of=${found} what="What it holds could not be read">${(retention) => html`<div class="two"><div><section><h2>Retention</h2><${Policy} policy=${retention.policy} /><div class="row">
      <${Button} onClick=${() => preview(found.reload)}>What would a run delete now?<//></div></section><${Runs} runs=${retention.runs} /></div>
      <${Tables} tables=${retention.tables} /></div>`}<//>`;
}

function Figures({ checkpointer, pool }) {
  const fact = (label, value, bad) => html`<div class="figure" data-bad=${bad || undefined}><dt>${label}</dt><dd>${value}</dd></div>`;
  return html`<dl class="figures">
    ${fact("kept in", checkpointer.kind, !checkpointer.durable)}
    ${checkpointer.reachable ? fact("answers in", duration(checkpointer.latency_ms)) : fact("answers", "no", true)}
    ${fact("failed requests", `${Math.round(checkpointer.error_rate * 1000) / 10} %`, checkpointer.error_rate > 0)}
    ${fact("size", bytes(checkpointer.size_bytes))}
    ${pool && fact("connections in use", `${pool.in_use} of ${pool.size}`, pool.waiting > 0)}${pool && fact("longest wait for one, lately", duration(pool.longest_wait_ms))}
  </dl>${checkpointer.error && html`<p class="note wrong">${checkpointer.error}</p>`}`;
}

const days = (count) => (count === null || count === undefined ? "for ever" : plural(count, "day"));

function Policy({ policy }) {
  const single = Object.entries(policy.status_days ?? {});
  const nothing = policy.days === null && !single.length && policy.max_per_workflow === null && policy.max_bytes === null;
  return html`<dl class="facts policy">
    <dt>What has ended is kept</dt>
      <dd>${nothing ? "for ever: nothing is ever deleted" : days(policy.days)}${single.map(([status, count]) => html`<br />${status}: ${days(count)}`)}</dd>
    ${policy.max_per_workflow !== null && html`<dt>Of each workflow</dt>
      <dd>the newest ${number(policy.max_per_workflow)}</dd>`}${policy.max_bytes !== null && html`<dt>Of all together</dt>
      <dd>${bytes(policy.max_bytes)}</dd>`}
    <dt>A run begins</dt><dd>${span(policy.every_ms)} after the last</dd>
    ${policy.workflows.map((one) => html`<dt key=${one.workflow}>${one.workflow}</dt>
      <dd>${one.keep ? "never deleted" : [one.days !== null && days(one.days), one.max_threads !== null
        && `the newest ${number(one.max_threads)}`].filter(Boolean).join(", ") || "as all"}</dd>`)}
  </dl><p class="small"><a class="link" href="/operations?tab=settings">Change it in the settings</a></p>`;
}

function Tables({ tables }) {
  const [all, setAll] = useState(false);
  const most = Math.max(1, ...tables.map((one) => one.size_bytes));
  return html`<section><h2>Tables</h2><table class="tables"><thead><tr><th>Table</th><th><span class="visually-hidden">Share</span></th>
    <th class="num">Size</th></tr></thead><tbody>${(all ? tables : tables.slice(0, ROW_LIMIT)).map((one) => html`<tr key=${one.name}>
    <td class="mono">${one.name}</td><td><span class="share" aria-hidden="true">
    <i style=${{ width: `${(one.size_bytes / most) * 100}%` }}></i></span></td>
    <td class="num nowrap">${bytes(one.size_bytes)}</td></tr>`)}</tbody></table>
    ${tables.length > ROW_LIMIT && html`<${Button} kind="quiet small"
      onClick=${() => setAll(!all)}>${all ? "Only the largest" : `All ${tables.length}`}<//>`}</section>`;
}

const STATE = { running: "running", completed: "completed", failed: "failed" };

function Runs({ runs }) {
  return html`<section><h2>Runs of retention</h2>${runs.length === 0 ? html`<p class="muted">None yet.</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead>
    <tr><th>Started</th><th>State</th><th class="num">Threads</th><th class="num">Size</th><th>Why</th><th class="num">Took</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${run.id}><td><${Ago} at=${run.started_at} />${run.dry_run
      && html` <span class="tag">only looked</span>`}${run.asked?.by && html` <span class="faint">by ${run.asked.by}</span>`}</td><td>
      <${State} state=${STATE[run.status] ?? "pending"}>${run.status}<//>${run.error && html`<span class="sub wrong">${run.error}</span>`}</td>
      <td class="num">${number(run.threads)}</td><td class="num">${bytes(run.size_bytes)}</td><td>${reasons(run.reasons)}</td><td class="num">
        <${Lasts} since=${run.started_at} until=${run.ended_at} /></td></tr>`)}</tbody></table></div>`}</section>`;
}

const WORDS = { age: "older than their days", count: "more than their workflow keeps", size: "too large together" };
const reasons = (given) => Object.entries(given ?? {}).map(([reason, count]) => `${number(count)} ${WORDS[reason] ?? reason}`).join(", ") || "–";

async function preview(done) {
  try {
    const { would_delete: plan } = await get("/retention", { params: { preview: true } });
    show((close) => html`<${Plan} plan=${plan} close=${close} done=${done} />`);
  } catch (error) {
    complain(error, "Preview");
  }
}

function Plan({ plan, close, done }) {
  const nothing = plan.threads === 0;
  const run = async () => {
    await post("/retention/run", { by: "page" });
    say("The run goes on in the background.");
    done();
  };
  return html`<${Dialog} title=${nothing ? "A run would delete nothing" : `Delete ${plural(plan.threads, "thread")}?`} close=${close} submit=${nothing ? null : run}
    action=${`Delete ${plural(plan.threads, "thread")}`} kind="danger main">
    ${nothing ? html`<p>By the policy of now nothing that has ended is old enough, or too much.</p>` : html`
      <p>A run now deletes ${plural(plan.threads, "thread")} that ${plan.threads === 1 ? "has" : "have"} ended, with ${plan.threads === 1
        ? "its" : "their"} events, versions and logs: about ${bytes(plan.size_bytes)}. This cannot be undone.</p>
      <p class="muted">${reasons(plan.reasons)}.</p>
      <table><thead><tr><th>Workflow</th><th class="num">Threads</th></tr></thead>
        <tbody>${Object.entries(plan.workflows).sort(([, one], [, other]) => other - one).slice(0, 10).map(([name, count]) => html`<tr key=${name}>
        <td>${name}</td><td class="num">${number(count)}</td></tr>`)}</tbody></table>`}
  <//>`;
}
