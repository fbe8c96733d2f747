// What one step is: what it does, what it waits for, what happens when it fails.
import { html, useMemo } from "../../lib/html.js";
import { toYaml } from "../../lib/yaml.js";
import { duration } from "../../lib/words.js";
import { pageOf } from "../../lib/definitions.js";
import { Button, Copy } from "../../kit/bits.js";

const PARTS = { for_each: "for each entry of a list", repeat: "again and again, until it is good" };
const EFFECTS = { none: "none: it changes nothing outside", idempotent: "harmless when done twice", irreversible: "cannot be undone" };

export function StepPanel({ node, graph, raw, select }) {
  const waits = graph.edges.filter((edge) => edge.to === node.id).map((edge) => edge.from);
  const before = graph.edges.filter((edge) => edge.from === node.id).map((edge) => edge.to);
  const text = useMemo(() => (raw ? toYaml(raw) : ""), [raw]);
  const facts = [
    ["Does", html`${node.kind} ${does(node)}${node.parts ? html`, ${PARTS[node.parts]}` : null}`],
    waits.length > 0 && ["Waits for", html`<${Names} ids=${waits} select=${select} />`],
    before.length > 0 && ["Before", html`<${Names} ids=${before} select=${select} />`],
    node.condition && ["Only when", html`<code>${node.condition}</code>`],
    node.timeout_ms !== null && node.timeout_ms !== undefined && ["Timeout", duration(node.timeout_ms)],
    node.effect && ["Effect", EFFECTS[node.effect]],
    node.compensate && ["Undone by", html`${node.compensate.kind} <code>${node.compensate.label ?? node.compensate.id}</code>`],
    node.on_error && ["If it fails", caught(node.on_error, select)],
    node.rescues.length > 0 && ["Rescues", html`<${Names} ids=${node.rescues} select=${select} />`],
  ].filter(Boolean);
  return html`<aside class="step-panel" aria-label=${`Step ${node.id}`}>
    <header><h2 class="cut">${node.id}</h2><${Copy} text=${text} label="Copy this step" /><${Button} kind="small quiet" icon="close" label="Close" onClick=${() => select(null)} /></header>
    ${raw?.description && html`<p class="muted">${raw.description}</p>`}
    <dl class="facts">${facts.map(([term, told]) => html`<dt key=${term}>${term}</dt><dd>${told}</dd>`)}</dl>
    ${raw && html`<pre class="document" tabindex="0" aria-label="This step in the document">${text}</pre>`}
  </aside>`;
}

function does(node) {
  const named = node.label ?? node.agent;
  if (!named) return "";
  if (node.kind === "agent" && !named.includes("{")) return html`<a class="link" href=${`/agents/${encodeURIComponent(named)}`}>${named}</a>`;
  if (node.kind === "workflow" && !named.includes("{")) {
    const [name, version] = named.split("@");
    return html`<a class="link" href=${pageOf(name, version ? `?version=${encodeURIComponent(version)}` : "")}>${named}</a>`;
  }
  return html`<code>${named}</code>`;
}

function caught({ kinds, run }, select) {
  const what = kinds ? html`with ${kinds.map((kind, index) => html`${index ? ", " : ""}<code>${kind}</code>`)} ` : "";
  return html`${what}the thread goes on${run ? html`, first with <${Names} ids=${[run]} select=${select} />` : ""}`;
}

const MOST = 12;

function Names({ ids, select }) {
  return html`${ids.slice(0, MOST).map((id, index) => html`${index ? ", " : ""}<button type="button" class="name" key=${id} onClick=${() => select(id)}>${id}</button>`)}${ids.length > MOST ? ` and ${ids.length - MOST} more` : ""}`;
}
