// Keys: every action has one, and `?` lists those that work here and now.
import { signal, useLayoutEffect, useMemo } from "./html.js";

/** The sets of keys that are in force, the innermost last: {title, keys: {combination: {does, run}}}. */
export const inForce = signal([]);

const PREFIX_PATIENCE = 1200;
let prefix = "";
let prefixAt = 0;

/**
 * Keys for as long as a component is there. `keys` maps a key ("j", "Enter", "Shift+R", or two in a row: "g t") to
 * `{does: "what it does", run(event)}`. While a field has the focus only Escape counts.
 */
export function useKeys(title, keys) {
  const set = useMemo(() => ({ title, keys }), []);
  Object.assign(set, { title, keys }); // what a key does is what the last drawing says
  useLayoutEffect(() => { // before the next key can come
    inForce.value = [...inForce.peek(), set];
    return () => { inForce.value = inForce.peek().filter((other) => other !== set); };
  }, []);
}

export function startKeys() {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    const typing = target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
    if (typing && event.key !== "Escape") return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    // Buttons and links have Enter and Space for themselves.
    if ((event.key === "Enter" || event.key === " ") && target.closest?.("a, button, summary, input, [role=button], [role=option]")) return;
    const key = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
    const combined = event.timeStamp - prefixAt < PREFIX_PATIENCE && prefix ? `${prefix} ${key}` : "";
    const found = (combined && lookUp(combined)) || lookUp(key);
    prefix = "";
    if (found) {
      event.preventDefault();
      if (typing) target.blur();
      found.run(event);
    } else if (beginsOne(key)) {
      [prefix, prefixAt] = [key, event.timeStamp];
    }
  });
}

function lookUp(key) {
  return inForce.peek().findLast((set) => set.keys[key])?.keys[key];
}

function beginsOne(key) {
  return inForce.peek().some((set) => Object.keys(set.keys).some((one) => one.startsWith(`${key} `)));
}
