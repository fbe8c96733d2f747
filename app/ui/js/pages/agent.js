// One agent: how it stands and does, what it is made of, and a try of it.
import { html } from "../lib/html.js";
import { get, path } from "../lib/api.js";
import { useEvery } from "../lib/every.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { Ago, Button } from "../kit/bits.js";
import { Face, Loading, Missing } from "../kit/faces.js";
import { State } from "../kit/marks.js";
import { Menu } from "../kit/menu.js";
import { JsonTree } from "../kit/tree.js";
import { useTitle } from "../frame.js";
import { Probe } from "./agents/row.js";
import { standing } from "./agents/store.js";
import { edit } from "./agents/register.js";
import { closeBreaker, disable, enable, openBreaker, remove } from "./agent/actions.js";
import { Errors, History } from "./agent/history.js";
import { Health, WINDOWS } from "./agent/health.js";
import { Try } from "./agent/try.js";

const EVERY = 10_000;

export default function Agent({ parts: [name], query }) {
  useTitle(name);
  const styled = useStyle("agent");
  const window = Object.hasOwn(WINDOWS, query.window ?? "") ? query.window : "1h";
  const agent = useResource((signal) => load(name, signal), [name]);
  useEvery(EVERY, agent.reload, [agent]);
  useKeys("Agent", {
    t: { does: "try it on an input",
      run: () => document.querySelector("#try")?.scrollIntoView({ block: "center" }) ?? document.querySelector("#try-input, #try textarea, #try input")?.focus() },
    e: { does: "change it", run: () => agent.value.peek() && edit(agent.value.peek().agent, agent.reload) },
    ...Object.fromEntries(Object.keys(WINDOWS).map((one, index) => [String(index + 1), { does: `how it did in ${WINDOWS[one].words}`,
      run: () => setQuery({ window: one }) }])),
  }, [agent]);
  if (!styled) return html`<${Loading} />`;
  return html`<${Face} of=${agent} what="The agent could not be read" missing=${html`<${Missing} what="agent" name=${name} />`}>${(found) => html`<${Page} found=${found} window=${window} reload=${agent.reload} />`}<//>`;
}

async function load(name, signal) {
  const [agent, breaker] = await Promise.all([get(path`/agents/${name}`, { signal }), get(path`/breakers/${name.split("@")[0]}`, { signal }).catch((error) => { if (error.status === 404) return null; throw error; })]);
  return { agent, breaker };
}

function Page({ found: { agent, breaker }, window, reload }) {
  const stands = standing(agent, breaker);
  const closed = !breaker || breaker.state === "closed";
  return html`
    <div class="head"><h1 class="crumbs"><a href="/agents">Agents</a> <span aria-hidden="true">/</span> <span class="here">${agent.name}</span></h1>
      <${State} state=${stands.state}>${stands.word}<//>
        <span class="muted">version ${agent.version}${agent.current ? "" : ", not the current one"}</span>
      <div class="actions">
        ${agent.enabled ? html`<${Button} onClick=${() => disable(agent, reload)}>Disable…<//>`
          : html`<${Button} kind="main" onClick=${() => enable(agent, reload)}>Enable…<//>`}
        <${Button} onClick=${() => edit(agent, reload)} disabled=${!agent.current}>Change…<//>
        <${Menu} label="More actions" items=${[
          closed && { label: "Open its breaker…", run: () => openBreaker(agent, reload) },
          !closed && agent.enabled && { label: "Close its breaker…", run: () => closeBreaker(agent, reload) },
          { label: "Its threads' events", href: `/events?agent=${encodeURIComponent(agent.name)}` },
          { label: "Its logs", href: `/events?tab=logs&agent=${encodeURIComponent(agent.name)}` },
          { label: "Delete…", danger: true, run: () => remove(agent) },
        ]} />
      </div></div>
    ${agent.description && html`<p class="about muted">${agent.description}</p>`}
    <${Standing} stands=${stands} breaker=${breaker} agent=${agent} />
    <div class="agent-page">
      <div class="stack wide">
        <${Health} agent=${agent} window=${window} />
        <${Try} agent=${agent} />
        <${Errors} agent=${agent} />
      </div>
      <div class="stack">
        <section class="sheet"><header><h2>What it is</h2></header><div class="body"><dl class="facts">
          <dt>Kind</dt><dd>${agent.kind}</dd><dt>Comes from</dt>
            <dd>${{ api: "the API", file: "a file", code: "code" }[agent.source] ?? agent.source}${agent.origin && html`<br />
            <code class="small">${agent.origin}</code>`}</dd>
          ${agent.tags.length > 0 && html`<dt>Tags</dt>
            <dd>${agent.tags.map((tag) => html`<a class="tag" key=${tag} href=${`/agents?tag=${encodeURIComponent(tag)}`}>${tag}</a> `)}</dd>`}
          <dt>Since</dt><dd><${Ago} at=${agent.created_at} /></dd>
          ${bare(agent.config) && html`<dt>Config</dt><dd class="muted">none</dd>`}${bare(agent.input) && html`<dt>Input</dt>
            <dd class="muted">anything: it has no schema</dd>`}${bare(agent.output) && html`<dt>Output</dt>
            <dd class="muted">not checked: it has no schema</dd>`}</dl></div></section>
        <${Json} title="Config" value=${agent.config} name="config" />
        <${Json} title="Input" value=${agent.input} name="input" />
        <${Json} title="Output" value=${agent.output} name="output" />
        <${History} agent=${agent} />
      </div>
    </div>`;
}

function bare(value) {
  return value === null || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
}

function Json({ title, value, name }) {
  if (bare(value)) return null;
  return html`<section class="sheet"><header><h2>${title}</h2></header><div class="body">
    <${JsonTree} value=${value} name=${name} height=${300} /></div></section>`;
}

function Standing({ stands, breaker, agent }) {
  const shut = breaker && breaker.state !== "closed";
  if (stands.rank > 4 && !agent.problems?.length) return null;
  return html`<div class="note stands" data-state=${stands.state} role="status">
    ${!agent.enabled ? html`<p><strong>It is disabled: its steps wait, and none fails.</strong> ${agent.disabled_reason}</p>`
      : shut ? html`<p><strong>${breaker.state === "open" ? "Its circuit breaker is open: its steps wait, and none fails." : "Its circuit breaker is half open: one step is let through to see whether it works again."}</strong> ${breaker.reason}</p>
        <p class="muted">Open <${Ago} at=${breaker.opened_at} prefix="since " />${breaker.trips > 1 && `, ${breaker.trips} times in a row`}${breaker.forced
          && ", by hand"}.
          ${breaker.state === "open" && breaker.probe_at ? html` It is <${Probe}
            at=${breaker.probe_at} />.` : breaker.state === "open" ? " It is not probed before it is closed by hand." : ""}</p>`
      : stands.rank <= 4 && html`<p><strong>${stands.why}</strong></p>`}
    ${agent.problems?.length > 0 && html`<p><strong>It could not work here and now:</strong></p>
      <ul>${agent.problems.map((one, index) => html`<li key=${index}>${one.pointer
      && html`<code>${one.pointer}</code> `}${one.message ?? String(one)}</li>`)}</ul>`}
  </div>`;
}
