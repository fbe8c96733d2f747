// The threads that came of this one: forks, replays of its steps, sub-workflows; as short lists of links.
import { html, useState } from "../../../lib/html.js";
import { plural, shortId } from "../../../lib/words.js";
import { Ago, Button } from "../../../kit/bits.js";
import { Mark } from "../../../kit/marks.js";

const FEW = 6;
const PARTS = [
  ["forks", "fork", (one) => `${one.variant ?? "fork"} of v${one.version}`],
  ["replays", "replay", (one) => `${one.step_id}${one.item === null ? "" : ` #${one.item}`} again`],
  ["children", "sub-workflow", (one) => one.step_id ?? "sub-workflow"],
];

export function Came({ thread, tree }) {
  const parts = PARTS.filter(([list]) => tree[list].length);
  if (!parts.length) return null;
  return html`<div class="came">${parts.map(([list, word, say]) => html`<${Part} key=${list} thread=${thread} word=${word} say=${say} all=${tree[list]} more=${tree[`${list}_cursor`]} compares=${list === "forks"} />`)}</div>`;
}

function Part({ thread, word, say, all, more, compares }) {
  const [open, setOpen] = useState(false);
  const newest = all.toReversed();
  const shown = open ? newest.slice(0, 200) : newest.slice(0, FEW);
  return html`<div class="came-part"><h3>${plural(all.length, word)}${more ? " and more" : ""}</h3>
    <ul>${shown.map((one) => html`<li key=${one.thread_id}><${Mark} state=${one.status} label=${one.status} />
      <a class="link" href=${`/threads/${encodeURIComponent(one.thread_id)}`}>${say(one)}</a> <span class="mono faint">${shortId(one.thread_id)}</span> <span class="faint"><${Ago} at=${one.created_at} /></span>
      ${compares && html`<a class="link" href=${`/compare?a=${encodeURIComponent(thread.id)}&b=${encodeURIComponent(one.thread_id)}`}>compare</a>`}</li>`)}</ul>
    ${all.length > FEW && html`<${Button} kind="small quiet" onClick=${() => setOpen(!open)}>${open ? "Fewer" : `All ${Math.min(200, all.length)}`}<//>`}
  </div>`;
}
