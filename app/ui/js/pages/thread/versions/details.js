// What the versions of a thread are, asked for in pages of a hundred when they come into view. A version never changes.
import { signal } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";

const PAGE = 100;

/** `{entries, want, stop}`: `entries.value` is a map of the versions that are known; `want(list, last)` asks for those that are not. */
export function detailsOf(id) {
  const entries = signal(new Map());
  const asked = new Map(); // page -> up to which version it was asked for
  const control = new AbortController();

  async function ask(page, upTo) {
    const from = page * PAGE + 1;
    try {
      const params = { from_version: from, to_version: from + PAGE - 1, all: true, limit: PAGE };
      const found = await get(path`/invoke/history/${id}`, { params, signal: control.signal });
      const next = new Map(entries.peek());
      for (const one of found.history) next.set(one.version, one);
      entries.value = next;
    } catch {
      if (asked.get(page) === upTo) asked.delete(page); // asked again when it is next wanted
    }
  }

  return {
    entries,
    want(versions, last) {
      const known = entries.peek();
      for (const page of new Set(versions.filter((one) => !known.has(one)).map((one) => Math.floor((one - 1) / PAGE)))) {
        const upTo = Math.min(last, (page + 1) * PAGE);
        if ((asked.get(page) ?? 0) >= upTo) continue;
        asked.set(page, upTo);
        ask(page, upTo);
      }
    },
    stop: () => control.abort(),
  };
}

/** The version before on the line that is not hidden, as far as that is known; null for none. */
export function before(entries, version) {
  let at = entries.get(version)?.parent_version ?? null;
  while (at !== null && entries.get(at)?.hidden) at = entries.get(at).parent_version;
  return at;
}

/** What a version has more or less than the one that it was written on, in words; empty where that is not known. */
export function changesOf(entry, before) {
  if (!entry || !before) return [];
  const told = [];
  const more = (mine, others) => mine.filter((one) => !others.includes(one));
  const steps = more(entry.completed_steps, before.completed_steps);
  const variables = more(entry.state_summary.context_keys, before.state_summary.context_keys);
  const gone = more(before.completed_steps, entry.completed_steps);
  if (steps.length) told.push(`${names(steps)} ${steps.length === 1 ? "has" : "have"} ended`);
  if (variables.length) told.push(`${names(variables)} ${variables.length === 1 ? "is" : "are"} set`);
  if (gone.length) told.push(`${names(gone)} to run again`);
  return told;
}

function names(list) {
  return list.length > 3 ? `${list.slice(0, 2).join(", ")} and ${list.length - 2} more` : list.join(", ");
}
