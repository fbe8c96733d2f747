// What a JSON tree is made of: its visible rows, what a text is found in, and the way to a value. Pure functions.
import { stringify } from "../../lib/json.js";
import { plural } from "../../lib/words.js";

/** Strings longer than this, or of several lines, are folded to their beginning. */
const FOLDED = 96;
/** Rows that stand open before anybody has touched the tree. */
const AT_FIRST = 48;
/** Members, and characters of texts among them, that are read rather than looked through. */
const TALE_MEMBERS = 12;
const TALE = 3_000;
const FOUND_AT_MOST = 10_000;

/** "object", "array", "string", "number", "boolean" or "null". */
export function kindOf(value) {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "bigint" ? "number" : typeof value;
}

const holds = (kind) => kind === "object" || kind === "array";
const long = (text) => text.length > FOLDED || text.includes("\n");

function below(id, key) {
  if (typeof key === "number" || !/[~/]/.test(key)) return `${id}/${key}`;
  return `${id}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function sizeOf(value, kind) {
  if (kind === "array") return value.length;
  return kind === "object" ? Object.keys(value).length : 0;
}

/** How deep the tree stands open at first: as deep as it stays short. */
export function firstDepth(value) {
  let level = [value];
  let total = 1;
  for (let depth = 0; ; depth += 1) {
    const next = [];
    for (const one of level) {
      if (holds(kindOf(one))) for (const key of Object.keys(one)) next.push(one[key]);
      if (next.length > 1000) break;
    }
    total += next.length;
    if (next.length === 0 || total > AT_FIRST) return Math.max(1, depth);
    level = next;
  }
}

/** Whether what a value says in long texts can stand open from the first: it is flat, and not more than a screen of it. */
export function isTale(value) {
  if (!holds(kindOf(value))) return false;
  const members = Object.values(value);
  const texts = members.filter((one) => typeof one === "string");
  return members.length <= TALE_MEMBERS && texts.reduce((sum, text) => sum + text.length, 0) <= TALE;
}

/**
 * The visible rows, from the top: nodes `{id, key, value, kind, depth, parent, size, pos, of, open, foldable}` (`id` is the JSON
 * pointer), and the lines of strings that are open, `{id, line, depth, parent}`. `isOpen(id, depth, kind)` says what is unfolded.
 */
export function rowsOf(value, isOpen, columns) {
  const rows = [];
  const walk = (key, one, depth, id, parent, pos, of) => {
    const kind = kindOf(one);
    const size = sizeOf(one, kind);
    const foldable = size > 0 || (kind === "string" && long(one));
    const open = foldable && isOpen(id, depth, kind);
    rows.push({ id, key, value: one, kind, depth, parent, size, pos, of, foldable, open });
    if (!open) return;
    if (kind === "string") {
      linesOf(one, Math.max(24, columns - 2 * depth)).forEach((line, index) => rows.push({ id: `${id}#${index}`, line, depth: depth + 1, parent: id }));
    } else if (kind === "array") one.forEach((item, index) => walk(index, item, depth + 1, below(id, index), id, index + 1, size));
    else Object.keys(one).forEach((name, index) => walk(name, one[name], depth + 1, below(id, name), id, index + 1, size));
  };
  walk(null, value, 0, "", null, 1, 1);
  return rows;
}

/** A text cut into lines that fit: at its own ends of lines, then between words. */
export function linesOf(text, columns) {
  const lines = [];
  for (const line of text.split("\n")) {
    let rest = line;
    while (rest.length > columns) {
      const space = rest.lastIndexOf(" ", columns);
      let cut = space > columns / 2 ? space + 1 : columns;
      if (cut === columns && rest.charCodeAt(cut - 1) >> 10 === 54) cut -= 1; // not through a surrogate pair
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut);
    }
    lines.push(rest);
  }
  return lines;
}

/** The ids of the nodes whose key or own text has `text` in it, in their order. */
export function search(value, text) {
  const wanted = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "iu");
  const found = [];
  const walk = (one, id) => {
    const list = Array.isArray(one);
    for (const key of list ? one.keys() : Object.keys(one)) {
      if (found.length >= FOUND_AT_MOST) return;
      const inner = one[key];
      const holder = typeof inner === "object" && inner !== null;
      if ((!list && wanted.test(key)) || (!holder && wanted.test(String(inner)))) found.push(below(id, key));
      if (holder) walk(inner, below(id, key));
    }
  };
  if (typeof value === "object" && value !== null) walk(value, "");
  else if (wanted.test(String(value))) found.push("");
  return found;
}

/** The ids of all that a node stands in, the outermost first. */
export function above(id) {
  const ids = [];
  for (let at = id.indexOf("/"); at !== -1; at = id.indexOf("/", at + 1)) ids.push(id.slice(0, at));
  return ids;
}

/** The value at an id. */
export function valueAt(value, id) {
  return keysOf(id).reduce((one, key) => one?.[key], value);
}

/** The way to a value as an expression writes it: analyst.output.items[0]["odd key"]. */
export function pathTo(value, id, name = "") {
  let one = value;
  let path = name;
  for (const key of keysOf(id)) {
    if (Array.isArray(one)) path += `[${key}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) path += path ? `.${key}` : key;
    else path += `[${JSON.stringify(key)}]`;
    one = one?.[key];
  }
  return path;
}

function keysOf(id) {
  return id.split("#")[0].split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What stands in the row of a node in the place of what it holds: "4 keys", "12 items", "2,318 characters". */
export function summary(row) {
  if (row.kind === "array") return row.size ? plural(row.size, "item") : "[ ] empty";
  if (row.kind === "object") return row.size ? plural(row.size, "key") : "{ } empty";
  return row.foldable ? plural(row.value.length, "character") : "";
}

/** The beginning of a scalar as JSON writes it; a string that is folded ends in an ellipsis. */
export function shown(row) {
  if (row.kind !== "string") return String(row.value ?? null);
  return row.foldable ? `"${row.value.slice(0, 2 * FOLDED).replaceAll("\n", "↵")}…` : JSON.stringify(row.value);
}

/** The text of a value for the clipboard: a string as it is, all else as JSON. */
export function copyOf(value) {
  return typeof value === "string" ? value : stringify(value ?? null, 2);
}
