// Start a workflow: choose one, say what it works on, and off it goes.
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { get, path } from "../lib/api.js";
import { NEW, definition, definitions, matching, pageOf, startOf } from "../lib/definitions.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { go, setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { plural } from "../lib/words.js";
import { Empty, Face, Loading, Missing } from "../kit/faces.js";
import { List } from "../kit/list.js";
import { complain } from "../kit/toast.js";
import { useTitle } from "../frame.js";
import { StartForm } from "./start/form.js";

export default function Start({ parts, query }) {
  const styled = useStyle("start");
  const [name] = parts;
  useTitle(name ? `Start ${name}` : "Start a workflow");
  if (!styled) return html`<${Loading} />`;
  return name ? html`<${Chosen} key=${`${name}@${query.version ?? ""} ${query.from ?? ""}`} name=${name} version=${query.version} from=${query.from} />` : html`<${Choose} query=${query} />`;
}

function Chosen({ name, version, from }) {
  const found = useResource(async (signal) => {
    const [workflow, given] = await Promise.all([definition(name, version, signal), from && inputOf(from, signal).catch((error) => complain(error, "The input of that thread could not be read"))]);
    return { workflow, given };
  }, [name, version, from]);
  if (found.problem.value?.status === 404) return html`<${Missing} what="workflow" name=${name} version=${version} />`;
  return html`<div class="start">
    <div class="head"><h1 class="crumbs"><a href="/start">Start</a> <span class="faint">/</span> <span class="here">${name}</span></h1></div>
    <${Face} of=${found} what="This workflow cannot be started">${({ workflow, given }) => html`
      <p class="about">${workflow.description ?? html`<span class="faint">It has no description.</span>`}${" "}
        <span class="muted nowrap">${plural(workflow.steps.length, "step")} · <a class="link" href=${pageOf(workflow.name, `?version=${workflow.version}`)}>version ${workflow.version}</a></span></p>
      <${StartForm} workflow=${workflow} pinned=${version} from=${from} given=${given} />`}<//>
  </div>`;
}

/** What the present input of a thread is: that of the version which it began with. */
async function inputOf(thread, signal) {
  const { history } = await get(path`/invoke/history/${thread}`, { params: { step: "START", on_timeline: true, limit: 1000 }, signal });
  return history.length ? (await get(path`/invoke/history/${thread}/${history.at(-1).version}`, { signal })).state.input : undefined;
}

function Choose({ query }) {
  const found = useResource((signal) => definitions(signal), []);
  const [text, setText] = useState(query.text ?? "");
  const [cursor, setCursor] = useState(-1);
  useEffect(() => {
    const timer = setTimeout(() => setQuery({ text: text.trim() }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  const list = useMemo(() => matching(found.value.value ?? [], text), [found.value.value, text]);
  const move = (by) => setCursor(Math.max(0, Math.min(list.length - 1, cursor + by)));
  useKeys("Choose a workflow", {
    j: { does: "next workflow", run: () => move(1) },
    k: { does: "workflow before", run: () => move(-1) },
    Enter: { does: "choose it", run: () => list[cursor] && go(startOf(list[cursor].name)) },
    f: { does: "find by text", run: () => document.querySelector("#find-workflow")?.focus() },
  }, [cursor, list]);
  return html`<div class="head"><h1>Start a workflow</h1></div>
    <${Face} of=${found}>${(whole) => (whole.length === 0 ? html`<${None} />` : html`
      <div class="finder"><input type="search" id="find-workflow" placeholder="Find by name or description" aria-label="Find a workflow" value=${text} spellcheck=${false}
        onInput=${(event) => { setText(event.target.value); setCursor(-1); }} onKeyDown=${(event) => event.key === "Enter" && list[0] && go(startOf(list[Math.max(0, cursor)].name))} />
        <span class="muted">${plural(list.length, "workflow")}</span></div>
      ${list.length === 0 && html`<p class="muted">None has these words in its name or description.</p>`}
      <div class="choices"><${List} rows=${list} keyOf=${(one) => one.name} height=${56} label="Workflows" selected=${cursor} draw=${(one) => html`<a class="choice" href=${startOf(one.name)}>
        <b class="cut">${one.name}</b><span class="faint nowrap">${plural(one.steps.length, "step")}</span><span class="muted cut">${one.description ?? "–"}</span></a>`} /></div>`)}<//>`;
}

function None() {
  return html`<${Empty} title="No workflow to start yet"><p>A workflow is a document in YAML or JSON that says which steps there are and what waits for what. Write the first one here.</p>
    <a class="button main" href=${NEW}>New workflow</a><//>`;
}
