// Variables to set: rows of a name and a JSON value, with what stands there now.
import { html, useEffect, useState } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { parse, stringify } from "../../../lib/json.js";
import { own } from "../../../lib/own.js";
import { bytes } from "../../../lib/words.js";
import { Button } from "../../../kit/bits.js";

const LARGE = 1_000_000;
const LONG = 20_000; // characters of a value that a field still takes well

/** The variables at a version: `{context, problem}`; both null until it is known, `problem` a text. */
export function useContextAt(thread, version) {
  const [known, setKnown] = useState({ context: null, problem: null });
  useEffect(() => {
    const control = new AbortController();
    const ask = async () => {
      const { history: [entry] } = await get(path`/invoke/history/${thread.id}`, { params: { from_version: version, to_version: version }, signal: control.signal });
      if (entry?.size_bytes > LARGE) return { context: null, problem: `The state at v${version} has ${bytes(entry.size_bytes)}: its values are not shown here.` };
      const { state } = await get(path`/invoke/history/${thread.id}/${version}`, { signal: control.signal });
      return { context: state.context, problem: null };
    };
    ask().then(setKnown, (error) => { if (!control.signal.aborted) setKnown({ context: null, problem: error.detail ?? error.message }); });
    return () => control.abort();
  }, [thread, version]);
  return known;
}

/** What is wrong with a row, or null. */
export function faultOf({ name, text }, rows) {
  if (!name.trim()) return "Give the variable a name.";
  if (rows.filter((row) => row.name === name).length > 1) return "This variable is set twice.";
  try {
    parse(text);
    return null;
  } catch {
    return "This is no JSON. A text stands in quotes: \"like this\".";
  }
}

/** The variables of the API for rows; throws when one is no JSON. */
export function contextOf(rows) {
  const bad = rows.find((row) => faultOf(row, rows));
  if (bad) throw new Error(`Variable ${bad.name || "without a name"}: ${faultOf(bad, rows)}`);
  return rows.length ? Object.fromEntries(rows.map((row) => [row.name, parse(row.text)])) : undefined;
}

const written = (value) => stringify(value, 2) ?? "";

/** `rows` are [{name, text}]; `known` as of `useContextAt`. */
export function Context({ id, known, rows, onChange }) {
  const names = Object.keys(known.context ?? {});
  const free = names.filter((name) => !rows.some((row) => row.name === name));
  const add = (name) => {
    const text = name && known.context ? written(known.context[name]) : "";
    const long = text.length > LONG;
    onChange([...rows, { name, text: long ? "" : text, own: !name, long }]);
  };
  const change = (at, changes) => onChange(rows.map((row, index) => (index === at ? { ...row, ...changes } : row)));
  return html`<div class="rows">
    ${known.problem && html`<p class="muted small">${known.problem}</p>`}
    ${rows.map((row, at) => html`<${Row} key=${at} id=${`${id}-${at}`} row=${row} rows=${rows} was=${own(known.context, row.name)} onChange=${(changes) => change(at, changes)} onDrop=${() => onChange(rows.filter((_, index) => index !== at))} />`)}
    <div class="row wrap">${free.slice(0, 12).map((name) => html`<${Button} key=${name} kind="small" icon="edit" onClick=${() => add(name)}>${name}<//>`)}
      <${Button} kind="small" icon="plus" onClick=${() => add("")}>A new variable<//></div>
  </div>`;
}

function Row({ id, row, rows, was, onChange, onDrop }) {
  const fault = row.text === "" && row.fresh !== false ? null : faultOf(row, rows);
  const same = was !== undefined && written(was) === row.text;
  return html`<div class="context-row">
    <div class="row">${row.own ? html`<input aria-label="Name of the variable" class="mono" value=${row.name} placeholder="name" onInput=${(event) => onChange({ name: event.target.value })} />` : html`<label for=${id} class="mono">${row.name}</label>`}
      <span class="muted small grow">${was === undefined ? "is not set" : same ? "as it is" : row.long ? "too long to be shown: what is written here takes its place" : "changed"}</span>
      <${Button} kind="quiet small" icon="close" label=${`Leave ${row.name || "it"} as it is`} onClick=${onDrop} /></div>
    <textarea id=${id} class="mono" aria-label=${`Value of ${row.name || "the variable"} as JSON`} rows=${Math.min(12, Math.max(2, row.text.split("\n").length))} spellcheck=${false} value=${row.text} aria-invalid=${Boolean(fault)}
      onInput=${(event) => onChange({ text: event.target.value, fresh: false })}></textarea>
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
  </div>`;
}
