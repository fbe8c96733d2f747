// The agents: which of them needs somebody, and how each did in the last hour.
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { useEvery } from "../lib/every.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { go, setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { plural } from "../lib/words.js";
import { Button, CodeLine } from "../kit/bits.js";
import { Empty, Face, Loading } from "../kit/faces.js";
import { List } from "../kit/list.js";
import { useTitle } from "../frame.js";
import { register } from "./agents/register.js";
import { Row } from "./agents/row.js";
import { loadAgents } from "./agents/store.js";

const EVERY = 10_000;

export default function Agents({ query }) {
  useTitle("Agents");
  const styled = useStyle("agents");
  const found = useResource(loadAgents, []);
  useEvery(EVERY, found.reload, [found]);
  if (!styled) return html`<${Loading} />`;
  return html`<div class="head"><h1>Agents</h1><div class="actions"><${Button} onClick=${register}>Register an agent<//></div></div>
    <${Face} of=${found}>${({ agents, refused }) => html`
      ${refused.map((file) => html`<p class="note wrong refused" key=${file.file}
        role="alert">The file <code>${file.file}</code> is refused: ${file.problems.map((one) => `${one.pointer} ${one.message}`).join("; ")}. What it said before holds until it is mended.</p>`)}
      ${agents.length ? html`<${Listed} agents=${agents} query=${query} />` : html`<${First} />`}`}<//>`;
}

function Listed({ agents, query }) {
  const [cursor, setCursor] = useState(-1);
  const body = useRef(null);
  const rows = useMemo(() => agents.filter(wanted(query)), [agents, query.kind, query.tag, query.text, query.state]);
  const move = (by) => {
    const next = Math.max(0, Math.min(rows.length - 1, cursor + by));
    setCursor(next);
    requestAnimationFrame(() => body.current?.querySelector(`[data-index="${next}"] a`)?.focus({ preventScroll: true }));
  };
  useKeys("Agents", {
    j: { does: "next agent", run: () => move(1) },
    k: { does: "agent before", run: () => move(-1) },
    Enter: { does: "open it", run: () => rows[cursor] && go(`/agents/${encodeURIComponent(rows[cursor].name)}`) },
    f: { does: "filter by text", run: () => document.querySelector("#agent-text")?.focus() },
    n: { does: "register an agent", run: register },
  }, [rows, cursor]);
  return html`<${Filters} agents=${agents} query=${query} />
    ${rows.length === 0 ? html`<${Empty} title="No agent matches">
      <${Button} onClick=${() => setQuery({ kind: null, tag: null, text: null, state: null })}>Clear the filters<//><//>` : html`
      <div class="agent-row heads" aria-hidden="true"><span></span><span>Agent</span><span class="kind">Kind and tags</span>
        <span class="num attempts">Attempts</span><span class="num rate" title="of the attempts that ended">Success</span>
        <span class="num times" title="half of the attempts took at most so long">p50</span>
        <span class="num times" title="95 of 100 took at most so long">p95</span>
        <span class="num times" title="99 of 100 took at most so long">p99</span><span class="line">p95 over time</span>
        <span class="num cost">Cost</span></div>
      <div ref=${body}><${List} rows=${rows} keyOf=${(row) => row.name} height=${52} label="Agents" selected=${cursor} draw=${(row, { selected }) => html`<${Row}
        agent=${row} cursor=${selected} />`} /></div>
      <p class="small muted tally">${plural(rows.length, "agent")}, figures of the last hour</p>`}`;
}

function wanted({ kind, tag, text, state }) {
  const sought = (text ?? "").toLowerCase();
  return (agent) => (!kind || agent.kind === kind) && (!tag || agent.tags.includes(tag))
    && (!state || (state === "needs" ? agent.rank <= 4 : state === "disabled" ? !agent.enabled : agent.enabled))
    && (!sought || agent.name.toLowerCase().includes(sought) || (agent.description ?? "").toLowerCase().includes(sought));
}

function Filters({ agents, query }) {
  const kinds = [...new Set(agents.map((one) => one.kind))].sort();
  const tags = [...new Set(agents.flatMap((one) => one.tags))].sort();
  const pick = (name) => (event) => setQuery({ [name]: event.target.value });
  const choice = (name, none, values) => html`<select aria-label=${`By ${name}`} value=${query[name] ?? ""} onChange=${pick(name)}>
    <option value="">${none}</option>${values.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select>`;
  const needs = agents.filter((one) => one.rank <= 4).length;
  return html`<div class="filters">
    <button type="button" class="chip" data-state=${needs ? "failed" : undefined} aria-pressed=${query.state === "needs"}
      onClick=${() => setQuery({ state: query.state === "needs" ? null : "needs" })}>needs somebody <b>${needs}</b></button>
    ${choice("kind", "all kinds", kinds)}${tags.length > 0 && choice("tag", "all tags", tags)}
    <select aria-label="By state" value=${query.state === "needs" ? "" : query.state ?? ""} onChange=${pick("state")}>
      <option value="">enabled or not</option><option value="enabled">enabled</option><option value="disabled">disabled</option></select>
    <input type="search" id="agent-text" class="text" placeholder="name, description" aria-label="By text" value=${query.text ?? ""} onInput=${pick("text")}
      spellcheck=${false} />
  </div>`;
}

function First() {
  return html`<${Empty} title="No agents yet">
    <p>An agent is a named doer of steps: <code>agent: analyst</code> in a workflow means the agent that is registered as <code>analyst</code>.</p>
    <p>They come from three places: functions marked with <code>@agent</code> in a module of yours, files in a folder, and this page.</p>
    <${CodeLine} text="PYTHONPATH=. MODULES=my_agents AGENTS_DIR=agents backstitch serve" />
    <${Button} kind="main" onClick=${register}>Register an agent<//><//>`;
}
