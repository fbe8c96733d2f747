// Two executions, or two threads, side by side: which did better, and what did they give?
import { html, useMemo } from "../lib/html.js";
import { get } from "../lib/api.js";
import { useKeys } from "../lib/keys.js";
import { useResource } from "../lib/resource.js";
import { setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { shortId } from "../lib/words.js";
import { Button } from "../kit/bits.js";
import { Empty, Face, Loading } from "../kit/faces.js";
import { useTitle } from "../frame.js";
import { Picker } from "./compare/picker.js";
import { Side, sentences } from "./compare/sides.js";
import { Steps } from "./compare/steps.js";
import { Values } from "./compare/values.js";

export default function Compare({ query }) {
  const styled = useStyle("compare");
  const { a = "", b = "" } = query;
  useTitle(a && b ? `${shortId(a)} and ${shortId(b)}` : "Compare");
  const swap = () => setQuery({ a: b, b: a });
  useKeys("Compare", { x: { does: "change the sides", run: swap }, "[": { does: "choose the first", run: () => focus("a") }, "]": { does: "choose the second", run: () => focus("b") } }, [a, b]);
  if (!styled) return html`<${Loading} />`;
  return html`
    <div class="head"><h1>Compare</h1><div class="actions">${a && b && html`<${Button} onClick=${swap}>Change sides<//>`}</div></div>
    <div class="pickers"><${Picker} side="a" chosen=${a} other=${b} /><${Picker} side="b" chosen=${b} other=${a} /></div>
    ${a && b ? html`<${Both} key=${`${a} ${b}`} a=${a} b=${b} />` : html`<${Empty} title="Choose two"><p>Threads or executions: a fork and where it came from, a thread before and after a rollback, two ways to do the same.</p>
      <p class="muted">A thread stands for its present execution. Type its id, or words of its input.</p><//>`}`;
}

function focus(side) {
  document.querySelector(`#pick-${side}`)?.focus();
}

function Both({ a, b }) {
  const found = useResource((signal) => get("/workflow/executions/compare", { params: { a, b }, signal }), [a, b]);
  return html`<${Face} of=${found} what="These two cannot be compared">${(told) => html`<${Told} told=${told} again=${found.reload} />`}<//>`;
}

function Told({ told, again }) {
  const lines = useMemo(() => sentences(told), [told]);
  const open = [told.a, told.b].some((one) => ["pending", "running", "waiting", "paused"].includes(one.status));
  const { ancestor } = told;
  return html`
    <section class="sheet verdict" aria-label="In short">
      <ul>${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
      ${ancestor && html`<p class="muted">Both come from <a class="link" href=${`/threads/${encodeURIComponent(ancestor.thread_id)}?v=${ancestor.version}`}>v${ancestor.version} of <span class="mono">${shortId(ancestor.thread_id)}</span></a>; up to there they are one.</p>`}
      ${open && html`<p class="muted">Not both have ended: this is how they stand. <${Button} kind="small" onClick=${again}>Look again<//></p>`}
    </section>
    <div class="sides"><${Side} name="a" one=${told.a} /><${Side} name="b" one=${told.b} /></div>
    <${Values} title="Output" of=${told.output} none=${[told.a, told.b].every((one) => one.status !== "completed")} />
    <${Steps} steps=${told.steps} />
    <${Values} title="Context" of=${told.context} />
    <${Values} title="Input" of=${told.input} />`;
}
