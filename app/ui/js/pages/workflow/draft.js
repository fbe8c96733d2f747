// The text that is being written: kept in this browser until it is saved or discarded, so that leaving loses nothing.
import { useEffect, useRef, useState } from "../../lib/html.js";
import { kept, keepValue } from "../../lib/prefs.js";
import { go } from "../../lib/route.js";
import { say } from "../../kit/toast.js";

const PAUSE = 400;

/**
 * `stored` is `{text, document, version}`. Answers `text`, `set(text)`, `changed`, `found` (one was kept from before), `at` and `base` of that,
 * `old` when the stored version has changed since, `discard()` and `saved()`.
 */
export function useDraft(name, stored) {
  const key = `draft.${name}`;
  const [before, setBefore] = useState(() => kept(key, null, (value) => typeof value.text === "string"));
  const usable = before && before.text !== stored.text ? before : null;
  const [text, setText] = useState(usable?.text ?? stored.text);
  const [ground, setGround] = useState(stored.text); // the stored document as it is written here
  const changed = text !== ground;
  const latest = useRef({});
  latest.current = { text, changed, ended: latest.current.ended };

  const keep = () => {
    if (latest.current.ended) return;
    keepValue(key, latest.current.changed ? { text: latest.current.text, base: usable?.base ?? stored.version, at: new Date().toISOString() } : null);
  };
  useEffect(() => {
    const timer = setTimeout(keep, PAUSE);
    return () => clearTimeout(timer);
  }, [text, ground]);
  useEffect(() => {
    const here = location.pathname;
    const leaving = (event) => {
      keep();
      if (latest.current.changed && !latest.current.ended) event.preventDefault();
    };
    addEventListener("beforeunload", leaving);
    return () => {
      removeEventListener("beforeunload", leaving);
      keep();
      if (latest.current.changed && !latest.current.ended) say("Your text is not saved. It is kept in this browser.", { action: { label: "Back to it", run: () => go(here) } });
    };
  }, []);

  return {
    text, changed, found: usable !== null && changed, at: usable?.at, base: usable?.base, old: usable !== null && usable.base !== stored.version,
    document: stored.document,
    set(next, { same = false } = {}) {
      setText(next);
      if (same) setGround(next);
    },
    discard() {
      keepValue(key, null);
      setBefore(null);
      setText(stored.text);
      setGround(stored.text);
    },
    saved() {
      latest.current.ended = true;
      keepValue(key, null);
    },
  };
}
