// One version as a knot on its line: its number above, its step below where there is room, and what came of it as an off-shoot.
import { html } from "../../../lib/html.js";
import { exact, plural, shortId } from "../../../lib/words.js";

const LETTER = 6.3; // px of a letter of the names

/** The path of a knot around a point. */
function diamond(x, y, size) {
  return `M${x - size} ${y}L${x} ${y - size}L${x + size} ${y}L${x} ${y + size}Z`;
}

/** A version; `one` is {version, x, y, width, on, head, chosen, other, entry, came}. */
export function Knot({ one, focusable, on }) {
  const { version, x, y, entry, dense } = one;
  const size = dense ? 3.5 : one.head ? 8 : 5.5;
  const numbered = !dense || one.chosen || one.other || one.head || version % 10 === 0;
  const name = entry?.current_step;
  const ring = one.chosen || one.other;
  const told = [`Version ${version}`, name && `${name}`, entry && exact(entry.created_at), one.head && "the head", !one.on && "left behind", entry?.hidden && "hidden", one.chosen && "chosen", one.other && "chosen to compare with"];
  return html`<g class=${`knot ${one.on ? "on" : "left"} ${one.head ? "head" : ""} ${entry?.hidden ? "hidden" : ""}`} role="button" tabindex=${focusable ? 0 : -1} data-version=${version}
    aria-label=${told.filter(Boolean).join(", ")} aria-pressed=${Boolean(ring)} onClick=${(event) => on.choose(version, event.shiftKey)}
    onPointerEnter=${(event) => event.pointerType !== "touch" && on.preview(version)} onPointerLeave=${() => on.preview(null)} onFocus=${() => on.focus(version)} onBlur=${() => on.preview(null)}>
    <rect class="reach" x=${x - one.width / 2 + (dense ? 0 : 3)} y=${y - 24} width=${one.width - (dense ? 0 : 6)} height="52" />
    ${ring && html`<path class=${`ring ${one.other ? "other" : ""}`} d=${diamond(x, y, size + 5)} />`}
    <path class="body" d=${diamond(x, y, size)} />
    ${numbered && html`<text class="number" x=${x} y=${y - size - (ring ? 10 : 6)}>v${version}</text>`}
    ${!dense && name && html`<text class="name" x=${x} y=${y + size + (ring ? 18 : 15)}>${cut(name, one.width - 6)}</text>`}
  </g>`;
}

function cut(text, width) {
  const room = Math.floor(width / LETTER);
  return text.length <= room ? text : `${text.slice(0, Math.max(1, room - 1))}…`;
}

const KIND = { forks: "fork", replays: "replay", children: "sub-workflow" };

/** Forks, replays and sub-workflows of a version: a short shoot upwards that leads there, or to the list of them. */
export function Shoot({ x, y, came, onOpen }) {
  const lists = Object.entries(came).filter(([, list]) => list.length);
  const count = lists.reduce((sum, [, list]) => sum + list.length, 0);
  const single = count === 1 ? lists[0][1][0] : null;
  const label = lists.map(([kind, list]) => plural(list.length, KIND[kind])).join(", ");
  const text = single ? (single.variant ?? KIND[lists[0][0]]) : lists.length === 1 ? label : `${count} threads`;
  const body = html`<path class="line shoot" d=${`M${x + 5} ${y - 4}C${x + 16} ${y - 6} ${x + 12} ${y - 31} ${x + 22} ${y - 32}`} />
    <circle cx=${x + 25} cy=${y - 32} r="3" data-state=${single?.status} />
    <text class="came" x=${x + 32} y=${y - 28.5}>${cut(text, 90)}</text>`;
  if (!single) return html`<g class="shoot" role="button" tabindex="-1" aria-label=${`${label} of this version: list them`} onClick=${onOpen}>${body}</g>`;
  return html`<a class="shoot" href=${`/threads/${encodeURIComponent(single.thread_id)}`} tabindex="-1" aria-label=${`${label}: thread ${shortId(single.thread_id)}, ${single.status}`}>${body}</a>`;
}

/** What is left out of a long straight run; opens it. */
export function Fold({ fold, onOpen }) {
  const { x, width, y, from, to } = fold;
  const text = `v${from} … v${to}`;
  const wide = text.length * 6.8 + 16;
  return html`<g class=${`fold ${fold.on ? "on" : "left"}`} role="button" tabindex="-1" data-fold=${fold.depth} aria-label=${`Versions ${from} to ${to} are folded: show them`} onClick=${onOpen}>
    <rect x=${x + (width - wide) / 2} y=${y - 11} width=${wide} height="22" rx="11" /><text x=${x + width / 2} y=${y + 4}>${text}</text></g>`;
}

/** What a line is: said behind its last version. */
export function Tag({ x, y, text }) {
  return html`<text class="tag" x=${x} y=${y + 4}>${text}</text>`;
}
