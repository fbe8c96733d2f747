// A JSON value as YAML: for people to read and edit. Whatever a reader of YAML 1.1 or 1.2 could take for something else is quoted.

const PLAIN = /^[\p{L}_/][\p{L}\p{M}\p{N}_ .,;/@+=()<>!?&|*%^$~'"-]*$/u;
const FLOW = /^[\p{L}_][\p{L}\p{M}\p{N}_./@+-]*$/u; // within [ ]: no comma, no space
const WORDS = /^(null|true|false|yes|no|on|off|y|n)$/i;
const DURATION = /^\d+(ms|s|m|h|d)$/; // "30s" is text to every reader
// What no reader takes as it is: controls, other ends of lines, the mark of byte order, what is no character.
// oxlint-disable-next-line no-control-regex
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/;
const WIDE = 88;
const KEY = 120;

/** The YAML text of a value as lib/json.js reads it, ending in a line's end. */
export function toYaml(value) {
  const lines = [];
  write(lines, value, "", "");
  return `${lines.join("\n")}\n`;
}

/** `lead` is what stands on the line before the value ("key:", "- "), `pad` the indentation of what is inside of it. */
function write(lines, value, lead, pad) {
  if (Array.isArray(value) && value.length) {
    const flow = short(value);
    if (flow !== null && lead.length + flow.length < WIDE) return void lines.push(joined(lead, flow));
    if (lead && !lead.endsWith("- ")) lines.push(lead);
    value.forEach((item, index) => write(lines, item, `${index === 0 && lead.endsWith("- ") ? lead : pad}- `, `${pad}  `));
  } else if (isObject(value) && Object.keys(value).length) {
    if (lead && !lead.endsWith("- ")) lines.push(lead);
    Object.entries(value).forEach(([key, one], index) => {
      const start = index === 0 && lead.endsWith("- ") ? lead : pad;
      const name = keyed(key);
      if (name.length > KEY) lines.push(`${start}? ${name}`);
      write(lines, one, name.length > KEY ? `${pad}:` : `${start}${name}:`, isObject(one) || name.length > KEY || Array.isArray(one) ? `${pad}  ` : pad);
    });
  } else if (typeof value === "string" && blockable(value) && lead) {
    const text = value.endsWith("\n") ? value.slice(0, -1) : value;
    lines.push(joined(lead, value.endsWith("\n") ? "|" : "|-"));
    const inner = lead.endsWith("- ") ? pad : `${pad}  `;
    for (const line of text.split("\n")) lines.push(line ? inner + line : "");
  } else {
    lines.push(joined(lead, scalar(value)));
  }
}

function joined(lead, text) {
  return !lead || lead.endsWith(" ") ? lead + text : `${lead} ${text}`;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalar(value) {
  if (Array.isArray(value)) return "[]";
  if (isObject(value)) return "{}";
  if (typeof value === "string") return plain(value) ? value : quoted(value);
  if (typeof value === "number") return numeral(value);
  return String(value);
}

/** With a point before its exponent, as YAML 1.1 wants it. */
function numeral(value) {
  if (Object.is(value, -0)) return "-0.0";
  // Beyond 2^53 a number without a fraction is one that was written with an exponent: whole ones are BigInt.
  const text = Number.isInteger(value) && !Number.isSafeInteger(value) ? value.toExponential() : String(value);
  return /^-?\d+e/.test(text) ? text.replace("e", ".0e") : text;
}

function plain(text) {
  if (DURATION.test(text)) return true;
  return PLAIN.test(text) && !text.endsWith(" ") && !WORDS.test(text) && !/\s#|:\s|:$/.test(text);
}

/** Keys are held to what is plain within [ ] too: letters, digits and a few signs. */
function keyed(key) {
  return FLOW.test(key) && !WORDS.test(key) ? key : quoted(key);
}

function quoted(text) {
  return JSON.stringify(text).replace(new RegExp(ODD, "gu"), (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A list of a few single words or numbers on one line. */
function short(list) {
  if (list.length > 12) return null;
  const parts = [];
  for (const item of list) {
    if (typeof item === "string" ? !FLOW.test(item) || WORDS.test(item) : typeof item === "object" && item !== null) return null;
    parts.push(scalar(item));
  }
  return `[${parts.join(", ")}]`;
}

/** Whether a text may stand as it is, line by line. */
function blockable(text) {
  return text.includes("\n") && !text.endsWith("\n\n") && text !== "\n" && !/^[\s]/.test(text) && !ODD.test(text) && !text.includes("\t") && !/^ +$/m.test(text);
}
