// The parts of a form that hold others: objects, entries by name, lists, alternatives. `form.One` draws what they hold.
import { html, useRef, useState } from "../../lib/html.js";
import { own } from "../../lib/own.js";
import { Button } from "../bits.js";
import { choiceOf } from "./check.js";
import { fits } from "./pattern.js";
import { Beside } from "./scalars.js";
import { MISSING, below, choicesOf, initial, kindOf, resolved, titled } from "./schema.js";

/** An object: a field for each property, and rows for entries by other names. */
export function ObjectField({ schema, form, pointer, id, title, label, hint, fault, value, onChange, required, bare }) {
  const kept = value ?? {};
  const named = Object.entries(schema.properties ?? {}).filter(([name, part]) => part !== false || Object.hasOwn(kept, name));
  const set = (name, next) => {
    const before = own(kept, name);
    // A value that was there stays in its place.
    if (next !== undefined) onChange(before === undefined ? { ...kept, [name]: next } : Object.fromEntries(Object.entries(kept).map(([key, one]) => [key, key === name ? next : one])));
    else onChange(Object.fromEntries(Object.entries(kept).filter(([key]) => key !== name)));
  };
  const absent = value === undefined && !required && !bare;
  const fields = absent ? null : html`<div class="fields">
    ${named.map(([name, part]) => html`<${form.One} key=${name} schema=${part} form=${form} pointer=${below(pointer, name)} name=${name} value=${own(kept, name)}
      required=${schema.required?.includes(name)} onChange=${(next) => set(name, next)} />`)}
    <${Entries} schema=${schema} form=${form} pointer=${pointer} value=${kept} onChange=${onChange} /></div>`;
  if (bare) return html`<div id=${id} tabindex="-1">${fields}<${Beside} id=${id} fault=${fault} /></div>`;
  return html`<fieldset class="group" id=${id} tabindex="-1">
    <legend class=${label || !required ? undefined : "visually-hidden"}>${label ?? title}${!required && html`<${Toggle} there=${!absent} add=${() => onChange(initial(schema, form.root) ?? {})} remove=${() => onChange(undefined)} title=${title} />`}</legend>
    <${Beside} id=${id} hint=${hint} fault=${fault} />${fields}</fieldset>`;
}

function Toggle({ there, add, remove, title }) {
  return html` <${Button} kind="small quiet" aria-label=${there ? `Remove ${title}` : `Add ${title}`} onClick=${there ? remove : add}>${there ? "Remove" : "Add"}<//>`;
}

/** Entries whose names the schema does not know: a name and a value each. */
function Entries({ schema, form, pointer, value, onChange }) {
  const { properties = {}, patternProperties, additionalProperties } = schema;
  const open = additionalProperties !== false && (additionalProperties !== undefined || patternProperties || !schema.properties);
  const names = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
  if (!open && !names.length && !patternProperties) return null;
  const other = additionalProperties === false ? Object.values(patternProperties ?? {})[0] ?? true : additionalProperties ?? true;
  const partOf = (name) => Object.entries(patternProperties ?? {}).find(([pattern]) => fits(pattern, name))?.[1] ?? other;
  const rebuilt = (change) => onChange(Object.fromEntries(Object.entries(value).flatMap(change)));
  const add = () => {
    let name = "name";
    for (let count = 2; Object.hasOwn(value, name) || Object.hasOwn(properties, name); count += 1) name = `name${count}`;
    onChange({ ...value, [name]: empty(partOf(name), form.root) });
  };
  const taken = (name) => Object.hasOwn(value, name) || Object.hasOwn(properties, name);
  return html`<div class="entries">
    ${names.map((name, index) => html`<div class="entry" key=${index}>
      <${Name} name=${name} id=${form.idOf(`${below(pointer, name)}~name`)} taken=${taken} rename=${(next) => rebuilt(([key, one]) => [[key === name ? next : key, one]])} />
      <${form.One} schema=${partOf(name)} form=${form} pointer=${below(pointer, name)} name=${name} plain label="Value" value=${value[name]} required
        onChange=${(next) => rebuilt(([key, one]) => [[key, key === name ? next ?? blank(partOf(name), form.root) : one]])} />
      <${Button} kind="small quiet" icon="close" label=${`Remove ${name}`} onClick=${() => rebuilt(([key, one]) => (key === name ? [] : [[key, one]]))} />
    </div>`)}
    ${(open || patternProperties) && html`<${Button} kind="small" icon="plus" onClick=${add}>Add an entry<//>`}
  </div>`;
}

function Name({ name, id, taken, rename }) {
  const [draft, setDraft] = useState(null);
  const twice = draft !== null && draft !== name && taken(draft);
  const done = () => {
    if (draft !== null && draft !== name && !twice) rename(draft);
    if (!twice) setDraft(null);
  };
  // Enter sends the form, with the name as it stands here; not with another one.
  const enter = (event) => {
    if (event.key !== "Enter") return;
    if (!twice) return void done();
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="field"><label class="visually-hidden" for=${id}>Name</label><input id=${id} type="text" placeholder="name" value=${draft ?? name} aria-invalid=${twice ? "true" : undefined} spellcheck=${false}
    onInput=${(event) => setDraft(event.target.value)} onBlur=${done} onKeyDown=${enter} />${twice && html`<p class="fault" role="alert">This name stands there already: the entry is still “${name}”.</p>`}</div>`;
}

