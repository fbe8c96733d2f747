// A value as JSON text: for what no field can be drawn of, and for a whole form.
import { html, useRef, useState } from "../../lib/html.js";
import { parse, stringify } from "../../lib/json.js";
import { Field } from "../bits.js";
import { Unreadable } from "./schema.js";

/** A field of JSON; a text that is none is given as an Unreadable, so that it is neither lost nor sent. */
export function JsonField({ id, label, hint, fault, value, onChange, onBlur, rows = 4 }) {
  const sent = useRef({ value, text: written(value) });
  const [, draw] = useState(0);
  if (sent.current.value !== value) sent.current = { value, text: written(value) };
  const { text } = sent.current;
  const onInput = (event) => {
    const next = event.target.value;
    sent.current = { value: read(next), text: next };
    draw((count) => count + 1);
    onChange(sent.current.value);
  };
  const lines = Math.min(24, Math.max(rows, text.split("\n").length));
  return html`<${Field} id=${id} label=${label} hint=${hint} fault=${fault}>
    <textarea id=${id} class="mono json" rows=${lines} value=${text} spellcheck=${false} autocapitalize="off" aria-invalid=${fault ? "true" : undefined}
      aria-describedby=${described(id, hint, fault)} onInput=${onInput} onBlur=${onBlur}></textarea>
  <//>`;
}

const TOO_LARGE = /e\+?\d{3}/i;

/** Whether all numbers of a value are such as JSON can have: others would be sent as null. */
function sent(value) {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(sent);
}

/** What a text says: undefined when it is empty. */
export function read(text) {
  if (!text.trim()) return undefined;
  try {
    const value = parse(text);
    return TOO_LARGE.test(text) && !sent(value) ? new Unreadable(text, "A number in it is too large for JSON.") : value;
  } catch (error) {
    return new Unreadable(text, `This is no JSON: ${error.message}.`);
  }
}

function written(value) {
  if (value === undefined) return "";
  if (value instanceof Unreadable) return value.text;
  try {
    return stringify(value, 2);
  } catch {
    return withTexts(value);
  }
}

/** A value that holds texts which are no JSON: they stand in it as they are. */
function withTexts(value) {
  const texts = [];
  const marked = (one) => {
    if (one instanceof Unreadable) return `\0${texts.push(one.text) - 1}\0`;
    if (Array.isArray(one)) return one.map(marked);
    return typeof one === "object" && one !== null ? Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, marked(inner)])) : one;
  };
  return stringify(marked(value), 2).replace(/"\\u0000(\d+)\\u0000"/g, (_whole, index) => texts[index]);
}

/** The ids of what stands beside a field, for who cannot see it; no pointer has such an end, whatever its names are. */
export function described(id, hint, fault) {
  return [hint && `${id}~hint`, fault && `${id}~fault`].filter(Boolean).join(" ") || undefined;
}
