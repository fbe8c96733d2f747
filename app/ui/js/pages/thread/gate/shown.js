// A value as somebody reads it who is to decide: texts as texts, a few fields as lines, all else as a tree.
import { html, useState } from "../../../lib/html.js";
import { stringify } from "../../../lib/json.js";
import { Button } from "../../../kit/bits.js";
import { JsonTree } from "../../../kit/tree.js";

const FIELDS = 12;
const LONG = 1200;

export function Shown({ value }) {
  if (typeof value === "string") return html`<${Text} text=${value} />`;
  const fields = value && typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : null;
  if (!fields || !fields.length || fields.length > FIELDS) return value !== null && typeof value === "object" ? html`<${JsonTree} value=${value} name="value" height=${320} />` : html`<p><code>${stringify(value)}</code></p>`;
  return html`<dl class="shown">${fields.map(([name, one]) => html`<div key=${name} class=${typeof one === "string" && one.length > 60 ? "long" : ""}><dt>${name}</dt><dd><${Inner} value=${one} name=${name} /></dd></div>`)}</dl>`;
}

function Inner({ value, name }) {
  if (typeof value === "string") return html`<${Text} text=${value} />`;
  if (value === null || typeof value !== "object") return html`<code>${stringify(value)}</code>`;
  return html`<${JsonTree} value=${value} name=${name} height=${240} />`;
}

function Text({ text }) {
  const [open, setOpen] = useState(false);
  const cut = text.length > LONG && !open;
  return html`<p class="text">${cut ? `${text.slice(0, LONG)}…` : text.slice(0, 200_000)}</p>${text.length > LONG && html`<${Button} kind="quiet small" onClick=${() => setOpen(!open)}>${open ? "Less" : "All of it"}<//>`}`;
}
