// A text that somebody types and that stands in the address.
import { useEffect, useRef, useState } from "./html.js";

/** `[text, setText]`; `put(text)` is called when nobody has typed for `pause` ms. What is `given` from elsewhere takes its place. */
export function useTyped(given, pause, put) {
  const [text, setText] = useState(given);
  const told = useRef(given); // what was put comes back as given, while the next word may be on its way
  useEffect(() => {
    if (given === told.current) return;
    told.current = given;
    setText(given);
  }, [given]);
  useEffect(() => {
    if (text.trim() === told.current) return undefined;
    const timer = setTimeout(() => {
      told.current = text.trim();
      put(told.current);
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);
  return [text, setText];
}
