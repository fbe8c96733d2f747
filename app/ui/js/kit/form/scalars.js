// The single fields of a form: text, numbers, yes or no, one of several.
import { html, useLayoutEffect, useRef, useState } from "../../lib/html.js";
import { parse } from "../../lib/json.js";
import { own } from "../../lib/own.js";
import { number } from "../../lib/words.js";
import { Field } from "../bits.js";
import { equal, isInteger, shown, typesOf, wordsOf } from "./schema.js";
import { described } from "./text.js";

const FEW = 4;
const LONG = 200;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const INPUTS = { date: ["date"], email: ["text", "email"], uri: ["text", "url"] }; // others would change or refuse what is typed

/** Props of every field: `schema` (resolved), `id label hint fault value onChange onBlur required`. */
export function TextField(props) {
  const { schema, id, fault, hint, value, onChange, onBlur } = props;
  const [caret, pasted] = usePasted(onChange);
  const field = useRef(null);
  const lines = useRef(false); // once it has lines it keeps its field: another one would take the focus away
  lines.current ||= caret !== null || String(value ?? "").includes("\n");
  useLayoutEffect(() => {
    if (caret === null) return;
    field.current.focus();
    field.current.setSelectionRange(caret, caret);
  }, [caret]);
  const given = {
    id,
    ref: field,
    value: value ?? "",
    placeholder: example(schema),
    "aria-invalid": fault ? "true" : undefined,
    "aria-describedby": described(id, hint, fault),
    "aria-required": props.required || undefined,
    onInput: (event) => onChange(event.target.value === "" ? undefined : event.target.value),
    onBlur,
  };
  const long = schema.maxLength > LONG || schema.format === "textarea" || schema.contentMediaType || lines.current;
  if (long) return html`<${Field} ...${props}><textarea ...${given} rows=${Math.min(16, Math.max(4, String(value ?? "").split("\n").length))}></textarea><//>`;
  if (schema.format === "date-time" && (value === undefined || !Number.isNaN(Date.parse(value)))) return html`<${Moment} ...${props} />`;
  const [type, mode] = schema.format === "date" && value && !/^\d{4}-\d\d-\d\d$/.test(value) ? ["text"] : (own(INPUTS, schema.format) ?? ["text"]);
  return html`<${Field} ...${props}><input ...${given} type=${type} inputmode=${mode} spellcheck=${type === "text" && !mode} autocomplete="off" onPaste=${type === "text" ? pasted : undefined} /><//>`;
}

/** Text of several lines pasted into a field of one line, which would join them: `[caret behind it, else null; onPaste]`. */
function usePasted(onChange) {
  const [caret, setCaret] = useState(null);
  const pasted = (event) => {
    const text = event.clipboardData?.getData("text/plain").replace(/\r\n?/g, "\n") ?? "";
    if (!text.trim().includes("\n")) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = event.target;
    setCaret(selectionStart + text.length);
    onChange(value.slice(0, selectionStart) + text + value.slice(selectionEnd));
  };
  return [caret, pasted];
}

/** A time in the reader's zone; it is kept as UTC. */
function Moment(props) {
  const { id, fault, hint, value, onChange, onBlur } = props;
  const local = value === undefined ? "" : new Date(Date.parse(value) - new Date(value).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  const onInput = (event) => onChange(event.target.value ? new Date(event.target.value).toISOString() : undefined);
  return html`<${Field} ...${props}><input id=${id} type="datetime-local" step="1" value=${local} aria-invalid=${fault ? "true" : undefined}
    aria-describedby=${described(id, hint, fault)} onInput=${onInput} onBlur=${onBlur} /><//>`;
}

/** A number as text, so that none loses a digit; the arrow keys count up and down. What is no number stays as text, and is a fault. */
export function NumberField(props) {
  const { schema, id, fault, hint, value, onChange, onBlur } = props;
  const [draft, setDraft] = useState("");
  const text = draft && equal(numeric(draft), value) ? draft : value === undefined ? "" : String(value);
  const whole = typesOf(schema)[0] === "integer";
  const set = (next) => {
    setDraft(next);
    onChange(numeric(next));
  };
  const onKeyDown = (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by || typeof (value ?? 0) !== "number") return;
    event.preventDefault();
    if (value === undefined) return set(String(schema.default ?? schema.minimum ?? Math.min(0, Number(schema.maximum ?? 0))));
    const step = Number(schema.multipleOf ?? NaN) || (whole || isInteger(value ?? 0) ? 1 : 0.1);
    const next = Number((value + by * step).toPrecision(12));
    set(String(Math.min(Number(schema.maximum ?? Infinity), Math.max(Number(schema.minimum ?? -Infinity), next))));
  };
  return html`<${Field} ...${props}><input id=${id} class="number" type="text" inputmode=${whole ? "numeric" : "decimal"} value=${text} placeholder=${example(schema)} autocomplete="off"
    aria-invalid=${fault ? "true" : undefined} aria-describedby=${described(id, hint, fault)} aria-required=${props.required || undefined}
    onInput=${(event) => set(event.target.value.trim())} onKeyDown=${onKeyDown} onBlur=${onBlur} /><//>`;
}

