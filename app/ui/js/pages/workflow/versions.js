// The versions of a workflow, and what differs between two of them.
import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { definition, pageOf } from "../../lib/definitions.js";
import { useResource } from "../../lib/resource.js";
import { setQuery } from "../../lib/route.js";
import { plural } from "../../lib/words.js";
import { Ago, Button } from "../../kit/bits.js";
import { Diff } from "../../kit/diff.js";
import { Face } from "../../kit/faces.js";

const FIRST = 100;

/** `diff` is "3..5" of the address. */
export function Versions({ workflow, versions, diff }) {
  const [from, to] = (/^(\d+)\.\.(\d+)$/.exec(diff ?? "") ?? []).slice(1).map(Number);
  return html`<${Face} of=${versions}>${(list) => html`
    ${list.length > 1 ? html`<${Compare} list=${list} from=${from ?? list[1].version} to=${to ?? list[0].version} />` : html`<p class="muted">There is one version. A change of the document makes the next.</p>`}
    ${from !== undefined && html`<${Difference} name=${workflow.name} from=${from} to=${to} />`}
    <${Table} list=${list} workflow=${workflow} />`}<//>`;
}

function Compare({ list, from, to }) {
  const choose = (one, other) => setQuery({ diff: `${one}..${other}`, tab: null });
  const options = list.map((one) => html`<option key=${one.version} value=${String(one.version)}>version ${one.version}</option>`);
  return html`<div class="row wrap tools"><label for="diff-from">Compare</label>
    <select id="diff-from" value=${String(from)} onChange=${(event) => choose(event.target.value, to)}>${options}</select>
    <label for="diff-to">with</label><select id="diff-to" value=${String(to)} onChange=${(event) => choose(from, event.target.value)}>${options}</select>
    <${Button} kind="small" onClick=${() => choose(from, to)}>Show what differs<//>
    <${Button} kind="small quiet" onClick=${() => choose(to, from)}>Swap<//></div>`;
}

function Difference({ name, from, to }) {
  const both = useResource((signal) => Promise.all([definition(name, from, signal), definition(name, to, signal)]), [name, from, to]);
  const top = useRef(null);
  useEffect(() => top.current.scrollIntoView({ block: "nearest" }), [from, to]);
  return html`<section class="difference" ref=${top}><div class="row"><h2>Version ${from} and version ${to}</h2><${Button} kind="small quiet" icon="close" label="Close" onClick=${() => setQuery({ diff: null, tab: "versions" })} /></div>
    <${Face} of=${both}>${([one, other]) => html`<${Diff} from=${one.document} to=${other.document} names=${[`version ${from}`, `version ${to}`]} empty="Their documents are the same." />`}<//></section>`;
}

function Table({ list, workflow }) {
  const [seen, setSeen] = useState(FIRST);
  const rows = useMemo(() => list.slice(0, seen), [list, seen]);
  return html`<table class="versions"><thead><tr><th>Version</th><th>Registered</th><th class="num">Steps</th><th>Content</th><th><span class="visually-hidden">Changes</span></th></tr></thead>
    <tbody>${rows.map((one, index) => html`<tr key=${one.version} aria-current=${one.version === workflow.version ? "true" : undefined}>
      <td class="nowrap"><a class="link" href=${pageOf(workflow.name, index ? `?version=${one.version}&tab=versions` : "?tab=versions")}>version ${one.version}</a>${index === 0 && html` <span class="tag">newest</span>`}</td>
      <td><${Ago} at=${one.created_at} /></td><td class="num" title=${plural(one.steps.length, "step")}>${one.steps.length}</td><td class="mono faint" title=${one.hash}>${one.hash.slice(0, 8)}</td>
      <td class="right">${list[index + 1] && html`<a class="link nowrap" href=${pageOf(workflow.name, `?diff=${list[index + 1].version}..${one.version}`)}>what changed</a>`}</td></tr>`)}</tbody></table>
    ${list.length > seen && html`<${Button} kind="small" onClick=${() => setSeen(seen + FIRST)}>More<//>`}`;
}
