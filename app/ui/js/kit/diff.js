// Two JSON values side by side, by path: what was added, removed and changed; what is the same is folded.
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { stringify } from "../lib/json.js";
import { useStyle } from "../lib/style.js";
import { plural } from "../lib/words.js";
import { Loading } from "./faces.js";
import { comparison, middle, pathText } from "./diff/compare.js";

const FIRST = 100; // rows drawn at first, and with each "more"
const FOLD = 14; // lines of a value
const TEXT = 1200; // characters of a value
const MARKED = 20_000; // characters up to which the differing middle is looked for

/** `names` are those of the two sides, such as ["version 3", "version 5"]. `empty` stands there when they are the same. */
export function Diff({ from, to, names = ["before", "after"], empty = "They are the same." }) {
  const styled = useStyle("diff");
  const parts = useParts(from, to);
  const [seen, setSeen] = useState(FIRST);
  const [open, setOpen] = useState(() => new Set());
  const rows = useMemo(() => folded(parts ?? [], open), [parts, open]);
  if (!styled) return null;
  if (parts === null) return html`<${Loading} what="Comparing" />`;
  const count = (kind) => parts.filter((part) => part.kind === kind).length;
  const told = ["changed", "added", "removed"].map((kind) => [kind, count(kind)]).filter(([, many]) => many);
  if (!told.length) return html`<p class="muted diff-same">${empty}</p>`;
  return html`<section class="diff" aria-label=${`Differences between ${names[0]} and ${names[1]}`}>
    <p class="diff-sum">${told.map(([kind, many]) => html`<span key=${kind} data-kind=${kind}><${Sign} kind=${kind} /> ${many} ${kind}</span>`)}</p>
    <div class="diff-row diff-head" aria-hidden="true"><span>${names[0]}</span><span>${names[1]}</span></div>
    ${rows.slice(0, seen).map((row) => (row.same
      ? html`<button type="button" class="diff-fold" key=${row.key} onClick=${() => setOpen(new Set(open).add(row.key))}>
          <span>${plural(row.same.length, "part")} the same</span> <span class="faint cut">${row.same.slice(0, 6).map((one) => pathText(one.path)).join(", ")}</span></button>`
      : html`<${Row} key=${row.key} part=${row.part} names=${names} />`))}
    ${rows.length > seen && html`<button type="button" class="button small" onClick=${() => setSeen(seen + FIRST)}>${plural(rows.length - seen, "more row")}</button>`}
  </section>`;
}

const AT_ONCE = 30; // ms that the page may stand still for it

/** What differs; null while it is looked for, which values of megabytes take a moment for. */
function useParts(from, to) {
  const made = useMemo(() => {
    const one = comparison(from, to);
    return { ...one, done: one.run(AT_ONCE) };
  }, [from, to]);
  const [, draw] = useState(0);
  useEffect(() => {
    let timer = 0;
    const on = () => {
      made.done ||= made.run(AT_ONCE);
      if (made.done) draw((count) => count + 1);
      else timer = setTimeout(on);
    };
    if (!made.done) timer = setTimeout(on);
    return () => clearTimeout(timer);
  }, [made]);
  return made.done ? made.parts : null;
}

/** Neighbours that are the same become one row that can be opened. */
function folded(parts, open) {
  const rows = [];
  parts.forEach((part, index) => {
    const last = rows.at(-1);
    if (part.kind !== "same") rows.push({ key: index, part });
    else if (last?.same && !open.has(last.key)) last.same.push(part);
    else if (last?.within !== undefined) rows.push({ key: index, part, within: last.within });
    else if (open.has(`same ${index}`)) rows.push({ key: index, part, within: index });
    else rows.push({ key: `same ${index}`, same: [part] });
  });
  return rows;
}

function Row({ part, names }) {
  const { kind, path, from, to, note } = part;
  const texts = kind === "changed" && typeof from === "string" && typeof to === "string" && from.length + to.length < MARKED;
  const parts = texts && middle(from, to);
  const marked = parts && (parts[0] || parts[3]) ? parts : null; // where nothing is the same a mark would tell nothing
  return html`<div class="diff-part" data-kind=${kind}>
    <h3><${Sign} kind=${kind} /> <code>${pathText(path)}</code><span class="visually-hidden"> ${kind}</span>${note && html` <span class="faint">${note}</span>`}</h3>
    <div class="diff-row">
      ${from === undefined ? html`<span class="diff-none"><span class="visually-hidden">not in ${names[0]}</span></span>` : html`<${Value} value=${from} marked=${marked && [marked[0], marked[1], marked[3]]} side=${names[0]} />`}
      ${to === undefined ? html`<span class="diff-none"><span class="visually-hidden">not in ${names[1]}</span></span>` : html`<${Value} value=${to} marked=${marked && [marked[0], marked[2], marked[3]]} side=${names[1]} />`}
    </div>
  </div>`;
}

const SIGNS = { added: "+", removed: "−", changed: "~", same: "=" };

function Sign({ kind }) {
  return html`<span class="diff-sign" aria-hidden="true">${SIGNS[kind]}</span>`;
}

/** A value as text: at most some lines of it, unless it is opened. */
function Value({ value, marked, side }) {
  const [open, setOpen] = useState(false);
  const text = useMemo(() => (typeof value === "string" ? value : (stringify(value, 2) ?? "")), [value]);
  const lines = text.split("\n", FOLD + 1);
  const long = text.length > TEXT || lines.length > FOLD;
  const shown = open || !long ? text : lines.slice(0, FOLD).join("\n").slice(0, TEXT);
  const body = marked && (open || !long) ? html`${marked[0]}${marked[1] && html`<mark>${marked[1]}</mark>`}${marked[2]}` : shown;
  return html`<div class="diff-value"><span class="diff-side">${side}</span><pre tabindex=${open && long ? 0 : undefined}>${body || html`<span class="faint">empty text</span>`}</pre>
    ${long && html`<button type="button" class="button small quiet" onClick=${() => setOpen(!open)}>${open ? "Less" : `All of it (${plural(text.length, "character")})`}</button>`}</div>`;
}
