// The editor of a workflow document: what is wrong is told while it is written, and its graph is drawn beside it.
import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { send } from "../../lib/api.js";
import { definition, definitions, pageOf } from "../../lib/definitions.js";
import { parse } from "../../lib/json.js";
import { useKeys } from "../../lib/keys.js";
import { useResource } from "../../lib/resource.js";
import { go } from "../../lib/route.js";
import { Ago, Button } from "../../kit/bits.js";
import { confirm } from "../../kit/dialog.js";
import { Empty, Face, Missing } from "../../kit/faces.js";
import { Graph } from "../../kit/graph.js";
import { say } from "../../kit/toast.js";
import { Choice, preferred, textOf } from "./document.js";
import { useDraft } from "./draft.js";
import { Text } from "./text.js";
import { useValidation } from "./validation.js";

const EXAMPLE = `name: my-workflow
description: What it is for, in a sentence.
input:
  type: object
  required: [topic]
  properties:
    topic: {type: string, title: Topic, description: What it is about.}
steps:
  - id: breathe
    sleep: 2s
  - id: decide
    needs: [breathe]
    gate:
      title: "Go on with {input.topic}?"
      form:
        type: object
        required: [approved]
        properties:
          approved: {type: boolean, title: Go on}
          note: {type: string, title: Why}
output: {topic: "{input.topic}", approved: "{decide.output.approved}"}
`;

/** Without a `name` a new workflow begins with a small one that works. */
export function Editor({ name, version }) {
  const found = useResource(async (signal) => {
    if (!name) return { text: EXAMPLE, version: 0 };
    const stored = await definition(name, version, signal);
    return { text: textOf(stored.document, preferred()), document: stored.document, version: stored.version, code: stored.graph === null };
  }, [name, version]);
  return html`<${Face} of=${found} missing=${html`<${Missing} what="workflow" name=${name} version=${version} />`}>${(stored) => (stored.code
    ? html`<${Empty} title="This workflow is written in Python"><p>It is changed in its code, and registered by the service that runs it.</p><a class="button" href=${pageOf(name)}>Back to it</a><//>`
    : html`<${Editing} key=${`${name ?? ""}@${stored.version}`} name=${name} stored=${stored} />`)}<//>`;
}

