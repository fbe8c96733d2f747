// Parts of a page that are fetched when they are first wanted: dialogs, forms and comparisons that most readers never open.
import { html, signal, useEffect } from "../lib/html.js";
import { Loading, Wrong } from "./faces.js";
import { complain } from "./toast.js";

/** A component of a module that `load()` imports, by its `name`; until it is there, that is said in its place. */
export function lazy(load, name) {
  const found = signal(null);
  const fetch = () => load().then((module) => { found.value = module[name]; }, (error) => { found.value = error; });
  return function Lazy(props) {
    useEffect(() => { if (found.peek() === null) fetch(); }, []);
    if (found.value === null) return html`<${Loading} />`;
    if (found.value instanceof Error) return html`<${Wrong} problem=${found.value} what="This part could not be loaded" retry=${fetch} />`;
    return html`<${found.value} ...${props} />`;
  };
}

/** A function of such a module, called once it is there. */
export function lazily(load, name) {
  return (...given) => load().then((module) => module[name](...given), (error) => complain(error, "This could not be loaded"));
}
