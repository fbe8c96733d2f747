// The registered workflows, and what a page of them needs.
import { get, path } from "./api.js";

const PAGE = 1000;
const PAGES = 20;

/** All pages of a list, as far as 20,000 entries. `key` names the list in the answers. */
export async function all(where, key, { params, signal } = {}) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get(where, { params: { ...params, limit: PAGE, cursor }, signal });
    found.push(...answer[key]);
    cursor = answer.next_cursor;
    if (cursor === null) break;
  }
  return found;
}

/** The newest version of every workflow, by name, without documents. */
export function definitions(signal) {
  return all("/workflows", "workflows", { signal });
}

/** One definition with its document and graph; the newest without `version`. */
export function definition(name, version, signal) {
  return get(version ? path`/workflows/${`${name}@${version}`}` : path`/workflows/${name}`, { signal });
}

/** Where a new one is written: no workflow can have this name. */
export const NEW = "/workflows/+";

/** Where the page of a workflow is; `more` is put behind it. */
export function pageOf(name, more = "") {
  return `/workflows/${encodeURIComponent(name)}${more}`;
}

/** The address of its form. */
export function startOf(name, version) {
  return `/start/${encodeURIComponent(name)}${version ? `?version=${encodeURIComponent(version)}` : ""}`;
}

/** A line for a shell that sends `body` to `where`, quoted so that it says exactly that. */
export function curl(where, body) {
  return `curl -s ${location.origin}/api${where} -d '${body.replaceAll("'", "'\\''")}'`;
}

/** Those whose name or description has all words of a text. */
export function matching(list, text) {
  const words = (text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return list;
  return list.filter((one) => {
    const whole = `${one.name} ${one.description ?? ""}`.toLowerCase();
    return words.every((word) => whole.includes(word));
  });
}
