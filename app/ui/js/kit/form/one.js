// One value of a form: which field it is drawn as, with its label, hint and fault.
import { html } from "../../lib/html.js";
import { ChoiceField, ListField, ObjectField } from "./groups.js";
import { BooleanField, EnumField, FixedField, NumberField, TextField, bounds } from "./scalars.js";
import { kindOf, nullable, resolved, titled, typeOf, wordsOf } from "./schema.js";
import { JsonField } from "./text.js";

const FIELDS = { const: FixedField, null: FixedField, enum: EnumField, choice: ChoiceField, boolean: BooleanField, string: TextField, number: NumberField, object: ObjectField, array: ListField };
const TAKES = { boolean: ["boolean"], string: ["string"], number: ["number", "string"], object: ["object"], array: ["array"] };
const MANY = 200; // entries above which fields help nobody
const DEEP = 12;

/**
 * `form` is what all fields share: `root`, `idOf(pointer)`, `faultAt(pointer, all)`, `touch(pointer)`. `plain` leaves the name to who cannot
 * see (in rows), `inner` draws no label at all, `bare` is the form's own value.
 */
export function One({ schema, form, pointer, name, label, value, onChange, required = false, plain = false, inner = false, bare = false }) {
  const known = resolved(schema, form.root);
  const kind = drawnAs(known, value, pointer);
  const title = label ?? known.title ?? titled(name);
  const hint = [known.description, kind === "number" && bounds(known), kind === "string" && bounds(known)].filter(Boolean).join(" · ") || undefined;
  const id = form.idOf(pointer);
  const common = {
    schema: known, form: form.One ? form : { ...form, One }, pointer, id, hint, value, onChange, required, key: kind,
    bare: bare || (inner && kind === "object"),
    fault: form.faultAt(pointer, !GROUPS.has(kind)),
    onBlur: () => form.touch(pointer),
  };
  const shownLabel = plain || inner ? html`<span class="visually-hidden">${title}</span>` : html`${title}${!required && !bare && !GROUPS.has(kind) && !(kind === "boolean" && known.default !== undefined) && html` <span class="optional">optional</span>`}`;
  common.title = title;
  common.label = GROUPS.has(kind) ? (inner || plain ? null : html`${title}${!required && !bare && kind !== "object" && html` <span class="optional">optional</span>`}`) : shownLabel;
  if (kind === "json") return html`<${JsonField} ...${common} hint=${[hint, "JSON: text in quotes."].filter(Boolean).join(" ")} />`;
  if (kind === "const" || kind === "null") common.fixed = known.const ?? null;
  if (!nullable(known) || known.enum) return html`<${FIELDS[kind]} ...${common} />`;
  const none = html`<label class="check small muted"><input type="checkbox" checked=${value === null} onChange=${(event) => onChange(event.target.checked ? null : undefined)} />no value (null)</label>`;
  if (value === null) return html`<div class="field"><span class="label">${common.label}</span>${none}</div>`;
  return html`<div class="field"><${FIELDS[kind]} ...${common} />${none}</div>`;
}

const GROUPS = new Set(["object", "array", "choice"]);

function drawnAs(known, value, pointer) {
  const words = wordsOf(known);
  const kind = words ? "enum" : kindOf(known);
  if (!FIELDS[kind] || pointer.split("/").length > DEEP) return "json";
  if (value === undefined || (value === null && nullable(known))) return kind;
  if (TAKES[kind] && !TAKES[kind].includes(typeOf(value))) return "json";
  if (kind === "array" && value.length > MANY) return "json";
  if (kind === "object" && Object.keys(value).length > MANY) return "json";
  return kind;
}
