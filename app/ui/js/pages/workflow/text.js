// A field for code: line numbers, marks at faults, Tab for spaces. The browser's own undo holds for all of it.
import { html, useLayoutEffect, useMemo, useRef } from "../../lib/html.js";

const LINE = 20; // px, as in workflow.css
const AT_ONCE = 300; // lines that are indented as if by hand

/** `ref_.current` is given `jump({line, column})` and `find(step id)`. */
export function Text({ value, onInput, problems, ref_ }) {
  const field = useRef(null);
  const gutter = useRef(null);
  const marks = useRef(null);
  const leaving = useRef(false);
  const count = useMemo(() => value.split("\n").length, [value]);
  const numbers = useMemo(() => Array.from({ length: count }, (_, index) => index + 1).join("\n"), [count]);
  const lines = useMemo(() => {
    const found = new Map();
    for (const one of problems) if (one.line) found.set(one.line, [...(found.get(one.line) ?? []), one.message]);
    return [...found];
  }, [problems]);
  const follow = () => {
    const { scrollTop, scrollLeft } = field.current;
    gutter.current.style.transform = marks.current.style.transform = `translateY(${-scrollTop}px)`;
    marks.current.dataset.left = scrollLeft > 0;
  };
  useLayoutEffect(follow, [value]);

  const place = (start, end = start) => {
    const node = field.current;
    node.focus();
    node.setSelectionRange(start, end);
    const line = node.value.slice(0, start).split("\n").length - 1;
    node.scrollTop = Math.max(0, line * LINE - node.clientHeight / 2);
    node.scrollLeft = 0;
  };
  ref_.current = {
    jump({ line, column }) {
      const all = field.current.value.split("\n");
      const start = all.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
      place(start + Math.min((column ?? 1) - 1, all[line - 1]?.length ?? 0), start + (all[line - 1]?.length ?? 0));
    },
    find(id) {
      const found = new RegExp(`["']?\\bid["']?\\s*:\\s*["']?${id.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\b`).exec(field.current.value);
      if (found) place(found.index, found.index + found[0].length);
    },
  };

  const onKeyDown = (event) => {
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    const out = leaving.current;
    leaving.current = event.key === "Escape";
    if (event.key === "Tab" && !out && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      shift(field.current, event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      newLine(field.current);
    } else if (event.key === "Escape") event.stopPropagation();
  };
  return html`<div class="code"><div class="gutter" aria-hidden="true"><pre ref=${gutter}>${numbers}</pre></div>
    <div class="code-text"><div class="code-marks" ref=${marks} aria-hidden="true">${lines.map(([line]) => html`<i key=${line} style=${{ top: `${(line - 1) * LINE}px` }}></i>`)}</div>
      <textarea ref=${field} value=${value} wrap="off" spellcheck=${false} autocapitalize="off" autocomplete="off" aria-label="Workflow document" aria-describedby="code-hint" aria-invalid=${lines.length ? "true" : undefined}
        onInput=${(event) => onInput(event.target.value)} onScroll=${follow} onKeyDown=${onKeyDown}></textarea></div>
    <p class="code-hint" id="code-hint">Tab indents; Escape, then Tab leaves the text. Comments of YAML are not kept once it is saved.</p></div>`;
}

/** Typed as if by hand, so that it can be undone; the only way that browsers have for that. */
function type(text) {
  if (text === "") document.execCommand("delete");
  else document.execCommand("insertText", false, text);
}

/** The same for so many lines that typing them would hold the page for a minute: then there is no undo but the key for back. */
function replace(node, text) {
  node.setRangeText(text);
  node.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

function newLine(node) {
  const { value, selectionStart } = node;
  const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
  const [indent] = /^ *(- )?/.exec(line);
  type(`\n${indent.replace("-", " ")}${/:\s*$/.test(line) ? "  " : ""}`);
}

function shift(node, back) {
  const { value, selectionStart, selectionEnd } = node;
  const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
  const several = value.slice(selectionStart, selectionEnd).includes("\n");
  if (!several && !back) return void type(" ".repeat(2 - ((selectionStart - start) % 2)));
  const end = several ? selectionEnd - (value[selectionEnd - 1] === "\n" ? 1 : 0) : Math.max(selectionEnd, value.indexOf("\n", selectionStart) < 0 ? value.length : value.indexOf("\n", selectionStart));
  const before = value.slice(start, end);
  const after = before.split("\n").map((line) => (back ? line.replace(/^ {1,2}/, "") : line && `  ${line}`)).join("\n");
  if (after === before) return undefined;
  node.setSelectionRange(start, end);
  if (after.split("\n").length > AT_ONCE) replace(node, after);
  else type(after);
  if (several) node.setSelectionRange(start, start + after.length);
  else node.setSelectionRange(...Array(2).fill(Math.max(start, selectionStart + after.length - before.length)));
  return undefined;
}
