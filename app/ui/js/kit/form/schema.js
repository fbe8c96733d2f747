// What a JSON Schema says of a value, as far as a form can be drawn from it. Pure functions; `root` is the schema of the whole form.

const KEYWORDS = ["properties", "patternProperties"];
const HOPS = 30;

/** A text that is no JSON: it stands in a value until it is mended, and no value with it may be sent. */
export class Unreadable {
  constructor(text, why) {
    Object.assign(this, { text, why });
  }

  toJSON() {
    throw new TypeError(this.why);
  }
}

/** Holds the place of an entry that nothing has been written into yet. */
export const MISSING = new Unreadable("", "This is required.");

/** "null", "boolean", "number", "string", "array" or "object"; "unreadable" of a text that is no JSON, undefined of nothing. */
export function typeOf(value) {
  if (value === undefined) return undefined;
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (value instanceof Unreadable) return "unreadable";
  return typeof value === "bigint" ? "number" : typeof value;
}

export function isInteger(value) {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

/** The schema with its references followed and its allOf merged into it. */
export function resolved(schema, root) {
  let found = schema === true || schema === undefined ? {} : schema === false ? { not: {} } : schema;
  for (let hop = 0; found.$ref !== undefined && hop < HOPS; hop += 1) {
    const { $ref, ...beside } = found;
    const target = referred($ref, root);
    if (target === undefined || typeof target !== "object") return { ...beside, unknown: $ref };
    found = merged(beside, target);
  }
  for (let hop = 0; Array.isArray(found.allOf) && hop < HOPS; hop += 1) {
    const { allOf, ...rest } = found;
    found = allOf.map((part) => resolved(part, root)).reduce(merged, rest);
  }
  return found;
}

function referred(reference, root) {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  return reference.slice(2).split("/").reduce((at, part) => at?.[decoded(part)], root);
}

function decoded(part) {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return part;
  }
}

export function merged(one, other) {
  const both = { ...other, ...one };
  for (const word of KEYWORDS) if (one[word] && other[word]) both[word] = { ...other[word], ...one[word] };
  if (one.allOf && other.allOf) both.allOf = [...one.allOf, ...other.allOf];
  const conditions = [...conditionsOf(one), ...conditionsOf(other)];
  if (conditions.length) both.conditions = conditions;
  if (one.required && other.required) both.required = [...new Set([...one.required, ...other.required])];
  return both;
}

/** Its `[{if, then, else}]`, also those of its parts once they are merged. */
export function conditionsOf(schema) {
  return schema.conditions ?? (schema.if === undefined ? [] : [schema]);
}

/** "This or null" as one type of two, however it is said: generators of schemas write it as alternatives. */
export function orNull(schema, root) {
  const listed = schema.anyOf ?? schema.oneOf;
  const other = listed?.length === 2 ? listed.filter((one) => one?.type !== "null") : [];
  const inner = other.length === 1 ? resolved(other[0], root) : {};
  if (typeof inner.type !== "string" || inner.const !== undefined || schema.type !== undefined) return schema;
  const { anyOf, oneOf, ...shared } = schema;
  return merged(shared, { ...inner, type: [inner.type, "null"], ...(inner.enum && { enum: [...inner.enum, null] }) });
}

/** The types that a schema takes, as far as it tells; without the null type, which `nullable` tells. */
export function typesOf(schema) {
  if (schema.type !== undefined) return [schema.type].flat().filter((type) => type !== "null");
  if (schema.properties || schema.additionalProperties || schema.patternProperties || schema.required) return ["object"];
  if (schema.items || schema.prefixItems) return ["array"];
  if (schema.minLength !== undefined || schema.maxLength !== undefined || schema.pattern || schema.format) return ["string"];
  if (schema.minimum !== undefined || schema.maximum !== undefined || schema.multipleOf !== undefined) return ["number"];
  return [];
}

export function nullable(schema) {
  return [schema.type].flat().includes("null") && [schema.type].flat().length > 1;
}

/** How a value of it is drawn: const, enum, choice, boolean, string, number, object, array, null or json. */
export function kindOf(schema) {
  if (schema.const !== undefined) return "const";
  if (Array.isArray(schema.enum)) return "enum";
  if (choicesOf(schema).length > 1) return "choice";
  const types = typesOf(schema);
  if (schema.type === "null") return "null";
  if (types.length !== 1 || schema.unknown) return "json";
  return { integer: "number", number: "number", string: "string", boolean: "boolean", object: "object", array: "array" }[types[0]] ?? "json";
}

/** Its alternatives: of oneOf, anyOf, or of several types. */
export function choicesOf(schema, root) {
  const listed = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(listed)) {
    const { oneOf, anyOf, title, description, default: given, ...shared } = schema;
    return listed.map((one) => (typeof one === "object" ? merged(resolved(one, root), shared) : one));
  }
  const types = typesOf(schema);
  if (types.length < 2 || types.includes("number") && types.includes("integer") && types.length === 2) return [];
  const { title, description, default: given, ...shared } = schema;
  return types.map((type) => ({ ...shared, type }));
}

/** oneOf whose parts are all a const with a title: an enum with words. */
export function wordsOf(schema) {
  const listed = schema.oneOf ?? schema.anyOf;
  const all = Array.isArray(listed) && listed.length > 0 && listed.every((one) => one?.const !== undefined);
  return all ? listed.map((one) => ({ value: one.const, label: one.title ?? shown(one.const), hint: one.description })) : null;
}

/** What a new value begins with: what is given by default, and the objects that are required. */
export function initial(schema, root = schema, depth = 0) {
  const known = resolved(schema, root);
  if (known.default !== undefined) return structuredClone(known.default);
  if (known.const !== undefined) return structuredClone(known.const);
  if (kindOf(known) !== "object" || depth > 6) return undefined;
  const made = [];
  for (const [name, part] of Object.entries(known.properties ?? {})) {
    const needed = known.required?.includes(name);
    if (!needed && resolved(part, root).default === undefined) continue;
    const value = initial(part, root, depth + 1);
    if (value !== undefined) made.push([name, value]);
  }
  return Object.fromEntries(made);
}

/** A value in a few characters. */
export function shown(value) {
  const text = typeof value === "string" ? value : value instanceof Unreadable ? value.text : String(JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? String(one) : one)));
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

export function equal(one, other) {
  if (one === other) return true;
  const [type, also] = [typeOf(one), typeOf(other)];
  if (type !== also || (type !== "array" && type !== "object")) return false;
  const [keys, others] = [Object.keys(one), Object.keys(other)];
  return keys.length === others.length && keys.every((key) => Object.hasOwn(other, key) && equal(one[key], other[key]));
}

/** A name as people write it: "max_words" is "Max words". */
export function titled(name) {
  const words = String(name).replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : "(no name)";
}

/** A JSON pointer with one more part. */
export function below(pointer, part) {
  return `${pointer}/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
