// A workflow: its steps as a graph, its document, its versions and what differs between two, its threads; and the editor.
import { html, useMemo } from "../lib/html.js";
import { NEW, all, definition, pageOf, startOf } from "../lib/definitions.js";
import { path } from "../lib/api.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { go, setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { plural } from "../lib/words.js";
import { Ago } from "../kit/bits.js";
import { Face, Loading, Missing } from "../kit/faces.js";
import { Graph } from "../kit/graph.js";
import { Tabs } from "../kit/tabs.js";
import { useTitle } from "../frame.js";
import { Document } from "./workflow/document.js";
import { Editor } from "./workflow/editor.js";
import { StepPanel } from "./workflow/step.js";
import { Recent } from "./workflow/recent.js";
import { Versions } from "./workflow/versions.js";

export default function Workflow({ parts: [name, act], query }) {
  const styled = useStyle("workflow");
  const anew = `/workflows/${name}` === NEW;
  useTitle(anew ? "New workflow" : name);
  if (!styled) return html`<${Loading} />`;
  return html`<div class="workflow-page">${anew || act === "edit"
    ? html`<${Editor} key=${name} name=${anew ? null : name} version=${query.version} />`
    : html`<${Shown} name=${name} query=${query} />`}</div>`;
}

function Shown({ name, query }) {
  const found = useResource((signal) => definition(name, query.version, signal), [name, query.version]);
  return html`<${Face} of=${found} missing=${html`<${Missing} what="workflow" name=${name} version=${query.version}><a class="button" href=${NEW}>New workflow</a><//>`}>${(workflow) => html`<${Whole} name=${name} workflow=${workflow} query=${query} />`}<//>`;
}

function Whole({ name, workflow, query }) {
  const versions = useResource((signal) => all(path`/workflows/${name}/versions`, "versions", { signal }), [name]);
  const newest = versions.value.value?.[0]?.version;
  useKeys("Workflow", {
    s: { does: "start it", run: () => go(startOf(name, query.version)) },
    e: { does: "edit it", run: () => go(pageOf(name, "/edit")) },
    d: { does: "its document", run: () => setQuery({ tab: null, diff: null }) },
    v: { does: "its versions", run: () => setQuery({ tab: "versions" }) },
    Escape: { does: "choose no step", run: () => setQuery({ step: null }) },
  }, [name, query.version]);
  return html`<div class="head"><h1 class="crumbs"><a href="/workflows">Workflows</a> <span class="faint">/</span> <span class="here">${workflow.name}</span></h1>
      <${Which} workflow=${workflow} versions=${versions.value.value} />
      <div class="actions"><a class="button" href=${pageOf(name, `/edit${query.version ? `?version=${encodeURIComponent(query.version)}` : ""}`)}>Edit</a>
        <a class="button main" href=${startOf(name, query.version)}>Start</a></div></div>
    ${workflow.description && html`<p class="about">${workflow.description}</p>`}
    ${newest > workflow.version && html`<p class="note about">This is version ${workflow.version}. New threads run
      ${" "}<a class="link" href=${pageOf(name)}>version ${newest}</a> unless they say otherwise.</p>`}
    <${Steps} workflow=${workflow} chosen=${query.step} />
    <${Below} workflow=${workflow} versions=${versions} query=${query} />`;
}

function Which({ workflow, versions }) {
  if (!versions || versions.length < 2) return html`<span class="muted">version ${workflow.version} · ${plural(workflow.steps.length, "step")}</span>`;
  const choose = (event) => setQuery({ version: Number(event.target.value) === versions[0].version ? null : event.target.value }, { replace: false });
  return html`<span class="muted row"><select aria-label="Version" value=${String(workflow.version)} onChange=${choose}>
    ${versions.map((one) => html`<option key=${one.version} value=${String(one.version)}>version ${one.version}${one === versions[0] ? ", the newest" : ""}</option>`)}</select>
    <span>${plural(workflow.steps.length, "step")} · <${Ago} at=${workflow.created_at} /></span></span>`;
}

function Steps({ workflow, chosen }) {
  const raw = useMemo(() => new Map((workflow.document.steps ?? []).map((step) => [step.id, step])), [workflow]);
  const select = (id) => setQuery({ step: id });
  const node = workflow.graph?.nodes.find((one) => one.id === chosen);
  return html`<section class="sheet steps" aria-label="Steps" data-open=${node ? "true" : undefined}>
    ${workflow.graph
      ? html`<${Graph} graph=${workflow.graph} selected=${node?.id ?? null} onSelect=${select} />`
      : html`<p class="body muted">A workflow in Python: its steps are known as it runs. Look at one of its threads.</p>`}
    ${node && html`<${StepPanel} node=${node} graph=${workflow.graph} raw=${raw.get(node.id)} select=${select} />`}
  </section>`;
}

const TABS = [{ id: "document", label: "Document" }, { id: "versions", label: "Versions" }, { id: "threads", label: "Threads" }];

function Below({ workflow, versions, query }) {
  const chosen = query.diff ? "versions" : (TABS.find((tab) => tab.id === query.tab)?.id ?? "document");
  const choose = (id) => setQuery({ tab: id === "document" ? null : id, diff: null });
  return html`<${Tabs} label="Of this workflow" tabs=${TABS} chosen=${chosen} onChoose=${choose}>${(id) => html`<div class="below">${
    id === "document" ? html`<${Document} workflow=${workflow} />`
    : id === "versions" ? html`<${Versions} workflow=${workflow} versions=${versions} diff=${query.diff} />`
    : html`<${Recent} name=${workflow.name} />`}</div>`}<//>`;
}
