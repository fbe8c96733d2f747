// The versions of a thread, oldest first: all of them once, then those that came since.
import { signal } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";

const PAGE = 1000;
const AT_MOST = 12_000;

/** `{list, more, again, stop}`: `list` is a signal, `more()` fetches what is new, `again()` lets it begin anew with the next. */
export function knots(id) {
  const list = signal([]);
  const control = new AbortController();
  let anew = false;

  async function more() {
    const found = anew ? [] : [...list.peek()];
    const from = found.length ? found.at(-1).version + 1 : null;
    let cursor = null;
    anew = false;
    try {
      do {
        const params = { from_version: from, cursor, limit: PAGE };
        const page = await get(path`/invoke/history/${id}`, { params, signal: control.signal });
        found.push(...page.history);
        cursor = page.next_cursor;
      } while (cursor !== null && found.length < AT_MOST);
      list.value = found;
    } catch { /* the page says so elsewhere; the next event asks again */ }
  }

  return { list, more, again() { anew = true; }, stop: () => control.abort() };
}
