// A form from a JSON Schema: for inputs of workflows, answers of gates, trials of agents. Always also as JSON.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib/html.js";
import { useStyle } from "../lib/style.js";
import { check } from "./form/check.js";
import { INNER, One } from "./form/one.js";
import { Unreadable, below, initial } from "./form/schema.js";
import { JsonField } from "./form/text.js";

export { check, initial };

const BEGUN = 50;
const begun = new Map(); // what is being written, by what it is for

const FIELDS = ":is(input, select, textarea):not(:disabled, .as-json > *)";
const REQUIRED = /^"(.+)" is a required property$/s;

/**
 * A form for `value` (undefined: nothing given yet) by `schema` (none: any JSON). `onChange(value)` gets the whole value; where a
 * text is no JSON an object that cannot be sent stands in it, which `check(schema, value)` tells. `faults` are `[{pointer, message}]` with
 * pointers into the value, of the service or of `check`: each is shown at its field until that is changed. `useForm` does all of it.
 * `first`: an object; for each other one the focus goes to the first field, once (its `done` says so).
 */
export function SchemaForm({ schema, value, onChange, faults = [], id, label = "Input", first = null }) {
  const styled = useStyle("form");
  const drawable = schema && typeof schema === "object" && Object.keys(schema).length > 0;
  const [asJson, setAsJson] = useState(!drawable);
  const [touched, setTouched] = useState(() => new Set());
  const own = useMemo(() => (schema && !asJson && touched.size ? check(schema, value) : []), [schema, value, asJson, touched]);
  const given = useGiven(faults, value);
  const [unplaced, setUnplaced] = useState([]);
  const idOf = (pointer) => `${id}${pointer.replace(/\s/g, "%20")}`;
  const shown = [...given, ...own.filter((fault) => touched.has(fault.pointer))];
  const faultAt = (pointer, all) => shown.filter((fault) => fault.pointer === pointer || (all && fault.pointer.startsWith(`${pointer}/`)))
    .map((fault) => (fault.pointer === pointer ? fault.message : `${fault.pointer.slice(pointer.length)}: ${fault.message}`))[0];
  const touch = (pointer) => { if (!touched.has(pointer)) afterPress(() => setTouched((before) => new Set(before).add(pointer))); };

  useLayoutEffect(() => {
    const within = (pointer) => document.querySelector(`[id^="${CSS.escape(idOf(pointer) + INNER)}"][id$="~fault"]`);
    const drawn = (pointer) => document.getElementById(`${idOf(pointer)}~fault`) || within(pointer) || (pointer && drawn(pointer.slice(0, pointer.lastIndexOf("/"))));
    const left = given.filter((fault) => (asJson ? fault !== given[0] : !drawn(fault.pointer)));
    setUnplaced((before) => (before.length === left.length && before.every((one, index) => one === left[index]) ? before : left));
  });

  const box = useRef(null);
  useEffect(() => {
    if (!styled || !first || first.done) return;
    first.done = true;
    [...box.current.querySelectorAll(FIELDS)].find((one) => one.checkVisibility())?.focus();
  }, [styled, first]);

  if (!styled) return null;
  const form = { root: schema, idOf, faultAt, touch };
  const readable = !(value instanceof Unreadable);
  return html`<div class="schema-form" ref=${box}>
    ${drawable && html`<label class="check as-json"><input type="checkbox" checked=${asJson} disabled=${asJson && !readable} onChange=${(event) => setAsJson(event.target.checked)} />as JSON</label>`}
    ${unplaced.length > 0 && html`<ul class="note wrong" role="alert">${unplaced.map((fault) => html`<li key=${fault.pointer}>${fault.pointer && html`<code>${fault.pointer}</code> `}${fault.message}</li>`)}</ul>`}
    ${asJson || !readable
      ? html`<${JsonField} id=${id} label=${`${label} as JSON`} value=${value} onChange=${onChange} rows=${8} fault=${faultAt("", true)} onBlur=${() => touch("")} />`
      : html`<${One} schema=${schema} form=${form} pointer="" name=${label} value=${value} onChange=${onChange} required bare />`}
  </div>`;
}

let pressed = false;
addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = false; }, true);

/** A fault that comes when a field is left by a press on a button must not move that button away under the pointer. */
function afterPress(run) {
  if (!pressed) return void run();
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(run), { once: true });
}

/** The faults that were given, until what they are about is changed. */
function useGiven(faults, value) {
  const seen = useRef({ faults: null, values: [] });
  if (seen.current.faults !== faults) {
    const told = faults.map(atField);
    seen.current = { faults, values: told.map((fault) => [fault, at(value, fault.pointer)]) };
  }
  return seen.current.values.filter(([fault, before]) => at(value, fault.pointer) === before).map(([fault]) => fault);
}

/** What is missing is told at the field that is empty. */
function atField(fault) {
  const missing = REQUIRED.exec(fault.message);
  return missing ? { pointer: below(fault.pointer, missing[1]), message: "This is required." } : fault;
}

function at(value, pointer) {
  return pointer.split("/").slice(1).reduce((found, part) => found?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], value);
}

/**
 * All that a form needs: `{value, set, props, take, refused}`. Draw `<${SchemaForm} ...${form.props} />`; `take()` answers `{value}`, or null
 * after showing what is wrong and going there; `refused(problem)` shows the faults of an answer whose pointers begin with `at` ("" for those
 * of a workflow's input), and answers whether there were any. `keep`: a value to begin with instead of the schema's defaults.
 * What is written is kept by the name `remember` while this page is open, for who looks elsewhere meanwhile; `done()` forgets it.
 */
export function useForm({ schema, id, label, keep, remember }) {
  const [value, setValue] = useState(() => (begun.has(remember) ? begun.get(remember) : keep !== undefined ? keep : schema ? initial(schema) : undefined));
  const latest = useRef(value); // what a key has just changed is taken by the same key
  const [faults, setFaults] = useState([]);
  const set = (next) => {
    latest.current = next;
    setValue(next);
    if (remember === undefined) return;
    begun.delete(remember);
    begun.set(remember, next);
    if (begun.size > BEGUN) begun.delete(begun.keys().next().value);
  };
  const there = () => requestAnimationFrame(() => requestAnimationFrame(() => goToFault(id)));
  const tell = (found) => {
    setFaults(found);
    if (found.length) there();
    return found.length > 0;
  };
  return {
    value,
    set,
    props: { schema, id, label, value, onChange: set, faults },
    begun: begun.has(remember),
    done: () => begun.delete(remember),
    take() {
      const given = latest.current;
      const found = schema ? check(schema, given) : given instanceof Unreadable ? [{ pointer: "", message: given.why }] : [];
      return tell(found) ? null : { value: given };
    },
    refused(problem, start = "") {
      const listed = (problem.problems ?? []).filter(({ pointer }) => pointer === start || pointer.startsWith(`${start}/`));
      return tell(listed.map((fault) => ({ pointer: fault.pointer.slice(start.length), message: fault.message })));
    },
  };
}

/** Ctrl+Enter (or Cmd+Enter) from anywhere on the page, or from within `ref` where there may be several forms. */
export function useSubmitKey(run, ref = null) {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    const pressed = (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
      if (ref && !ref.current?.contains(event.target)) return;
      event.preventDefault();
      latest.current();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function goToFault(id) {
  const first = document.querySelector(`[id^="${CSS.escape(id)}"][id$="~fault"]`);
  const field = first && document.getElementById(first.id.slice(0, -"~fault".length));
  (field?.matches("fieldset") ? (field.querySelector("input, select, textarea") ?? field) : field)?.focus();
}
