// What differs between two JSON values, by path. Pure functions.
import { equal, typeOf } from "../form/schema.js";

const NAMES = ["id", "name", "key"]; // members by which the objects of a list are told apart
const LONG = 300; // entries of a list up to which moved ones are looked for

/**
 * The parts of two values in order: `[{path: [key | index ...], kind: "added" | "removed" | "changed" | "same", from, to}]`. Parts that are
 * the same are given whole, at the highest path where that holds. What is in neither is not told.
 */
export function compared(from, to, path = [], found = []) {
  if (equal(from, to)) found.push({ path, kind: "same", from, to });
  else if (from === undefined) found.push({ path, kind: "added", to });
  else if (to === undefined) found.push({ path, kind: "removed", from });
  else if (typeOf(from) === "object" && typeOf(to) === "object") objects(from, to, path, found);
  else if (typeOf(from) === "array" && typeOf(to) === "array") lists(from, to, path, found);
  else found.push({ path, kind: "changed", from, to });
  return found;
}

function objects(from, to, path, found) {
  const names = [...Object.keys(to)];
  // What was taken away stands where it stood.
  Object.keys(from).forEach((name, index, all) => {
    if (Object.hasOwn(to, name)) return;
    const before = all.slice(0, index).findLast((one) => names.includes(one));
    names.splice(before === undefined ? 0 : names.indexOf(before) + 1, 0, name);
  });
  for (const name of names) compared(own(from, name), own(to, name), [...path, name], found);
}

function own(value, name) {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Lists of named objects are compared by their names, others by what they have in common, in order; long ones by place. */
function lists(from, to, path, found) {
  const name = NAMES.find((one) => named(from, one) && named(to, one));
  if (name) return byName(from, to, name, path, found);
  const pairs = from.length <= LONG && to.length <= LONG ? aligned(from, to) : byPlace(from, to);
  for (const [before, after] of pairs) {
    compared(before === null ? undefined : from[before], after === null ? undefined : to[after], [...path, after ?? before], found);
  }
  return undefined;
}

function named(list, name) {
  const all = list.map((one) => typeOf(one) === "object" && typeof one[name] === "string" && one[name]);
  return all.every(Boolean) && new Set(all).size === all.length;
}

function byName(from, to, name, path, found) {
  const before = Object.fromEntries(from.map((one) => [one[name], one]));
  const after = Object.fromEntries(to.map((one) => [one[name], one]));
  objects(before, after, path, found);
  const both = (list, other) => list.map((one) => one[name]).filter((one) => Object.hasOwn(other, one));
  const [order, now] = [both(from, after), both(to, before)];
  if (order.some((one, index) => one !== now[index])) found.push({ path, kind: "changed", from: order, to: now, note: "order" });
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
