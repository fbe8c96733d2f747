// Which events: all of it stands in the address.
import { html, useState } from "../../lib/html.js";
import { setQuery } from "../../lib/route.js";
import { useTyped } from "../../lib/typed.js";
import { Button } from "../../kit/bits.js";
import { NAMES, TYPES } from "./names.js";

const TIMES = { "1h": ["the last hour", 3600], "24h": ["the last day", 86_400], "7d": ["the last week", 7 * 86_400] };
const TYPING = 300;
const FIELDS = { workflow: "workflow", thread: "thread id", step: "step", agent: "agent" };
export const KEYS = ["event", "type", "workflow", "thread", "step", "agent", "time", "text"];

/** The filters of the API for the query of the address. */
export function filtersOf(query) {
  const seconds = TIMES[query.time]?.[1];
  const since = seconds ? new Date(Math.floor((Date.now() - seconds * 1000) / 60_000) * 60_000).toISOString() : undefined;
  return { event: query.event, type: query.type, workflow: query.workflow, thread_id: query.thread, step_id: query.step, agent: query.agent, since,
    text: query.text };
}

export function Filters({ query }) {
  const chosen = (query.event ?? "").split(",").filter(Boolean);
  const [open, setOpen] = useState(false);
  const pick = (name) => (event) => setQuery({ [name]: event.target.value });
  return html`<div class="filters">
    <div class="chips" role="group" aria-label="By class">${TYPES.map((type) => html`<button type="button" class="chip" key=${type}
      aria-pressed=${query.type === type} onClick=${() => setQuery({ type: query.type === type ? null : type })}>${type}</button>`)}</div>
    <select aria-label="By event" value="" onChange=${(event) => setQuery({ event: [...new Set([...chosen, event.target.value])].join(",") })}>
      <option value="">${chosen.length ? "and…" : "any event"}</option>${NAMES.filter((name) => !chosen.includes(name)).map((name) => html`<option key=${name}
        value=${name}>${name}</option>`)}</select>
    ${chosen.map((name) => html`<button type="button" class="chip" aria-pressed="true" key=${name} title="Take it away"
      onClick=${() => setQuery({ event: chosen.filter((one) => one !== name).join(",") })}>${name} <span aria-hidden="true">×</span>
      <span class="visually-hidden">, take it away</span></button>`)}
    <${Button} kind="small open-filters" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Fewer filters" : "More filters"}<//>
    <div class="rest" data-open=${open || undefined}>
    ${Object.entries(FIELDS).map(([name, label]) => html`<${Typed} key=${name} name=${name} label=${label} given=${query[name] ?? ""} />`)}
    <select aria-label="By time" value=${query.time ?? ""} onChange=${pick("time")}>
      <option value="">any time</option>${Object.entries(TIMES).map(([value, [label]]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
    <${Typed} name="text" label="text of the data" given=${query.text ?? ""} id="event-text" />
  </div></div>`;
}

/** A field whose text goes into the address once nobody types any more. */
export function Typed({ name, label, given, id }) {
  const [text, setText] = useTyped(given, TYPING, (typed) => setQuery({ [name]: typed }));
  return html`<input type="search" id=${id} class="typed" placeholder=${label} aria-label=${`By ${label}`} value=${text} spellcheck=${false}
    onInput=${(event) => setText(event.target.value)} />`;
}
