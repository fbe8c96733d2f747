// The workflows: what there is to start, and how each has done in the last day.
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { NEW, all, curl, definitions, matching, pageOf, startOf } from "../lib/definitions.js";
import { listen } from "../lib/feed.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { go, setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { paced } from "../lib/pace.js";
import { plural } from "../lib/words.js";
import { CodeLine } from "../kit/bits.js";
import { Empty, Face, Loading } from "../kit/faces.js";
import { List } from "../kit/list.js";
import { useTitle } from "../frame.js";
import { Heads, Row } from "./workflows/row.js";

const PACE = 10_000;
const ENDS = new Set(["workflow_complete", "workflow_failed", "workflow_cancelled", "workflow_interrupted"]);

export default function Workflows({ query }) {
  useTitle("Workflows");
  const styled = useStyle("workflows");
  const found = useResource((signal) => definitions(signal), []);
  const figures = useFigures();
  const [text, setText] = useState(query.text ?? "");
  const [cursor, setCursor] = useState(-1);
  const height = useRowHeight();
  useEffect(() => {
    const timer = setTimeout(() => setQuery({ text: text.trim() }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  const list = useMemo(() => matching(found.value.value ?? [], text), [found.value.value, text]);
  const move = (by) => {
    const next = Math.max(0, Math.min(list.length - 1, cursor + by));
    setCursor(next);
    requestAnimationFrame(() => document.querySelector(`.workflows [data-index="${next}"] a.open`)?.focus({ preventScroll: true }));
  };
  const here = () => list[cursor]?.name;
  useKeys("Workflows", {
    j: { does: "next workflow", run: () => move(1) },
    k: { does: "workflow before", run: () => move(-1) },
    Enter: { does: "open it", run: () => here() && go(pageOf(here())) },
    s: { does: "start it", run: () => go(here() ? startOf(here()) : "/start") },
    n: { does: "new workflow", run: () => go(NEW) },
    f: { does: "find by text", run: () => document.querySelector("#find-workflow")?.focus() },
  }, [cursor, list]);
  if (!styled) return html`<${Loading} />`;
  return html`<div class="head"><h1>Workflows</h1><div class="actions"><a class="button main" href=${NEW}>New workflow</a></div></div>
    <${Face} of=${found}>${(whole) => (whole.length === 0 ? html`<${First} />` : html`
      <div class="finder"><input type="search" id="find-workflow" placeholder="Find by name or description" aria-label="Find a workflow" value=${text} spellcheck=${false}
        onInput=${(event) => { setText(event.target.value); setCursor(-1); }} /><span class="muted" role="status">${plural(list.length, "workflow")}</span></div>
      ${list.length === 0 ? html`<p class="muted">None has these words in its name or description.</p>` : html`<div class="workflows"><${Heads} />
        <${List} rows=${list} keyOf=${(one) => one.name} height=${height} label="Workflows" selected=${cursor}
          draw=${(one) => html`<${Row} workflow=${one} figures=${figures.value.value?.get(one.name)} known=${figures.value.value !== null} />`} /></div>`}`)}<//>`;
}

/** What the executions of the last 24 hours came to, by workflow; asked for again when some have ended. */
function useFigures() {
  const found = useResource(async (signal) => {
    const list = await all("/metrics/workflows", "workflows", { params: { window: "24h" }, signal });
    return new Map(list.map((one) => [one.name, one]));
  }, []);
  useEffect(() => {
    const soon = paced(found.reload, PACE);
    const stop = listen({
      onEvents: (events) => { if (events.some(({ data }) => ENDS.has(data.event))) soon(); },
      onOpen: ({ again }) => { if (again) soon(); },
    });
    return () => {
      stop();
      soon.stop();
    };
  }, [found]);
  return found;
}

function useRowHeight() {
  const narrow = useMemo(() => matchMedia("(max-width: 900px)"), []);
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const change = () => setIs(narrow.matches);
    narrow.addEventListener("change", change);
    return () => narrow.removeEventListener("change", change);
  }, []);
  return is ? 84 : 56;
}

const EXAMPLE = `{"name": "hello", "steps": [{"id": "wait", "sleep": "2s"}, {"id": "ask", "gate": {"title": "Did it work?"}}]}`;

function First() {
  return html`<${Empty} title="No workflows yet">
    <p>A workflow is a document in YAML or JSON: its steps, what each of them does, and what waits for what. Write one here, or send one from a terminal; the same content stays the same version, a change is the next one.</p>
    <${CodeLine} text=${curl("/workflows", EXAMPLE)} /><a class="button main" href=${NEW}>New workflow</a><//>`;
}