function numeric(text) {
  if (text === "") return undefined;
  if (!NUMBER.test(text)) return text;
  const value = parse(text);
  return Number.isFinite(value) || typeof value === "bigint" ? value : text;
}

/** Yes or no: a box where a default says what it is without an answer, else two to choose from. */
export function BooleanField(props) {
  const { schema, id, hint, fault, label, value, onChange, onBlur } = props;
  if (schema.default === undefined) return html`<${EnumField} ...${props} options=${[{ value: true, label: "Yes" }, { value: false, label: "No" }]} />`;
  return html`<div class="field"><label class="check"><input id=${id} type="checkbox" checked=${value === true} aria-describedby=${described(id, hint, fault)}
    onChange=${(event) => onChange(event.target.checked)} onBlur=${onBlur} /><span>${label}</span></label><${Beside} id=${id} hint=${hint} fault=${fault} /></div>`;
}

/** One of several: up to four stand side by side, more are a list to choose from. */
export function EnumField(props) {
  const { schema, id, label, hint, fault, value, onChange, onBlur, required } = props;
  const options = props.options ?? wordsOf(schema) ?? schema.enum.map((one) => ({ value: one, label: one === null ? "none (null)" : shown(one) }));
  const at = value === undefined ? -1 : options.findIndex((option) => equal(option.value, value));
  if (options.length > FEW) {
    return html`<${Field} ...${props}><select id=${id} value=${String(at)} aria-invalid=${fault ? "true" : undefined} aria-describedby=${described(id, hint, fault)}
      onChange=${(event) => onChange(options[Number(event.target.value)]?.value)} onBlur=${onBlur}>
      ${(at < 0 || !required) && html`<option value="-1">${required ? "Choose…" : "–"}</option>`}
      ${options.map((option, index) => html`<option key=${index} value=${String(index)}>${option.label}</option>`)}</select><//>`;
  }
  const all = required || schema.default !== undefined ? options : [...options, { label: "not given" }];
  return html`<fieldset class="field" id=${id} tabindex="-1" aria-describedby=${described(id, hint, fault)} onFocusout=${onBlur}><legend>${label}</legend>
    <div class="radios">${all.map((option, index) => html`<label class="check" key=${index} title=${option.hint}><input type="radio" name=${id} checked=${index === (at < 0 ? options.length : at)}
      aria-invalid=${fault ? "true" : undefined} onChange=${() => onChange(option.value)} /><span class=${index === options.length ? "faint" : ""}>${option.label}</span></label>`)}</div>
    <${Beside} id=${id} hint=${hint} fault=${fault} /></fieldset>`;
}

/** What can only be one value: there or not. */
export function FixedField(props) {
  const { id, hint, fault, label, value, onChange, fixed, required } = props;
  return html`<div class="field"><label class="check"><input id=${id} type="checkbox" checked=${value !== undefined} disabled=${required && value !== undefined}
    onChange=${(event) => onChange(event.target.checked ? fixed : undefined)} /><span>${label} <code>${shown(fixed)}</code></span></label><${Beside} id=${id} hint=${hint} fault=${fault} /></div>`;
}

/** Hint and fault below what has no label of its own. */
export function Beside({ id, hint, fault }) {
  return html`${hint && html`<p class="hint" id=${`${id}~hint`}>${hint}</p>`}${fault && html`<p class="fault" id=${`${id}~fault`} role="alert">${fault}</p>`}`;
}

function example(schema) {
  const one = schema.examples?.[0];
  if (one !== undefined) return shown(one);
  return undefined;
}

/** What a field takes, in a few words: "50 to 2,000", "at most 80 characters". */
export function bounds(schema) {
  const [low, high] = [schema.minimum, schema.maximum];
  if (low !== undefined && high !== undefined) return `${number(low)} to ${number(high)}`;
  if (low !== undefined) return `at least ${number(low)}`;
  if (high !== undefined) return `at most ${number(high)}`;
  if (schema.format === "date-time") return "in your time zone";
  return null;
}
