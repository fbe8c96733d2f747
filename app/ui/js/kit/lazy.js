// Parts of a page that are fetched when they are first wanted: dialogs, forms and comparisons that most readers never open.
import { whenBack } from "../lib/feed.js";
import { html, signal, useEffect, useRef } from "../lib/html.js";
import { Loading, Wrong } from "./faces.js";
import { complain } from "./toast.js";

const NEAR = 64; // px around what is in view
const SOON = 2000; // ms

/**
 * A component of a module that `load()` imports, by its `name`; until it is there, that is said in its place, unless it is `quiet`. `below`: it
 * stands below the first screen, and is fetched when it comes near, or when the page has had time for itself.
 */
export function lazy(load, name, { below = false, quiet = false } = {}) {
  const found = signal(null);
  const fetch = () => load().then((module) => { found.value = module[name]; }, (error) => { found.value = error; });
  function Lazy(props) {
    const place = useRef(null);
    useEffect(() => {
      if (found.peek() === null && below) return whenNear(place.current, fetch);
      if (found.peek() === null || found.peek() instanceof Error) fetch();
      return undefined;
    }, []);
    const missing = found.value instanceof Error;
    useEffect(() => (missing ? whenBack(fetch, 2 * SOON) : undefined), [found.value]);
    if (found.value === null && below) return html`<section class="sheet" ref=${place}><${Loading} /></section>`;
    if (found.value === null) return quiet ? null : html`<${Loading} />`;
    if (missing) return html`<${Wrong} problem=${found.value} what="This part could not be loaded" retry=${fetch} />`;
    return html`<${found.value} ...${props} />`;
  }
  /** An effect: fetch it in a moment, though nobody wants it yet. */
  Lazy.soon = () => {
    const later = setTimeout(() => { if (found.peek() === null) load().then((module) => { found.value = module[name]; }, () => {}); }, SOON);
    return () => clearTimeout(later);
  };
  return Lazy;
}

/** A function of such a module, called once it is there. */
export function lazily(load, name) {
  return (...given) => load().then((module) => module[name](...given), (error) => complain(error, "This could not be loaded"));
}

function whenNear(element, run) {
  const stop = () => { watch.disconnect(); clearTimeout(later); };
  const once = () => { stop(); run(); };
  const watch = new IntersectionObserver(([seen]) => { if (seen.isIntersecting) once(); }, { rootMargin: `${NEAR}px` });
  const later = setTimeout(once, SOON);
  watch.observe(element);
  return stop;
}
