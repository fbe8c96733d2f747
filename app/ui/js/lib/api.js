// The API by fetch: JSON in, JSON out, and every refusal as a Problem that says what happened and what to do.
import { dated } from "./clock.js";
import { parse, stringify } from "./json.js";

const PATIENCE = 30_000;

/** What the service answered instead (RFC 9457), or that it did not answer at all (`status` 0). */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", detail, problems = [], ...more }) {
    super(detail ?? code);
    Object.assign(this, { status, code, detail: detail ?? code, problems, more });
  }

  /** Whether asking again may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** A path of the API with its parts escaped: path`/invoke/status/${id}`. */
export function path(texts, ...parts) {
  return texts.reduce((whole, text, index) => whole + encodeURIComponent(parts[index - 1]) + text);
}

/** The query text of what is given; null, undefined, "" and false are left out. */
export function query(given = {}) {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    told.set(name, Array.isArray(value) ? value.join(",") : String(value));
  }
  const text = told.toString();
  return text ? `?${text}` : "";
}

/** GET /api{where}, whose answer is waited for `patience` ms. Raises Problem, and AbortError when `signal` says so. */
export function get(where, { params, signal, patience } = {}) {
  return ask("GET", where + query(params), undefined, signal, {}, patience);
}

/** POST, PUT, PATCH or DELETE /api{where} with a JSON body. Raises Problem. */
export function send(method, where, body, { params, signal, headers } = {}) {
  return ask(method, where + query(params), body, signal, headers);
}

export const post = (where, body, options) => send("POST", where, body, options);

async function ask(method, where, body, signal, headers = {}, patience = PATIENCE) {
  const late = AbortSignal.timeout(patience);
  const given = { method, headers: { accept: "application/json", ...headers }, signal: signal ? AbortSignal.any([signal, late]) : late };
  if (body !== undefined) {
    given.body = typeof body === "string" ? body : stringify(body);
    given.headers["content-type"] ??= "application/json";
  }
  let response;
  let text;
  const sent = Date.now();
  try {
    response = await fetch(`/api${where}`, given);
    dated(response.headers.get("date"), sent);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    const slow = late.aborted ? "The service did not answer in time." : "The service cannot be reached.";
    throw new Problem({ detail: slow });
  }
  const value = text ? read(text, response) : null;
  if (!response.ok) throw new Problem({ ...value, status: response.status });
  return value;
}

function read(text, response) {
  try {
    return parse(text);
  } catch {
    throw new Problem({ status: response.ok ? 502 : response.status, code: "not_json", detail: `The answer is no JSON: ${text.slice(0, 120)}` });
  }
}
