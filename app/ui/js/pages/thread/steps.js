// The steps of a thread: as a graph where its workflow has one, and as a list; the choice stands in the address (`as`).
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { own } from "../../lib/own.js";
import { setQuery } from "../../lib/route.js";
import { number } from "../../lib/words.js";
import { Loading } from "../../kit/faces.js";
import { Graph } from "../../kit/graph.js";
import { StepList } from "./list.js";
import { choose } from "./selection.js";

const WIDE = 200; // steps above which the list comes first
const HEIGHT = 420;

export function Steps({ thread, query }) {
  const { steps } = thread.status.value;
  const definition = thread.definition.value.value;
  const graph = definition?.graph ?? null;
  const known = definition !== null;
  const drawn = graph !== null || !(known || thread.definition.problem.value); // by what is known so far
  const as = drawn ? (query.as ?? (steps.length > WIDE ? "list" : "graph")) : "list";
  const notes = useNotes(thread, graph);
  const states = useMemo(() => Object.fromEntries(steps.map((step) => [step.id, step.status])), [steps]);
  const tab = (id, label) => html`<button type="button" class="button small quiet" aria-pressed=${as === id} onClick=${() => setQuery({ as: id })}>${label}</button>`;
  return html`<section class="sheet steps" aria-label="Steps">
    <header><h2>Steps</h2>${graph && html`<span class="actions switch">${tab("graph", "Graph")}${tab("list", "List")}</span>`}</header>
    ${as === "graph" && !graph && html`<${Loading} />`}
    ${as === "graph" && graph && html`<${Graph} graph=${graph} states=${states} notes=${notes} selected=${query.step ?? null} onSelect=${(id) => choose(id)} height=${HEIGHT} label="Steps of this thread" />`}
    ${as === "list" && html`<${StepList} thread=${thread} query=${query} notes=${notes} graph=${graph} known=${known} height=${HEIGHT} />`}
  </section>`;
}

/** A few characters for a step's box: how many of its items are done, its attempt, what it tells of itself. */
function useNotes(thread, graph) {
  const { steps } = thread.status.value;
  const told = thread.told.value;
  const counts = useCounts(thread, graph);
  return useMemo(() => {
    const notes = new Map();
    for (const step of steps) {
      const said = told.get(step.id);
      const parts = /^(\d+)(?: of (\d+))? items/.exec(said?.message ?? "");
      const round = /^iteration (\d+) /.exec(said?.message ?? "");
      if (round && step.status === "running") notes.set(step.id, `iteration ${round[1]}`);
      else if (parts) notes.set(step.id, parts[2] ? `${parts[1]}/${parts[2]}` : parts[1]);
      else if (own(counts, step.id)) notes.set(step.id, own(counts, step.id));
      else if (step.attempt > 1) notes.set(step.id, `attempt ${step.attempt}`);
      else if (step.status === "running" && typeof said?.progress === "number") notes.set(step.id, `${Math.round(said.progress * 100)} %`);
    }
    return Object.fromEntries(notes);
  }, [steps, told, counts]);
}

/** How many items of the steps with parts are done, asked when such a step begins or ends; in between its progress tells. */
function useCounts(thread, graph) {
  const [counts, setCounts] = useState({});
  const parts = useMemo(() => new Set((graph?.nodes ?? []).filter((node) => node.parts).slice(0, 50).map((node) => node.id)), [graph]);
  const key = thread.status.value.steps.filter((step) => parts.has(step.id) && step.attempt).map((step) => `${step.id} ${step.status} ${step.started_at}`).join();
  useEffect(() => {
    const control = new AbortController();
    for (const line of key.split(",").filter(Boolean)) {
      const step = line.slice(0, line.lastIndexOf(" ", line.lastIndexOf(" ") - 1));
      get(path`/workflow/items/${thread.id}/${step}`, { params: { limit: 1 }, signal: control.signal }).then(({ counts: { total, completed, failed } }) => {
        setCounts((before) => ({ ...before, [step]: total === null ? number(completed + failed) : `${number(completed + failed)}/${number(total)}` }));
      }, () => {});
    }
    return () => control.abort();
  }, [key]);
  return counts;
}
