// One value of a form: which field it is drawn as, with its label, hint and fault.
import { html, useRef } from "../../lib/html.js";
import { grown } from "./check.js";
import { ChoiceField, ListField, ObjectField } from "./groups.js";
import { BooleanField, EnumField, FixedField, NumberField, TextField, bounds } from "./scalars.js";
import { MISSING, equal, kindOf, nullable, orNull, resolved, titled, typeOf, wordsOf } from "./schema.js";
import { JsonField } from "./text.js";

const FIELDS = { const: FixedField, null: FixedField, enum: EnumField, choice: ChoiceField, boolean: BooleanField, string: TextField, number: NumberField, object: ObjectField, array: ListField };
const TAKES = { boolean: ["boolean"], string: ["string"], number: ["number", "string"], object: ["object"], array: ["array"] };
const MANY = 200; // entries above which fields help nobody, beside those that the schema names
const DEEP = 12;

/**
 * `form` is what all fields share: `root`, `idOf(pointer)`, `faultAt(pointer, all)`, `touch(pointer)`. `plain` leaves the name to who cannot
 * see (in rows), `inner` does so for what stands within so many choices of the same value, `bare` is the form's own value.
 */
export function One({ schema, form, pointer, name, label, value: given, onChange, required = false, plain = false, inner = 0, bare = false }) {
  const value = given === MISSING ? undefined : given;
  const known = grown(orNull(resolved(schema, form.root), form.root), value, form.root);
  const before = useRef(undefined); // what stood there before "no value" was chosen
  if (value !== null) before.current = value;
  const kind = drawnAs(known, value, pointer);
  const title = label ?? known.title ?? titled(name);
  const hint = [known.description, kind === "number" && bounds(known), kind === "string" && bounds(known)].filter(Boolean).join(" · ") || undefined;
  const id = form.idOf(pointer) + INNER.repeat(inner);
  const common = {
    schema: known, form: form.One ? form : { ...form, One }, pointer, id, inner, hint, value, onChange, required, key: kind,
    bare: bare || (inner > 0 && kind === "object"),
    fault: form.faultAt(pointer, !GROUPS.has(kind)),
    onBlur: () => form.touch(pointer),
  };
  const shownLabel = plain || inner ? html`<span class="visually-hidden">${title}</span>` : html`${title}${!required && !bare && !GROUPS.has(kind) && !(kind === "boolean" && known.default !== undefined) && html` <span class="optional">optional</span>`}`;
  common.title = title;
  common.label = GROUPS.has(kind) ? (inner || plain ? null : html`${title}${!required && !bare && kind !== "object" && html` <span class="optional">optional</span>`}`) : shownLabel;
  if (kind === "json") return html`<${JsonField} ...${common} hint=${[hint, "JSON: text in quotes."].filter(Boolean).join(" ")} />`;
  if (kind === "const" || kind === "null") common.fixed = known.const ?? null;
  if (!nullable(known) || known.enum) return html`<${FIELDS[kind]} ...${common} />`;
  const none = html`<label class="check small muted"><input type="checkbox" checked=${value === null} onChange=${(event) => onChange(event.target.checked ? null : before.current)} />no value (null)</label>`;
  if (value === null) return html`<div class="field"><span class="label">${common.label}</span>${none}</div>`;
  return html`<div class="field"><${FIELDS[kind]} ...${common} />${none}</div>`;
}

const GROUPS = new Set(["object", "array", "choice"]);
/** What the id of a field has behind it that stands within a choice, whose own id is the same else; no pointer has it. */
export const INNER = "~of";

function drawnAs(known, value, pointer) {
  const words = wordsOf(known);
  const kind = words ? "enum" : kindOf(known);
  if (!FIELDS[kind] || pointer.split("/").length > DEEP) return "json";
  if (value === undefined) return kind;
  if (!offered(known, kind, words, value)) return "json";
  if (value === null && nullable(known)) return kind;
  if (TAKES[kind] && !TAKES[kind].includes(typeOf(value))) return "json";
  if (kind === "array" && value.length > MANY) return "json";
  if (kind === "object" && Object.keys(value).filter((name) => !Object.hasOwn(known.properties ?? {}, name)).length > MANY) return "json";
  return kind;
}

/** Whether a field of few answers has this one: it would show another instead. */
function offered(known, kind, words, value) {
  if (kind === "const" || kind === "null") return equal(known.const ?? null, value);
  return kind !== "enum" || (words?.map((word) => word.value) ?? known.enum).some((one) => equal(one, value));
}
