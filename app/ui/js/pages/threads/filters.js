// Which threads: by status with counts, workflow, time and text. All of it stands in the address.
import { html, useEffect, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { own } from "../../lib/own.js";
import { setQuery } from "../../lib/route.js";
import { useTyped } from "../../lib/typed.js";
import { number } from "../../lib/words.js";
import { Mark, STATES } from "../../kit/marks.js";

const TIMES = { "1h": ["the last hour", 3600], "24h": ["the last day", 86_400], "7d": ["the last week", 7 * 86_400] };
const TYPING = 250;

/** The filters of the list for the query of the address. */
export function filtersOf(query) {
  return { status: query.status, workflow: query.workflow, text: query.text, within: own(TIMES, query.time)?.[1], children: query.children === "true" };
}

export function Filters({ query, counts }) {
  const chosen = new Set((query.status ?? "").split(",").filter(Boolean));
  const toggle = (state) => {
    const next = new Set(chosen);
    if (!next.delete(state)) next.add(state);
    setQuery({ status: [...next].join(",") });
  };
  return html`<div class="filters">
    <div class="chips" role="group" aria-label="By status">${STATES.map((state) => html`<button type="button" class="chip" key=${state} data-state=${state}
      aria-pressed=${chosen.has(state)} onClick=${() => toggle(state)}><${Mark} state=${state} />${state} <${Count} counts=${counts} state=${state} /></button>`)}</div>
    <${Workflows} chosen=${query.workflow} />
    <select aria-label="By time" value=${query.time ?? ""} onChange=${(event) => setQuery({ time: event.target.value })}>
      <option value="">any time</option>${Object.entries(TIMES).map(([value, [label]]) => html`<option key=${value} value=${value}>${label}</option>`)}
    </select>
    <${Text} given=${query.text ?? ""} />
    <label class="check small muted"><input type="checkbox" checked=${query.children === "true"} onChange=${(event) => setQuery({ children: event.target.checked || null })} />sub-workflows too</label>
  </div>`;
}

function Count({ counts, state }) {
  const count = counts?.counts[state];
  if (count === undefined) return null;
  return html`<b class=${count ? "" : "zero"}>${number(count)}${count >= counts.capped_at ? "+" : ""}</b>`;
}

function Workflows({ chosen }) {
  const [names, setNames] = useState([]);
  useEffect(() => {
    get("/workflows", { params: { limit: 1000 } }).then((found) => setNames(found.workflows.map((one) => one.name)), () => {});
  }, []);
  const all = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  return html`<select aria-label="By workflow" value=${chosen ?? ""} onChange=${(event) => setQuery({ workflow: event.target.value })}>
    <option value="">all workflows</option>${all.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
  </select>`;
}

function Text({ given }) {
  const [text, setText] = useTyped(given, TYPING, (typed) => setQuery({ text: typed }));
  return html`<input type="search" id="filter-text" class="text" placeholder="id, input, who started it" aria-label="By text" value=${text} spellcheck=${false}
    onInput=${(event) => setText(event.target.value)} />`;
}
