// The input for an agent as JSON, until it is a form: the same interface as a form made of a schema.
import { html, useEffect, useState } from "../../lib/html.js";
import { typed } from "../../lib/fault.js";

/** A field for a JSON value; `onChange(value, fault)` is told of each change, `faults` are `{pointer, message}`. */
export function JsonField({ schema, value, onChange, faults = [], id }) {
  const [text, setText] = useState(() => JSON.stringify(value ?? null, null, 2));
  const [fault, setFault] = useState(null);
  useEffect(() => setText(JSON.stringify(value ?? null, null, 2)), [schema]);
  const onInput = (event) => {
    setText(event.target.value);
    const found = typed(event.target.value);
    setFault(found.fault ?? null);
    onChange(found.value, found.fault ?? null);
  };
  return html`<div class="field"><label for=${id}>Input, as JSON</label>
    <textarea id=${id} class="mono document" rows="8" spellcheck=${false} value=${text} onInput=${onInput} aria-invalid=${Boolean(fault) || faults.length > 0} aria-describedby=${`${id}-faults`}></textarea>
    <ul class="faults" id=${`${id}-faults`} role="alert">${fault && html`<li>${fault}</li>`}${faults.map((one, index) => html`<li key=${index}>${one.pointer && html`<code>${one.pointer}</code> `}${one.message}</li>`)}</ul></div>`;
}

/** A value to begin with: what a schema says by default, and something empty for what it requires. */
export function firstValue(schema) {
  if (!schema || typeof schema !== "object") return {};
  if ("default" in schema) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  if ("const" in schema) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  const kind = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (kind === "string") return "";
  if (kind === "number" || kind === "integer") return schema.minimum ?? 0;
  if (kind === "boolean") return false;
  if (kind === "array") return [];
  if (kind === "null") return null;
  const named = Object.entries(schema.properties ?? {}).filter(([name, one]) => schema.required?.includes(name) || "default" in one);
  return Object.fromEntries(named.map(([name, one]) => [name, firstValue(one)]));
}
