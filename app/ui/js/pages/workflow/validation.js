// Whether the text of a document holds, asked while it is written.
import { useEffect, useState } from "../../lib/html.js";
import { send } from "../../lib/api.js";
import { whenBack } from "../../lib/feed.js";
import { stringify } from "../../lib/json.js";

const PAUSE = 300;

/**
 * `{state: "asking" | "right" | "wrong" | "away", problems: [{pointer, message, line, column}], graph, name, hash, tell}`; the last graph stays
 * while something is wrong. An answer about an older text is dropped. `tell(problems)` puts those of a save there.
 */
export function useValidation(text) {
  const [told, setTold] = useState({ state: "asking", problems: [], graph: null, name: null, hash: null });
  const [round, setRound] = useState(0);
  // Once the service is back it is asked again.
  useEffect(() => whenBack(() => setRound((count) => count + 1)), []);
  useEffect(() => {
    const control = new AbortController();
    const ask = async () => {
      try {
        const found = await send("POST", "/workflows/validate", text, { signal: control.signal, headers: { "content-type": "application/yaml" } });
        if (control.signal.aborted) return;
        setTold((before) => (found.valid
          ? { state: "right", problems: [], graph: same(before.graph, found.graph), name: found.name, hash: found.hash }
          : { ...before, state: "wrong", problems: ordered(found.problems), hash: null }));
      } catch (error) {
        if (control.signal.aborted) return;
        const state = error.passing ? "away" : "wrong";
        setTold((before) => ({ ...before, state, problems: error.passing ? [] : error.problems?.length ? ordered(error.problems) : [{ pointer: "", message: error.detail ?? error.message }] }));
      }
    };
    const timer = setTimeout(ask, PAUSE);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text, round]);
  return { ...told, tell: (problems) => setTold((before) => ({ ...before, state: "wrong", problems: ordered(problems) })) };
}

/** The graph before, where nothing about it has changed: it is not laid out anew with every letter. */
function same(before, after) {
  return before && stringify(before) === stringify(after) ? before : after;
}

function ordered(problems) {
  return problems.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0));
}