function Editing({ name, stored }) {
  const draft = useDraft(name ?? "", stored);
  const { text } = draft;
  const validation = useValidation(text);
  const editor = useRef(null);
  const [busy, setBusy] = useState(false);
  const [selected, setSelected] = useState(null);
  const next = useNext(validation.name, validation.hash);
  const nothing = !draft.changed && Boolean(name);

  const save = async () => {
    if (busy || nothing) return;
    setBusy(true);
    const now = await next.meanwhile();
    if (!now) return void await post();
    setBusy(false);
    confirm({ title: `Version ${now} was saved meanwhile`, action: `Save as version ${now + 1}`, run: () => void post(),
      text: `Version ${now} was not there when you opened this page. What it changed is not in your text, which is what new threads will run.` });
  };
  const post = async () => {
    setBusy(true);
    try {
      const made = await send("POST", "/workflows", text, { headers: { "content-type": "application/yaml" } });
      draft.saved();
      say(made.version <= next.newest() ? `The same as version ${made.version}: nothing new was made.` : `Saved as version ${made.version} of ${made.name}.`);
      go(pageOf(made.name));
    } catch (error) {
      setBusy(false);
      if (error.problems.length) {
        validation.tell(error.problems);
        say("It is not saved: see what is wrong.", { wrong: true });
      } else say(`It is not saved: ${error.detail}`, { wrong: true });
    }
  };
  useSaveKey(save);
  useKeys("Editor", { "Ctrl+S": { does: "save" }, "Escape Tab": { does: "out of the text by Tab" } });

  const first = validation.problems.find((one) => one.line);
  const select = (id) => {
    setSelected(id);
    if (id) editor.current.find(id);
  };
  return html`<${Head} name=${name}><${Button} kind="main" busy=${busy} disabled=${validation.state === "wrong" || nothing} onClick=${save}>${label(next, validation, name)}<//><//>
    ${draft.found && html`<p class="note about row wrap"><span>Your unsaved text of <${Ago} at=${draft.at} />${draft.old ? `, begun with version ${draft.base}; what stands here without it is version ${stored.version}` : ""}.</span>
      <${Button} kind="small" onClick=${() => discard(draft, name)}>Discard it<//></p>`}
    <div class="editing">
      <section class="sheet" aria-label="Document"><header><h2>Document</h2>${draft.changed && html`<span class="tag">not saved; kept in this browser</span>`}
        <div class="actions"><${Written} text=${text} draft=${draft} /></div></header>
        <${Text} ref_=${editor} value=${text} onInput=${draft.set} problems=${validation.problems} />
      </section>
      <div class="beside">
        <section class="sheet" aria-label="What is wrong" data-state=${validation.state}><header><h2>${HEADS[validation.state]}</h2></header>
          ${validation.problems.length > 0 && html`<${Problems} list=${validation.problems} jump=${(one) => editor.current.jump(one)} />`}
          <p class="visually-hidden" role="status">${first ? `${validation.problems.length} wrong, the first in line ${first.line}` : HEADS[validation.state]}</p>
        </section>
        <section class="sheet" aria-label="Steps">
          ${validation.graph ? html`<${Graph} graph=${validation.graph} selected=${selected} onSelect=${select} height=${560} />` : html`<p class="body muted">The graph of the steps is drawn here once the document has no faults.</p>`}
          ${validation.graph && validation.state === "wrong" && html`<p class="code-hint">The steps as they last were without faults.</p>`}</section>
      </div>
    </div>`;
}

function Head({ name, children }) {
  const slash = html` <span class="faint">/</span> `;
  return html`<div class="head">
    <h1 class="crumbs"><a href="/workflows">Workflows</a>${slash}${name ? html`<a href=${pageOf(name)}>${name}</a>${slash}<span class="here">edit</span>` : html`<span class="here">new</span>`}</h1>
    <div class="actions">${children}</div></div>`;
}

/** What is wrong, each with its line and column; a click goes there. */
function Problems({ list, jump }) {
  return html`<ul class="problems">${list.map((one, index) => html`<li key=${index}><button type="button" disabled=${!one.line} onClick=${() => jump(one)}>
    <span class="mono faint">${one.line ? `${one.line}:${one.column ?? 1}` : "–"}</span>
    <span>${one.message}${one.pointer && html` <code class="faint">${one.pointer}</code>`}</span></button></li>`)}</ul>`;
}

const HEADS = { asking: "Looking…", right: "No faults", wrong: "What is wrong", away: "The service cannot be asked now" };

function label({ version, same, name }, { state }, here) {
  if (state !== "right" || !version) return "Save";
  if (same) return `The same as version ${version - 1}`;
  return name === here ? `Save as version ${version}` : `Save as version ${version} of ${name}`;
}

function discard(draft, name) {
  const text = name ? "What you have changed is gone; the stored version is shown again." : "What you have written is gone; the example is shown again.";
  confirm({ title: "Discard your text?", text, action: "Discard", kind: "danger main", run: draft.discard });
}

/** As YAML or JSON: written anew from what the text says, which loses comments of YAML. */
function Written({ text, draft }) {
  const isJson = text.trimStart().startsWith("{");
  const choose = (form) => {
    if ((form === "json") === isJson) return;
    if (isJson) {
      try {
        draft.set(textOf(parse(text), "yaml"));
      } catch (error) {
        say(`This JSON cannot be read: ${error.message}`, { wrong: true });
      }
    } else if (!draft.changed && draft.document) draft.set(textOf(draft.document, form), { same: true });
    else say("Save it first: YAML that you have changed is not turned into JSON here.");
  };
  return html`<${Choice} form=${isJson ? "json" : "yaml"} choose=${choose} label="Written as" />`;
}

/**
 * Which version a save would make; `meanwhile()` looks again, and answers the newest one if that is another than was known.
 * Looked up in the list: asking for a name that is not there yet would be an error.
 */
function useNext(name, hash) {
  const found = useResource((signal) => definitions(signal), []);
  const newest = () => found.value.peek()?.find((one) => one.name === name);
  return useMemo(() => ({
    name,
    version: found.value.value && name ? (newest()?.version ?? 0) + 1 : null,
    same: Boolean(hash && newest()?.hash === hash),
    newest: () => newest()?.version ?? 0,
    async meanwhile() {
      const before = found.value.peek() && newest();
      await found.reload();
      const now = newest();
      return before !== null && now && now.version !== (before?.version ?? 0) && now.hash !== hash ? now.version : null;
    },
  }), [found.value.value, name, hash]);
}

function useSaveKey(save) {
  const latest = useRef(save);
  latest.current = save;
  useEffect(() => {
    const pressed = (event) => {
      if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) latest.current();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
