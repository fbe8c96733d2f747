// One agent on one line: how it stands, what it is, how it did in the last hour.
import { html, useEffect, useState } from "../../lib/html.js";
import { money, now, number } from "../../lib/words.js";
import { Ago } from "../../kit/bits.js";
import { Spark } from "../../kit/chart.js";
import { Mark } from "../../kit/marks.js";
import { percentiles, sparkOf } from "./store.js";

/** When an open breaker is probed: by the first step that comes after its time, so that this may be long past. */
export function Probe({ at }) {
  return Date.parse(at) > now.value ? html`probed <${Ago} at=${at} />` : "probed by its next step";
}

export function Row({ agent, cursor }) {
  const { figures } = agent;
  const times = percentiles(figures?.duration_ms);
  const bad = figures && figures.errors > 0;
  return html`<article class="agent-row" data-state=${agent.state}>
    <${Mark} state=${agent.state} label=${agent.word} />
    <a class="open" href=${`/agents/${encodeURIComponent(agent.name)}`} tabindex=${cursor ? 0 : undefined} data-agent=${agent.name}>
      <span class="name cut">${agent.name} <span class="faint">v${agent.version}</span></span>
      ${agent.rank <= 4 ? html`<span class="about cut" title=${agent.why ?? undefined}><b>${agent.word}</b>${agent.probe
        && html`, <${Probe} at=${agent.probe} />`}${agent.why && `: ${agent.why}`}</span>`
        : html`<span class="about cut" title=${agent.description}>${agent.description || html`<span class="faint">no description</span>`}</span>`}
    </a>
    <span class="kind cut"><span class="tag">${agent.kind}</span>${agent.tags.map((tag) => html` <span class="tag" key=${tag}>${tag}</span>`)}</span>
    <span class="num attempts">${figures ? number(figures.count) : html`<span class="faint">0</span>`}</span>
    <span class="num rate" data-bad=${bad || undefined}>${figures ? `${Math.floor((1 - figures.error_rate) * 1000) / 10} %`
      : html`<span class="faint">–</span>`}</span>
    ${[0, 1, 2].map((at) => html`<span class="num times" key=${at}>${times ? times[at] : html`<span class="faint">–</span>`}</span>`)}
    <span class="line">${figures && html`<${Line} name=${agent.name} figures=${figures} />`}</span>
    <span class="num cost">${figures?.cost_usd ? money(figures.cost_usd) : html`<span class="faint">–</span>`}</span>
  </article>`;
}

function Line({ name, figures }) {
  const [values, setValues] = useState([]);
  useEffect(() => {
    let there = true;
    sparkOf(name).then((found) => { if (there) setValues(found); }, () => {});
    return () => { there = false; };
  }, [name, figures]);
  return html`<${Spark} values=${values} width=${72} />`;
}
