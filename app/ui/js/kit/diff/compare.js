// What differs between two JSON values, by path. Pure functions.
import { equal, typeOf } from "../form/schema.js";

const NAMES = ["id", "name", "key"]; // members by which the objects of a list are told apart
const LONG = 300; // entries of a list up to which moved ones are looked for

/**
 * Compares two values bit by bit: `parts` has what was found, in order, `run(ms)` goes on for about so long and answers whether it is done.
 * A part is `{path: [key | index ...], kind: "added" | "removed" | "changed" | "same", from, to}`. Parts that are the same are given whole,
 * at the highest path where that holds.
 */
export function comparison(from, to) {
  const parts = [];
  const left = [{ from, to, path: [] }];
  return {
    parts,
    run(ms) {
      const end = performance.now() + ms;
      while (left.length) {
        const one = left.pop();
        const kind = one.kind ?? (equal(one.from, one.to) ? "same" : kindOf(one));
        const inside = kind === null ? within(one) : null;
        if (inside) for (let index = inside.length - 1; index >= 0; index -= 1) left.push(inside[index]);
        else parts.push({ ...one, kind });
        if (parts.length % 64 === 0 && performance.now() > end) return left.length === 0;
      }
      return true;
    },
  };
}

/** All parts of two values at once. */
export function compared(from, to) {
  const made = comparison(from, to);
  made.run(Infinity);
  return made.parts;
}

/** How two values differ that do; null where the difference lies within them. */
function kindOf({ from, to }) {
  const type = typeOf(from);
  if (type === typeOf(to) && (type === "object" || type === "array")) return null;
  return from === undefined ? "added" : to === undefined ? "removed" : "changed";
}

function within({ from, to, path }) {
  return Array.isArray(from) ? lists(from, to, path) : objects(from, to, path);
}

function objects(from, to, path) {
  const known = new Set(Object.keys(to));
  const after = new Map(); // what was taken away stands behind what it stood behind
  let last;
  for (const name of Object.keys(from)) {
    if (known.has(name)) last = name;
    else after.set(last, [...(after.get(last) ?? []), name]);
  }
  const names = [...(after.get(undefined) ?? [])];
  for (const name of known) names.push(name, ...(after.get(name) ?? []));
  return names.map((name) => ({ from: own(from, name), to: own(to, name), path: [...path, name] }));
}

function own(value, name) {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Lists of named objects are compared by their names, others by what they have in common, in order; long ones by place. */
function lists(from, to, path) {
  const name = NAMES.find((one) => named(from, one) && named(to, one));
  if (name) return byName(from, to, name, path);
  const pairs = from.length <= LONG && to.length <= LONG ? aligned(from, to) : byPlace(from, to);
  return pairs.map(([before, after]) => ({ from: before === null ? undefined : from[before], to: after === null ? undefined : to[after], path: [...path, after ?? before] }));
}

function named(list, name) {
  const all = list.map((one) => typeOf(one) === "object" && typeof one[name] === "string" && one[name]);
  return all.every(Boolean) && new Set(all).size === all.length;
}

function byName(from, to, name, path) {
  const before = Object.fromEntries(from.map((one) => [one[name], one]));
  const after = Object.fromEntries(to.map((one) => [one[name], one]));
  const both = (list, other) => list.map((one) => one[name]).filter((one) => Object.hasOwn(other, one));
  const [order, now] = [both(from, after), both(to, before)];
  const moved = order.some((one, index) => one !== now[index]) ? [{ path, kind: "changed", from: order, to: now, note: "order" }] : [];
  return [...objects(before, after, path), ...moved];
}

function byPlace(from, to) {
  const place = (index, list) => (index < list.length ? index : null);
  return Array.from({ length: Math.max(from.length, to.length) }, (_, index) => [place(index, from), place(index, to)]);
}

/** Pairs of places: the longest row of equal entries stays together, what lies between is paired as it comes. */
function aligned(from, to) {
  const keys = (list) => list.map((one) => (typeOf(one) === "object" || typeOf(one) === "array" ? one : `${typeof one} ${one}`));
  const [before, after] = [keys(from), keys(to)];
  const same = (i, j) => (typeof before[i] === "string" || typeof after[j] === "string" ? before[i] === after[j] : equal(before[i], after[j]));
  const width = to.length + 1;
  const best = new Uint16Array((from.length + 1) * width);
  for (let i = from.length - 1; i >= 0; i -= 1) {
    for (let j = to.length - 1; j >= 0; j -= 1) {
      best[i * width + j] = same(i, j) ? best[(i + 1) * width + j + 1] + 1 : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const pairs = [];
  let [i, j, gone, come] = [0, 0, [], []];
  const flush = () => {
    for (let at = 0; at < Math.max(gone.length, come.length); at += 1) pairs.push([gone[at] ?? null, come[at] ?? null]);
    [gone, come] = [[], []];
  };
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && same(i, j)) {
      flush();
      pairs.push([i++, j++]);
    } else if (j >= to.length || (i < from.length && best[(i + 1) * width + j] >= best[i * width + j + 1])) gone.push(i++);
    else come.push(j++);
  }
  flush();
  return pairs;
}

/** The middle in which two texts differ: `[common beginning, one's middle, other's middle, common end]`. */
export function middle(one, other) {
  let start = 0;
  const least = Math.min(one.length, other.length);
  while (start < least && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < least - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  return [one.slice(0, start), one.slice(start, one.length - end), other.slice(start, other.length - end), one.slice(one.length - end)];
}

/** A path as it is read: steps.draft.input, items[3], ["odd name"]. */
export function pathText(path) {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : /^[A-Za-z_$][\w$-]*$/.test(part) ? (index ? `.${part}` : part) : `[${JSON.stringify(part)}]`)).join("") || "the whole";
}