/** A list: its entries can be added, removed and moved. */
export function ListField({ schema, form, pointer, id, title, label, hint, fault, value, onChange, required }) {
  const list = value ?? [];
  const partOf = (index) => schema.prefixItems?.[index] ?? schema.items ?? true;
  const full = (schema.items === false && list.length >= (schema.prefixItems?.length ?? 0)) || list.length >= (schema.maxItems ?? Infinity);
  const set = (index, next) => onChange(list.with(index, next ?? blank(partOf(index), form.root)));
  const move = (index, by) => {
    const next = [...list];
    [next[index], next[index + by]] = [next[index + by], next[index]];
    onChange(next);
  };
  const remove = (index) => {
    const next = list.toSpliced(index, 1);
    onChange(next.length || required ? next : undefined);
  };
  return html`<fieldset class="group" id=${id} tabindex="-1"><legend class=${label ? undefined : "visually-hidden"}>${label ?? title}</legend><${Beside} id=${id} hint=${hint} fault=${fault} />
    <ol class="entries">${list.map((one, index) => html`<li class="entry item" key=${index}>
      <${form.One} schema=${partOf(index)} form=${form} pointer=${below(pointer, index)} name=${`${title} ${index + 1}`} plain value=${one} required onChange=${(next) => set(index, next)} />
      <span class="moves"><${Button} kind="small quiet" icon="up" label=${`Move entry ${index + 1} up`} disabled=${index === 0} onClick=${() => move(index, -1)} />
      <${Button} kind="small quiet" icon="down" label=${`Move entry ${index + 1} down`} disabled=${index === list.length - 1} onClick=${() => move(index, 1)} />
      <${Button} kind="small quiet" icon="close" label=${`Remove entry ${index + 1}`} onClick=${() => remove(index)} /></span></li>`)}</ol>
    ${!full && html`<${Button} kind="small" icon="plus" onClick=${() => onChange([...list, empty(partOf(list.length), form.root)])}>Add an entry<//>`}
  </fieldset>`;
}

/** Which of several alternatives, and then that one. */
export function ChoiceField({ schema, form, pointer, id, inner, title, label, hint, fault, value, onChange, required, bare }) {
  const choices = choicesOf(schema, form.root);
  // What was chosen holds, whatever its value would fit as well, and what was written into the others is kept: until the
  // value is another one, as when entries of a list change places.
  const held = useRef({ chosen: null, value, left: new Map() });
  const [, draw] = useState(0);
  if (held.current.value !== value) held.current = { chosen: null, value, left: new Map() };
  const { chosen, left } = held.current;
  const at = chosen ?? choiceOf(choices, value, form.root);
  const none = value === undefined && chosen === null && !required;
  const hold = (index, next) => {
    Object.assign(held.current, { chosen: index, value: next });
    draw((count) => count + 1);
    onChange(next);
  };
  const choose = (index) => {
    if (!none) left.set(at, value);
    hold(index < 0 ? null : index, index < 0 ? undefined : left.has(index) ? left.get(index) : begun(choices[index], form.root));
  };
  return html`<fieldset class=${bare ? "group bare" : "group"} id=${id} tabindex="-1"><legend class=${label ? undefined : "visually-hidden"}>${label ?? title}</legend><${Beside} id=${id} hint=${hint} fault=${none && fault} />
    <select aria-label=${`Which kind of ${title}`} value=${String(none ? -1 : at)} onChange=${(event) => choose(Number(event.target.value))}>
      ${!required && html`<option value="-1">–</option>`}
      ${choices.map((choice, index) => html`<option key=${index} value=${String(index)}>${word(choice, index, form.root)}</option>`)}</select>
    ${!none && at >= 0 && html`<${form.One} key=${at} schema=${choices[at]} form=${form} pointer=${pointer} inner=${inner + 1} label=${title} value=${value} required onChange=${(next) => hold(at, next)} />`}
  </fieldset>`;
}

const TYPES = { string: "text", number: "number", integer: "whole number", boolean: "yes or no", object: "object", array: "list", null: "none (null)" };

function word(choice, index, root) {
  const known = resolved(choice, root);
  const name = Object.entries(known.properties ?? {}).find(([, part]) => part?.const !== undefined)?.[1].const;
  return known.title ?? (known.const !== undefined ? String(known.const) : null) ?? (name !== undefined ? titled(name) : null) ?? own(TYPES, known.type) ?? `Alternative ${index + 1}`;
}

/** An alternative that has just been chosen: nothing yet, where there is a field to write it into. */
function begun(schema, root) {
  const value = empty(schema, root);
  return value === "" || value === MISSING || typeof value === "boolean" ? initial(schema, root) : value;
}

/** What a new entry is before anything is written into it. */
function empty(schema, root) {
  const known = resolved(schema, root);
  const first = initial(known, root);
  if (first !== undefined) return first;
  const kind = kindOf(known);
  if (kind === "enum") return known.enum[0];
  if (kind === "choice") return empty(choicesOf(known, root)[0], root);
  if (kind === "null") return null;
  return { boolean: false, object: {}, array: [], string: "" }[kind] ?? MISSING;
}

/** What stands for an entry whose field was emptied. */
function blank(schema, root) {
  return kindOf(resolved(schema, root)) === "string" ? "" : MISSING;
}
