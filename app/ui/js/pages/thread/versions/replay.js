// A recorded step done once more, alone, in a thread of its own: asked for here, and shown beside what is recorded.
import { html, useEffect, useState } from "../../../lib/html.js";
import { get, path, post } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { duration, money } from "../../../lib/words.js";
import { Field } from "../../../kit/bits.js";
import { Diff } from "../../../kit/diff.js";
import { Dialog, show } from "../../../kit/dialog.js";
import { Face, Loading } from "../../../kit/faces.js";
import { State } from "../../../kit/marks.js";
import { JsonTree } from "../../../kit/tree.js";
import { useAgents } from "../travel/agents.js";
import { follow } from "../../../lib/live.js";

/** Ask how, do it, show what came of it. `entry` is the version that the step wrote, `parts` set where it is done in items. */
export function replay(thread, step, { entry, parts }) {
  show((close) => html`<${Replay} thread=${thread} step=${step} entry=${entry} parts=${parts} close=${close} />`);
}

function Replay({ thread, step, entry, parts, close }) {
  const [agent, setAgent] = useState("");
  const [item, setItem] = useState(parts ? 0 : null);
  const [effects, setEffects] = useState(false);
  const [refused, setRefused] = useState(false);
  const [made, setMade] = useState(null);
  const agents = useAgents();
  const node = thread.definition.value.value?.graph?.nodes?.find((one) => one.id === step);
  const submit = async () => {
    const body = { execution_id: entry.execution_id, ...(agent ? { agent } : {}), ...(item === null ? {} : { item }), ...(effects ? { allow_effects: true } : {}) };
    try {
      setMade(await post(path`/invoke/replay/${thread.id}/${step}`, body));
    } catch (error) {
      if (error.code === "has_effects") setRefused(true);
      if (error.code === "item_required") setItem(0);
      throw error;
    }
    thread.tree.reload();
    return false;
  };
  if (made) return html`<${Dialog} title=${`${step} again, alone`} close=${close} wide><${Outcome} id=${made.thread_id} /><//>`;
  return html`<${Dialog} title=${`Do ${step} again, alone`} close=${close} submit=${submit} action=${`Do ${step} again`}>
    <p>One step runs once more, with what it was given then, in a scratch thread. This thread is not touched: no version, no event, nothing of it runs.</p>
    ${item !== null && html`<${Field} id="replay-item" label="Which item" hint="Items are done again one by one; the first is 0."><input id="replay-item" type="number" min="0" value=${item} onInput=${(event) => setItem(Number(event.target.value) || 0)} /><//>`}
    ${node?.agent && html`<${Field} id="replay-agent" label="By which agent"><select id="replay-agent" value=${agent} onChange=${(event) => setAgent(event.target.value)}>
      <option value="">as it was: ${node.agent}</option>${agents.filter((one) => one !== node.agent).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select><//>`}
    ${refused && html`<label class="check"><input type="checkbox" checked=${effects} onChange=${(event) => setEffects(event.target.checked)} />Do it although it may change something outside once more</label>`}
  <//>`;
}

/** What came of it, asked for again until it has ended. */
function Outcome({ id }) {
  const found = useResource((signal) => get(path`/invoke/replay/${id}`, { signal }), [id]);
  useEffect(() => {
    const stream = follow({ address: (cursor) => `/api${path`/invoke/stream/${id}`}?after=${cursor ?? 0}`, onEvents: () => found.reload() });
    const stop = stream.state.subscribe((state) => state === "ended" && found.reload());
    return () => { stop(); stream.close(); };
  }, [id]);
  return html`<${Face} of=${found}>${(told) => html`
    <p>${told.same === null ? "It is not over yet." : told.same ? "It gave the same as before." : "It gave something else."} <a class="link" href=${`/threads/${encodeURIComponent(id)}`}>The scratch thread</a></p>
    <table class="made"><thead><tr><th></th><th>recorded</th><th>again</th></tr></thead><tbody>
      <${Line} label="Status" told=${told} draw=${(one) => html`<${State} state=${one.status} />`} />
      <${Line} label="Agent" told=${told} draw=${(one) => (one.agent ? `${one.agent}${one.agent_version ? ` v${one.agent_version}` : ""}` : "–")} />
      <${Line} label="Took" told=${told} draw=${(one) => duration(one.duration_ms)} />
      <${Line} label="Cost" told=${told} draw=${(one) => money(one.usage?.cost_usd)} />
      <${Line} label="Attempts" told=${told} draw=${(one) => one.attempt} />
    </tbody></table>
    ${told.error && html`<p class="note wrong">${told.error.message}</p>`}
    ${told.same === null && !told.error && !told.replayed?.output && html`<${Loading} what="Waiting for its output" />`}
    ${told.output.equal === false && !told.output.omitted ? html`<h3>Output</h3><${Diff} from=${told.output.a} to=${told.output.b} names=${["recorded", "again"]} />`
      : told.same && html`<h3>Output</h3><${JsonTree} value=${told.recorded.output} name="output" height=${300} />`}
    ${told.output.omitted && html`<p class="muted">The outputs differ and are not shown: ${{ too_large: "they are too large", damaged: "one is damaged", not_written: "one is not written" }[told.output.omitted]}.</p>`}`}<//>`;
}

function Line({ label, told, draw }) {
  const cell = (one) => (one ? draw(one) : "–");
  return html`<tr><td class="muted">${label}</td><td>${cell(told.recorded)}</td><td>${cell(told.replayed)}</td></tr>`;
}
