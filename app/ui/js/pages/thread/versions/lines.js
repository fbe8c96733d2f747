// The lines of the tree: one for each run of versions, and the curve by which it leaves its parent. Those that the head came
// from are drawn last, in ink, over the ones that were left behind.
import { html } from "../../../lib/html.js";
import { depthOf, isOn, versionAt, xOf } from "./shape.js";

const BEND = 22;

/** All lines between two lanes of the window. */
export function Lines({ shape, bands, yOf, seen }) {
  const left = [];
  const ink = [];
  for (const segment of shape.segments) {
    const parent = segment.parent === null ? null : shape.find(segment.parent);
    if (segment.lane < seen.top || Math.min(segment.lane, parent?.lane ?? segment.lane) > seen.bottom) continue;
    const length = segment.last - segment.first;
    const y = yOf(segment.lane);
    const on = segment.upTo !== null;
    const reached = on ? segment.upTo - segment.first : -1;
    if (parent) (on ? ink : left).push([`${segment.first}-in`, turn(shape, bands, yOf, segment), segment.turns ? "" : "again"]);
    if (reached < length) left.push([`${segment.first}-left`, flat(bands, y, segment.start + Math.max(0, reached), segment.start + length), ""]);
    if (reached > 0) ink.push([`${segment.first}-on`, flat(bands, y, segment.start, segment.start + reached), ""]);
  }
  const draw = (kind) => ([key, d, how]) => html`<path key=${key} class=${`line ${kind} ${how}`} d=${d} />`;
  return html`<g class="lines">${left.map(draw("left"))}${ink.map(draw("ink"))}<${Stub} shape=${shape} bands=${bands} yOf=${yOf} /></g>`;
}

function flat(bands, y, from, to) {
  return `M${xOf(bands, from)} ${y}H${xOf(bands, to)}`;
}

function turn(shape, bands, yOf, { parent, start, lane }) {
  return curve(xOf(bands, depthOf(shape, parent)), yOf(shape.find(parent).lane), xOf(bands, start), yOf(lane));
}

/** Ends `before` px before its end: along the line, down between two columns with round corners, and on along the other line. */
function curve(x0, y0, x1, y1, before = 0) {
  if (y0 === y1) return `M${x0} ${y0}H${x1 - before}`;
  const down = y1 > y0 ? 1 : -1;
  const bend = Math.min(Math.abs(x1 - x0) / 2 - 1, Math.abs(y1 - y0) / 2, BEND);
  const x = (x0 + x1) / 2;
  const soft = bend * 0.4;
  return `M${x0} ${y0}H${x - bend}C${x - soft} ${y0} ${x} ${y0 + down * soft} ${x} ${y0 + down * bend}`
    + `V${y1 - down * bend}C${x} ${y1 - down * soft} ${x + soft} ${y1} ${x + bend} ${y1}H${x1 - before}`;
}

/** Where the next version will stand: a broken line in the colour of the thread's state. */
function Stub({ shape, bands, yOf }) {
  const { stub } = shape;
  if (!stub) return null;
  const from = depthOf(shape, stub.parent);
  const x = xOf(bands, stub.depth);
  return html`<path class="line stub" data-state=${stub.status} d=${curve(xOf(bands, from), yOf(shape.find(stub.parent).lane), x, yOf(stub.lane), 8)} />`;
}

/** What is drawn in a fold: one for each line that runs through it, `{segment, x, y, from, to}`. */
export function foldsOf(shape, { bands }, yOf, seen) {
  const found = [];
  for (const band of bands) {
    if (band.kind !== "fold" || band.x > seen.right || band.x + band.width < seen.left) continue;
    for (const segment of shape.segments) {
      if (segment.lane < seen.top || segment.lane > seen.bottom) continue;
      if (segment.start > band.from || segment.start + segment.last - segment.first < band.to) continue;
      const from = versionAt(segment, band.from);
      found.push({ key: `${segment.first}-${band.from}`, depth: band.from, x: band.x, width: band.width, y: yOf(segment.lane), from, to: versionAt(segment, band.to), on: isOn(segment, from) });
    }
  }
  return found;
}
