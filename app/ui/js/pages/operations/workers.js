// The processes that drive threads on this database, and their leases.
import { html } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { duration, number, plural, shortId, span } from "../../lib/words.js";
import { Ago } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";

const EVERY = 5_000;
const TOLD = 50; // by the API, those that started last

export default function Workers() {
  const found = useResource((signal) => get("/workers", { signal }), []);
  useEvery(EVERY, found.reload, [found]);
  return html`<${Face} of=${found}>${({ workers, lease_ms: lease }) => html`<${Verdict} workers=${workers} lease=${lease} />
    <div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr><th>Process</th><th>State</th><th>Lease renewed</th><th>Threads</th><th>Queues</th>
      <th>Started</th></tr></thead>
      <tbody>${workers.map((one) => html`<tr key=${one.id}><td><b>${one.host}</b>${one.pid !== null && `, process ${one.pid}`}${one.this
        && html` <span class="tag">this one</span>`}<span class="sub mono" title=${one.id}>${shortId(one.id)}</span></td>
        <td><${State} state=${one.alive ? "completed" : "failed"}>${one.alive ? "alive" : "lease run out"}<//></td>
        <td class="nowrap"><span class="share" aria-hidden="true">
          <i style=${{ width: `${Math.min(100, (one.age_ms / lease) * 100)}%` }}></i></span>${duration(one.age_ms)} ago</td>
        <td>${number(one.threads)}${one.slots !== null && one.slots !== undefined
          && html` of ${number(one.slots)} <span class="faint">slots</span>`}</td>
        <td>${Object.entries(one.queues ?? {}).map(([name, count]) => `${name} ${number(count)}`).join(", ") || "–"}</td><td>
          <${Ago} at=${one.started_at} /></td></tr>`)}</tbody></table></div>`}<//>`;
}

function Verdict({ workers, lease }) {
  const alive = workers.filter((one) => one.alive).length;
  const held = workers.filter((one) => !one.alive).reduce((sum, one) => sum + one.threads, 0);
  return html`<p class="muted">${workers.length >= TOLD && `Of the ${TOLD} processes that started last `}${plural(alive, "process is", "processes are")} alive. A process renews its lease all the time; ${span(lease)} after the last renewal the others take its threads over.
    ${held > 0 && html` <b class="wrong">${plural(held, "thread")} of processes that are gone will go on elsewhere within seconds.</b>`}</p>`;
}
