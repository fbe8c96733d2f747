// One event or log entry with its data, beside the list.
import { html, useMemo } from "../../lib/html.js";
import { get, path } from "../../lib/api.js";
import { parse } from "../../lib/json.js";
import { useResource } from "../../lib/resource.js";
import { exact, number } from "../../lib/words.js";
import { Button, Copy } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { JsonTree } from "../../kit/tree.js";
import { stateOf } from "./names.js";

const links = (row) => ({ thread: `/threads/${encodeURIComponent(row.thread_id)}`,
  step: `/threads/${encodeURIComponent(row.thread_id)}?step=${encodeURIComponent(row.step_id)}` });

/** The event of a key ("thread:seq"): the row that is loaded, or what the thread says. */
export function EventDetail({ id, row, close }) {
  if (row) return html`<${Detail} row=${row} close=${close} />`;
  return html`<${Fetched} key=${id} id=${id} close=${close} />`;
}

function Fetched({ id, close }) {
  const cut = id.lastIndexOf(":");
  const [thread, seq] = [id.slice(0, cut), Number(id.slice(cut + 1))];
  const found = useResource((signal) => get(path`/invoke/events/${thread}`, { params: { after: Math.max(0, seq - 1), limit: 1 }, signal }), [id]);
  return html`<aside class="detail"><${Face} of=${found}>${({ events: [event] }) => (event
    ? html`<${Detail} row=${{ ...event, data: event.data }} close=${close} />`
    : html`<p class="muted">There is no such event. <${Button} kind="small" onClick=${close}>Close<//></p>`)}<//></aside>`;
}

function Detail({ row, close }) {
  const data = useMemo(() => row.data ?? parse(row.text), [row]);
  const to = links(row);
  return html`<aside class="detail" aria-label="The event">
    <header class="row"><h2><${State} state=${stateOf(row.event)}>${row.event}<//></h2>
      <${Button} kind="quiet small" icon="close" label="Close" onClick=${close} /></header>
    <dl class="facts"><dt>At</dt><dd>${exact(row.at)}</dd>${row.workflow && html`<dt>Workflow</dt><dd>
      <a class="link" href=${`/workflows/${encodeURIComponent(row.workflow)}`}>${row.workflow}</a></dd>`}
      <dt>Thread</dt><dd><a class="link mono" href=${to.thread}>${row.thread_id}</a> <${Copy} text=${row.thread_id} label="Copy the thread's id" /></dd>
      ${row.step_id && html`<dt>Step</dt><dd><a class="link" href=${to.step}>${row.step_id}</a>${row.attempt ? `, attempt ${row.attempt}` : ""}</dd>`}
      <dt>Number</dt><dd>${number(row.seq)}${row.version !== null && row.version !== undefined ? `, version ${number(row.version)} after it` : ""}</dd></dl>
    <${JsonTree} value=${data} name="data" height=${Math.max(240, innerHeight - 380)} /></aside>`;
}

/** A log entry with its context. */
export function LogDetail({ row, close }) {
  const to = row.thread_id && links(row);
  return html`<aside class="detail" aria-label="The entry">
    <header class="row"><h2 class="level" data-level=${row.level}>${row.level}</h2>
      <${Button} kind="quiet small" icon="close" label="Close" onClick=${close} /></header>
    <pre class="message" tabindex="0">${row.message}</pre>
    <dl class="facts"><dt>At</dt><dd>${exact(row.at)}</dd><dt>Logger</dt><dd class="mono">${row.logger}</dd>${row.agent && html`<dt>Agent</dt><dd>
      <a class="link" href=${`/agents/${encodeURIComponent(row.agent)}`}>${row.agent}</a></dd>`}
      ${to && html`<dt>Thread</dt><dd><a class="link mono" href=${to.thread}>${row.thread_id}</a></dd>`}${row.step_id && html`<dt>Step</dt><dd>
        <a class="link" href=${to.step}>${row.step_id}</a>${row.attempt ? `, attempt ${row.attempt}` : ""}</dd>`}</dl>
    ${row.context && html`<${JsonTree} value=${row.context} name="context" height=${Math.max(200, innerHeight - 420)} />`}</aside>`;
}
