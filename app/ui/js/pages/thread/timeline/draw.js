// The drawing of the timeline: a lane's bars, the versions' knots, what lies behind all lanes.
import { html } from "../../../lib/html.js";
import { lookOf } from "./lanes.js";

export const LANE = 26;
const LEAST = 2; // px of the shortest bar
const KNOTS_APART = 4;
const HATCHED = { queued: "url(#tl-queued)", retrying: "url(#tl-retry)", lost: "url(#tl-lost)" };

/** The patterns that bars are filled with; stands once. */
export function Patterns() {
  const stripe = (id, size, d) => html`<pattern id=${id} width=${size} height=${size} patternUnits="userSpaceOnUse"><rect class="ground" width=${size} height=${size} /><path d=${d} /></pattern>`;
  return html`<svg class="tl-patterns" width="0" height="0" aria-hidden="true"><defs>
    ${stripe("tl-queued", 6, "M-1 1l2-2M0 6l6-6M5 7l2-2")}${stripe("tl-retry", 4, "M-1 1l2-2M0 4l4-4M3 5l2-2")}${stripe("tl-lost", 6, "M0 0l6 6M0 6l6-6")}${stripe("tl-fold", 7, "M0 0l7 7")}</defs></svg>`;
}

/** From time to px, as `warp` lays it out; `now` stands for an end that is not there yet. */
export function placer({ from, to }, width, now, warp) {
  const x = (at) => ((warp(at) - from) / (to - from)) * width;
  const bar = (span) => {
    const left = x(span.from);
    const right = x(span.to ?? Math.max(now, span.from));
    return right < -LEAST || left > width + LEAST ? null : { x: Math.max(-4, left), width: Math.max(LEAST, Math.min(width + 4, right) - Math.max(-4, left)) };
  };
  return { x, bar };
}

/** The bars of one lane. `onPoint(span, event)`, `onPick(span)`. */
export function Bars({ lane, place, focused, onPoint, onPick }) {
  const shape = (span, index) => {
    const at = place.bar(span);
    if (!at) return null;
    const look = lookOf(span);
    const thin = span.state === "waiting";
    const wide = at.width > 22 && span.attempt > 1 && span.state === "running";
    return html`<g key=${index} class="tl-span" data-state=${look === "lost" ? "failed" : look} data-left=${span.left || undefined} data-on=${index === focused || undefined} onPointerEnter=${(event) => onPoint(span, event)} onPointerLeave=${() => onPoint(null)} onClick=${() => onPick(span)}>
      <rect class="reach" x=${at.x - 1} y="0" width=${at.width + 2} height=${LANE} />
      ${thin ? html`<path class="tl-wait" d=${`M${at.x} 13h${at.width}`} />` : html`<rect class="tl-bar" x=${at.x} y=${lane.items.length ? 4 : 7} width=${at.width} height=${lane.items.length ? 9 : 12} rx="1.5" fill=${HATCHED[look] ?? undefined} />`}
      ${wide && html`<text x=${at.x + 5} y=${lane.items.length ? 12 : 16.5}>${span.attempt}</text>`}</g>`;
  };
  const item = (span, index) => {
    const at = place.bar(span);
    return at && html`<rect key=${index} class="tl-item" data-state=${lookOf(span)} x=${at.x} y=${15 + (index % 3) * 3} width=${at.width} height="2" />`;
  };
  return html`<g>${lane.spans.map(shape)}${lane.kind === "step" && lane.items.map(item)}</g>`;
}

/** A knot for each version that can be told apart from the one before it. */
export function Knots({ versions, head, chosen, place, width, onPick, onPoint }) {
  let before = -Infinity;
  const drawn = [];
  for (const version of versions) {
    const x = place.x(Date.parse(version.created_at));
    const own = version.version !== null && (version.version === head || version.version === chosen);
    if (x < -6 || x > width + 6 || (x - before < KNOTS_APART && !own)) continue;
    before = x;
    drawn.push(html`<path key=${version.version ?? version.created_at + version.current_step} class="tl-knot" data-left=${!version.on_timeline || undefined} data-head=${version.version === head || undefined} data-on=${version.version === chosen || undefined}
      d=${`M${x} 8l5 5-5 5-5-5Z`} onClick=${() => onPick(version)} onPointerEnter=${(event) => onPoint(version, event)} onPointerLeave=${() => onPoint(null)} />`);
  }
  return html`<g>${drawn}</g>`;
}

/** Behind the lanes: a line at each tick, the times in which the thread was paused, now, and the chosen version's time. */
export function Backdrop({ ticks, place, width, pauses, folds, now, version }) {
  const x = (at) => Math.round(place.x(at)) + 0.5;
  const at = now === null ? -1 : x(now);
  return html`<svg class="tl-backdrop" width=${width} height="100%" aria-hidden="true">
    ${pauses.map((span, index) => { const bar = place.bar(span); return bar && html`<rect key=${index} class="pause" x=${bar.x} y="0" width=${bar.width} height="100%" />`; })}
    ${folds.map((fold) => { const bar = place.bar(fold); return bar && html`<rect key=${fold.from} class="tl-folded" x=${bar.x} y="0" width=${bar.width} height="100%" fill="url(#tl-fold)" />`; })}
    ${ticks.map((tick) => html`<line key=${tick.at} class="tick" x1=${x(tick.at)} x2=${x(tick.at)} y1="0" y2="100%" />`)}
    ${version !== null && html`<line class="version" x1=${x(version)} x2=${x(version)} y1="0" y2="100%" />`}
    ${at >= 0 && at <= width && html`<line class="now" x1=${at} x2=${at} y1="0" y2="100%" />`}</svg>`;
}
