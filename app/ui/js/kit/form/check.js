// Whether a value fits a JSON Schema, in words for the one who writes it. The service decides; this only tells before it is asked.
import { own } from "../../lib/own.js";
import { number, plural } from "../../lib/words.js";
import { fits } from "./pattern.js";
import { Unreadable, below, conditionsOf, equal, isInteger, merged, resolved, shown, typeOf, wordsOf } from "./schema.js";

const DEPTH = 60;
const TYPES = { string: "text", number: "a number", integer: "a whole number", boolean: "yes or no", array: "a list", object: "an object", null: "null" };
const FORMATS = {
  date: [/^\d{4}-\d\d-\d\d$/, "a date such as 2026-11-30"],
  "date-time": [/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/, "a time such as 2026-11-30T09:00:00Z"],
  time: [/^\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?$/, "a time such as 09:00:00Z"],
  email: [/^[^@\s]+@[^@\s]+$/, "an e-mail address"],
  uri: [/^[A-Za-z][A-Za-z0-9+.-]*:[^\s]*$/, "a whole address such as https://example.org"],
  uuid: [/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, "a UUID"],
};

/** The faults of a value: `[{pointer, message}]`, none if it fits as far as a browser can tell. */
export function check(schema, value, root = schema, pointer = "", depth = 0) {
  if (depth > DEPTH) return [];
  const known = resolved(schema, root);
  const wrong = (message) => [{ pointer, message }];
  if (value === undefined) return wrong("This is required.");
  if (value instanceof Unreadable) return [{ pointer, message: value.why, unread: true }];
  if (schema === false) return wrong("Nothing may stand here.");
  const types = known.type === undefined ? [] : [known.type].flat();
  if (types.length && !types.some((type) => isOf(type, value))) return wrong(`This must be ${types.map((type) => own(TYPES, type) ?? type).join(" or ")}.`);
  if (known.const !== undefined && !equal(known.const, value)) return wrong(`This must be ${shown(known.const)}.`);
  if (Array.isArray(known.enum) && !known.enum.some((one) => equal(one, value))) return wrong(`This must be one of ${known.enum.map(shown).join(", ")}.`);
  const go = (part, one, name) => check(part, one, root, name === undefined ? pointer : below(pointer, name), depth + 1);
  const inside = { string: ofText, number: ofNumber, array: ofList, object: ofObject }[typeOf(value)]?.(known, value, wrong, go) ?? [];
  return [...inside, ...ofParts(known, value, wrong, go)];
}

function isOf(type, value) {
  return type === "integer" ? isInteger(value) : typeOf(value) === type;
}

function ofText({ minLength, maxLength, pattern, format }, value, wrong) {
  const length = [...value].length;
  if (minLength !== undefined && length < minLength) return wrong(`At least ${plural(minLength, "character")}${length ? `; these are ${length}` : ""}.`);
  if (maxLength !== undefined && length > maxLength) return wrong(`At most ${plural(maxLength, "character")}; these are ${number(length)}.`);
  if (pattern !== undefined && fits(pattern, value) === false) return wrong(`This must fit the pattern ${pattern}.`);
  const [shape, what] = own(FORMATS, format) ?? [];
  if (shape && !shape.test(value)) return wrong(`This must be ${what}.`);
  return [];
}

function ofNumber({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }, value, wrong) {
  if (minimum !== undefined && value < minimum) return wrong(`At least ${minimum}.`);
  if (maximum !== undefined && value > maximum) return wrong(`At most ${maximum}.`);
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) return wrong(`More than ${exclusiveMinimum}.`);
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) return wrong(`Less than ${exclusiveMaximum}.`);
  const parts = typeof value === "number" && multipleOf > 0 ? value / Number(multipleOf) : 0;
  if (Math.abs(parts - Math.round(parts)) > 1e-9 * Math.max(1, Math.abs(parts))) return wrong(`A multiple of ${multipleOf}.`);
  return [];
}

