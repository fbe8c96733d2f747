// The last threads of a workflow.
import { html, useEffect } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { startOf } from "../../lib/definitions.js";
import { listen } from "../../lib/feed.js";
import { useResource } from "../../lib/resource.js";
import { paced } from "../../lib/pace.js";
import { money, shortId } from "../../lib/words.js";
import { Ago, Lasts } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";

const MANY = 10;
const PACE = 2000;

export function Recent({ name }) {
  const found = useResource((signal) => get("/threads", { params: { workflow: name, limit: MANY }, signal }), [name]);
  useEffect(() => {
    const soon = paced(found.reload, PACE);
    const stop = listen({ onEvents: soon, onOpen: ({ again }) => { if (again) soon(); } });
    return () => {
      stop();
      soon.stop();
    };
  }, [found]);
  return html`<${Face} of=${found}>${({ threads }) => (threads.length === 0
    ? html`<p class="muted">No thread of it yet. <a class="link" href=${startOf(name)}>Start the first one</a>.</p>`
    : html`<table class="recent"><thead><tr><th>State</th><th>Thread</th><th class="num">Took</th><th class="num">Cost</th><th class="num">Age</th></tr></thead>
      <tbody>${threads.map((one) => html`<tr key=${one.thread_id}><td><${State} state=${one.status} /></td>
        <td><a class="link" href=${`/threads/${encodeURIComponent(one.thread_id)}`}>${one.title ?? html`<span class="mono">${shortId(one.thread_id)}</span>`}</a></td>
        <td class="num">${one.started_at ? html`<${Lasts} since=${one.started_at} until=${one.completed_at} />` : "–"}</td>
        <td class="num">${one.usage?.cost_usd ? money(one.usage.cost_usd) : "–"}</td><td class="num"><${Ago} at=${one.created_at} /></td></tr>`)}</tbody></table>
      <p class="tools"><a class="link" href=${`/threads?workflow=${encodeURIComponent(name)}`}>All of its threads</a></p>`)}<//>`;
}
