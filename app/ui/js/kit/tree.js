// JSON as a foldable tree: types, search, copy, "raw". Only the rows that can be seen are drawn, so that 5 MB stay smooth.
import { html, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../lib/html.js";
import { stringify } from "../lib/json.js";
import { useStyle } from "../lib/style.js";
import { number } from "../lib/words.js";
import { Button, Copy } from "./bits.js";
import { List } from "./list.js";
import { say } from "./toast.js";
import { above, copyOf, firstDepth, isTale, linesOf, pathTo, rowsOf, search, shown, summary, valueAt } from "./tree/rows.js";

const ROW = 22;
const TYPING = 150;
const PLAIN = 8; // rows up to which there is nothing to search or fold

/**
 * A JSON value. `name` is how the value is called in a path that is copied ("analyst.output") and in what is read out; `height`
 * the most px that it takes; `tools` false leaves the search and the buttons away. Keys: arrows, Home, End, `c` copies, `p` copies the path.
 */
export function JsonTree({ value, name = "", height = 440, tools = true }) {
  const styled = useStyle("tree");
  const [raw, setRaw] = useState(false);
  const [columns, ruler, box] = useColumns(styled);
  const tree = useTree(value, columns);
  if (!styled) return html`<div class="json" ref=${box}></div>`;
  const many = tools && (tree.rows.length > PLAIN || tree.rows.some((row) => row.size > 0 && !row.open));
  return html`<div class="json" ref=${box}>
    <span class="ruler" ref=${ruler} aria-hidden="true">${"0".repeat(50)}</span>
    ${tools && html`<div class="json-tools" data-few=${!many || undefined}>
      ${many && html`<${Search} tree=${tree} raw=${raw} /><span class="space"></span>
        ${!raw && html`<${Button} kind="quiet small" onClick=${tree.openAll}>Unfold all<//>
          <${Button} kind="quiet small" onClick=${tree.foldAll}>Fold<//>`}
        <${Button} kind="quiet small" aria-pressed=${raw} onClick=${() => setRaw(!raw)}>Raw<//>`}
      <${Copy} text=${() => copyOf(value)} label=${`Copy ${name || "all"}`} /></div>`}
    ${raw ? html`<${Raw} value=${value} columns=${columns} height=${height} name=${name} />`
      : html`<${Rows} tree=${tree} name=${name} height=${height} value=${value} />`}
  </div>`;
}

/** How many characters fit into a row. */
function useColumns(styled) {
  const [columns, setColumns] = useState(80);
  const ruler = useRef(null);
  const box = useRef(null);
  useLayoutEffect(() => {
    if (!styled) return undefined;
    const look = () => {
      const one = (ruler.current?.getBoundingClientRect().width ?? 0) / 50;
      if (one > 0 && box.current) setColumns(Math.max(24, Math.floor((box.current.clientWidth - 64) / one)));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [styled]);
  return [columns, ruler, box];
}

/** What is open, what is chosen, what is sought. */
function useTree(value, columns) {
  const [chosen, setChosen] = useState(new Map()); // id -> open, where somebody has said so
  const [depth, setDepth] = useState(null); // how deep all else stands open; null: as at first
  const [active, setActive] = useState(null);
  const [text, setText] = useState("");
  const first = useMemo(() => firstDepth(value), [value]);
  const tale = useMemo(() => isTale(value), [value]);
  const rows = useMemo(() => {
    const deep = depth ?? first;
    return rowsOf(value, (id, at, kind) => chosen.get(id) ?? (kind === "string" ? at === 0 || (at === 1 && tale && depth === null) : at < deep), columns);
  }, [value, chosen, depth, first, tale, columns]);
  const found = useMemo(() => (text ? search(value, text) : []), [value, text]);
  const at = useMemo(() => rows.findIndex((row) => row.id === active), [rows, active]);
  const open = (ids, is) => setChosen((before) => new Map([...before, ...ids.map((id) => [id, is])]));
  return {
    rows, active, at, text, found, setText, setActive, open,
    toggle: (row) => row.foldable && open([row.id], !row.open),
    openAll: () => { setChosen(new Map()); setDepth(Infinity); },
    foldAll: () => { setChosen(new Map()); setDepth(1); setActive(null); },
    /** To what was found: unfold what it stands in, and make it the active row. */
    go(id) {
      open([...above(id), ...(typeof valueAt(value, id) === "string" ? [id] : [])], true);
      setActive(id);
    },
  };
}

function Search({ tree, raw }) {
  const [typed, setTyped] = useState("");
  const [nth, setNth] = useState(0);
  const { found } = tree;
  useEffect(() => {
    const timer = setTimeout(() => tree.setText(typed.trim()), TYPING);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    setNth(0);
    if (found.length) tree.go(found[0]);
  }, [found]);
  if (raw) return null;
  const move = (by) => {
    if (!found.length) return;
    const next = (nth + by + found.length) % found.length;
    setNth(next);
    tree.go(found[next]);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter") move(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && typed) setTyped("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<input type="search" class="json-search" placeholder="Find in it" aria-label="Find in this value" value=${typed} spellcheck=${false}
      onInput=${(event) => setTyped(event.target.value)} onKeyDown=${onKeyDown} />
    <span class="small muted" role="status">${tree.text && (found.length ? `${number(nth + 1)} of ${number(found.length)}` : "not in it")}</span>
    ${found.length > 1 && html`<${Button} kind="quiet small" icon="up" label="Found before" onClick=${() => move(-1)} />
      <${Button} kind="quiet small" icon="down" label="Next found" onClick=${() => move(1)} />`}`;
}

function Rows({ tree, name, height, value }) {
  const id = useId();
  const { rows, at } = tree;
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at] ?? rows[0];
    const page = Math.max(1, Math.floor(height / ROW) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + page, PageUp: at - page }[event.key];
    if (to !== undefined) tree.setActive(rows[Math.max(0, Math.min(rows.length - 1, to))].id);
    else if (event.key === "ArrowRight" && row.open) tree.setActive(rows[rows.indexOf(row) + 1].id);
    else if (event.key === "ArrowLeft" && !row.open && row.parent !== null) tree.setActive(row.parent);
    else if (event.key === "ArrowRight" || (event.key === "ArrowLeft" && row.open)) tree.toggle(row);
    else if (event.key === "Enter" || event.key === " ") tree.toggle(row);
    else if (event.key === "c") copied(copyOf(valueAt(value, row.id)), "The value");
    else if (event.key === "p") copied(pathTo(value, row.id, name), "The path");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const itemProps = (row, index) => ({
    id: `${id}-${index}`, "aria-level": row.depth + 1, "aria-setsize": row.of ?? -1, "aria-posinset": row.pos ?? 1,
    "aria-expanded": row.foldable ? row.open : undefined, "aria-selected": index === at, "aria-label": row.line !== undefined && !row.line.trim() ? "empty line" : undefined,
  });
  return html`<${List} role="tree" rows=${rows} height=${ROW} inner=${height} keyOf=${(row) => row.id} selected=${at}
    label=${name ? `${name}, as a tree` : "Value, as a tree"}
    aria-activedescendant=${at >= 0 ? `${id}-${at}` : undefined} aria-keyshortcuts="c p" onKeyDown=${onKeyDown} itemProps=${itemProps}
    draw=${(row, { selected }) => html`<${Row} row=${row} selected=${selected} tree=${tree} value=${value} name=${name} />`} />`;
}

function Row({ row, selected, tree, value, name }) {
  const onClick = () => {
    if (getSelection()?.toString()) return;
    tree.setActive(row.id);
    tree.toggle(row);
  };
  const indent = { paddingLeft: `${4 + 14 * Math.min(row.depth, 24)}px` };
  if (row.line !== undefined) return html`<div class="json-row json-line" style=${indent} onClick=${() => tree.setActive(row.id)}>
    <${Found} text=${row.line} wanted=${tree.text} /></div>`;
  const told = summary(row);
  return html`<div class="json-row" style=${indent} data-foldable=${row.foldable || undefined} onClick=${onClick}>
    <i class="fold" data-open=${row.open || undefined} data-is=${row.foldable || undefined}></i>
    ${row.key !== null && html`<span class=${typeof row.key === "number" ? "at" : "key"}>
      <${Found} text=${String(row.key)} wanted=${tree.text} /></span>`}
    ${!(row.open && row.kind === "string") && !(row.kind === "object" || row.kind === "array") && html`<span class="value" data-kind=${row.kind}>
      <${Found} text=${shown(row)} wanted=${tree.text} /></span>`}
    ${told && html`<span class="told">${told}</span>`}
    ${selected && html`<span class="acts" aria-hidden="true" onClick=${(event) => event.stopPropagation()}>
      <button type="button" tabindex="-1" onClick=${() => copied(copyOf(row.value), "The value")}>copy</button>
      <button type="button" tabindex="-1" onClick=${() => copied(pathTo(value, row.id, name), "The path")}>copy path</button></span>`}
  </div>`;
}

/** A text with what is sought in it marked. */
function Found({ text, wanted }) {
  const start = wanted ? text.toLowerCase().indexOf(wanted.toLowerCase()) : -1;
  if (start === -1) return text;
  const end = start + wanted.length;
  return html`${text.slice(0, start)}<mark>${text.slice(start, end)}</mark>${text.slice(end)}`;
}

function Raw({ value, columns, height, name }) {
  const lines = useMemo(() => linesOf(stringify(value ?? null, 2), columns + 4).map((line, index) => ({ line, index })), [value, columns]);
  return html`<${List} rows=${lines} height=${ROW} inner=${height} keyOf=${(row) => row.index} label=${`${name || "Value"} as text`} draw=${(row) => html`<div
    class="json-row json-line raw">${row.line}</div>`} />`;
}

async function copied(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} is on the clipboard.`);
  } catch {
    say("The browser does not let this page use the clipboard.", { wrong: true });
  }
}
