// A value of a thread: as a tree, or as the text that it is; a large one is told by its size until somebody wants it.
import { html, useState } from "../../../lib/html.js";
import { useResource } from "../../../lib/resource.js";
import { bytes } from "../../../lib/words.js";
import { Button, Copy } from "../../../kit/bits.js";
import { Face } from "../../../kit/faces.js";
import { lazy } from "../../../kit/lazy.js";

const JsonTree = lazy(() => import("../../../kit/tree.js"), "JsonTree");
const LARGE = 1_000_000;
const LONG = 50_000; // characters of a text that stands as such

/** A JSON value. */
export function Value({ value, name }) {
  if (typeof value === "string" && value.length <= LONG) {
    return html`<div class="plain"><pre tabindex="0" aria-label=${name}>${value || html`<span class="faint">an empty text</span>`}</pre><${Copy} text=${value} label=${`Copy ${name}`} /></div>`;
  }
  return html`<${JsonTree} value=${value} name=${name} height=${360} />`;
}

/** A value of so many bytes that is fetched by `fetcher(abortSignal)`: at once, or when asked for if it is large. */
export function Fetched({ size, name, fetcher, deps }) {
  const [wanted, setWanted] = useState(false);
  if (size > LARGE && !wanted) {
    return html`<div class="large"><p>${bytes(size)}</p><p class="muted">So much is fetched when you want it.</p><${Button} onClick=${() => setWanted(true)}>Show it<//></div>`;
  }
  return html`<${Now} name=${name} fetcher=${fetcher} deps=${deps} />`;
}

function Now({ name, fetcher, deps }) {
  const found = useResource(fetcher, deps);
  return html`<${Face} of=${found}>${(value) => html`<${Value} value=${value.value} name=${name} />`}<//>`;
}