function ofList({ minItems, maxItems, uniqueItems, items, prefixItems = [] }, value, wrong, go) {
  if (minItems !== undefined && value.length < minItems) return wrong(`At least ${plural(minItems, "entry", "entries")}.`);
  if (maxItems !== undefined && value.length > maxItems) return wrong(`At most ${plural(maxItems, "entry", "entries")}.`);
  const faults = value.flatMap((one, index) => go(prefixItems[index] ?? items ?? true, one, index));
  const twice = uniqueItems && value.length < 1000 && value.findIndex((one, index) => value.slice(0, index).some((other) => equal(one, other)));
  return twice > 0 ? [...faults, ...wrong(`Entry ${twice + 1} stands there twice.`)] : faults;
}

function ofObject(schema, value, wrong, go) {
  const { properties = {}, patternProperties = {}, additionalProperties, required = [], minProperties, maxProperties, dependentRequired = {} } = schema;
  const names = Object.keys(value);
  const faults = [];
  const needed = [...required, ...Object.entries(dependentRequired).flatMap(([name, others]) => (Object.hasOwn(value, name) ? others : []))];
  for (const name of new Set(needed)) if (!Object.hasOwn(value, name)) faults.push(...go(own(properties, name) ?? true, undefined, name));
  for (const name of names) {
    const fitting = Object.entries(patternProperties).filter(([pattern]) => fits(pattern, name)).map(([, part]) => part);
    if (Object.hasOwn(properties, name)) fitting.push(properties[name]);
    if (fitting.length) faults.push(...fitting.flatMap((part) => go(part, value[name], name)));
    else if (additionalProperties === false) faults.push(...go(true, new Unreadable("", "There is no such field."), name));
    else faults.push(...go(additionalProperties ?? true, value[name], name));
  }
  if (minProperties !== undefined && names.length < minProperties) faults.push(...wrong(`At least ${plural(minProperties, "entry", "entries")}.`));
  if (maxProperties !== undefined && names.length > maxProperties) faults.push(...wrong(`At most ${plural(maxProperties, "entry", "entries")}.`));
  return faults;
}

function ofParts(known, value, wrong, go) {
  const { oneOf, anyOf, not } = known;
  const faults = [];
  for (const listed of [oneOf, anyOf]) {
    if (!Array.isArray(listed)) continue;
    const found = listed.map((part) => go(part, value));
    if (found.some((one) => !one.length)) continue;
    const words = wordsOf({ oneOf: listed });
    faults.push(...(words ? wrong(`This must be one of ${words.map((word) => word.label).join(", ")}.`) : nearest(found)));
  }
  if (not !== undefined && !go(not, value).length) faults.push(...wrong("This does not fit."));
  for (const { if: condition, then, else: otherwise } of conditionsOf(known)) {
    const part = go(condition, value).length ? otherwise : then;
    if (part !== undefined) faults.push(...go(part, value));
  }
  return faults;
}

/** The faults of what a value holds, apart from what is not written to its end yet. */
function misfits(schema, value, root) {
  return check(schema, value, root).filter((fault) => !fault.unread);
}

/** A schema with what its conditions add to it for a value. */
export function grown(known, value, root) {
  if (value === undefined) return known;
  const added = conditionsOf(known).map((one) => (misfits(one.if, value, root).length ? one.else : one.then));
  return added.filter((part) => typeof part === "object").reduce((all, part) => merged(all, resolved(part, root)), known);
}

/** Of several alternatives that do not fit, the faults of the one that fits best: whose faults lie deepest. */
function nearest(found) {
  const depth = (faults) => Math.min(...faults.map((fault) => fault.pointer.split("/").length));
  return found.toSorted((one, other) => depth(other) - depth(one) || one.length - other.length)[0];
}

/** Which alternative a value is of: the one that it fits, or fits best. */
export function choiceOf(choices, value, root) {
  if (value === undefined) return 0;
  const found = choices.map((choice) => misfits(choice, value, root));
  const fits = found.findIndex((faults) => !faults.length);
  return fits >= 0 ? fits : Math.max(0, found.indexOf(nearest(found)));
}
