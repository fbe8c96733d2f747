// The tree of versions: time goes right, rollbacks branch downwards, the line of the head is in ink, what was left behind is pale.
// Only what can be seen is drawn; long straight runs are folded.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../../lib/html.js";
import { lazy } from "../../../kit/lazy.js";
import { Mark } from "../../../kit/marks.js";
import { Fold, Knot, Shoot, Tag } from "./knot.js";
import { Lines, foldsOf } from "./lines.js";
import { bandAt, bandsOf, depthOf, depthsBetween, isOn, neighbour, shapeOf, versionAt, xOf } from "./shape.js";

const Preview = lazy(() => import("./preview.js"), "Preview", { quiet: true }); // of who points at a knot

const LANE = 60;
const COARSE = 240; // px by which the window moves; so much more is drawn on each side
const SHOOT = 24; // more for a lane that something came of
const TALLEST = 440;
const WIDTHS = [96, 80, 72, 64];
const SIZES = { narrow: 18, fold: 136, left: 16 };
const TAIL = 240; // behind the last column, for what the lines are called
const LATER = { pending: "is about to run", running: "running", waiting: "waiting", paused: "paused", failed: "failed here", interrupted: "interrupted here", cancelled: "cancelled here" };

/** `chosen` and `other` are versions or null; `onChoose(version, second)`; `actions` maps keys to `(version) =>`. */
export function Tree({ tree, details, chosen, other, expected, onChoose, actions }) {
  const box = useRef(null);
  const moving = useRef(false);
  const shape = useMemo(() => shapeOf(tree), [tree]);
  const came = useMemo(() => cameOf(tree, details.entries.value, shape), [tree, details.entries.value]);
  const [opened, setOpened] = useState([]);
  const [cursor, setCursor] = useState(null);
  const [near, setNear] = useState(null);
  const hushed = useRef(null); // the version that was just chosen: what it is stands below, where its preview would lie over the buttons
  const [view, setView] = useState({ x: 0, y: 0, width: 900, height: TALLEST });
  const wide = useMemo(() => WIDTHS.find((one) => one * (expected + 1) <= view.width - TAIL) ?? WIDTHS.at(-1), [expected, view.width]);
  const marked = [chosen, other, cursor, ...came.keys()].filter((one) => one !== null);
  const bands = useMemo(() => bandsOf(shape, marked, opened, { wide, ...SIZES }), [shape, opened, wide, marked.join()]);
  const places = useMemo(() => lanesOf(shape, came), [shape, came]);
  const yOf = (lane) => places.at[lane];
  const at = cursor ?? chosen ?? shape.head;

  useWindow(box, setView);
  useLayoutEffect(() => settle(box.current, xOf(bands, depthOf(shape, chosen ?? shape.head) ?? 0), yOf(shape.find(chosen ?? shape.head)?.lane ?? 0)), []);
  useFollow(box, shape, bands, yOf);
  // Before the next key comes: who holds one down must not be called back by a focus that came late.
  useLayoutEffect(() => {
    if (cursor === null) return;
    reveal(box.current, xOf(bands, depthOf(shape, cursor) ?? 0), yOf(shape.find(cursor)?.lane ?? 0));
    moving.current = true;
    box.current.querySelector(`[data-version="${cursor}"]`)?.focus({ preventScroll: true });
    moving.current = false;
  }, [cursor]);

  const seen = { left: view.x - COARSE, right: view.x + view.width + 2 * COARSE, ...places.between(view.y - COARSE, view.y + view.height + 2 * COARSE) };
  const knots = knotsOf({ shape, bands, yOf, seen, at, chosen, other, entries: details.entries.value });
  useEffect(() => details.want(knots.map((one) => one.version), shape.last));

  const open = (depth) => {
    const before = xOf(bands, depth) - box.current.scrollLeft;
    setOpened([...opened, depth]);
    requestAnimationFrame(() => { box.current.scrollLeft = Math.max(0, xOf(bandsOf(shape, marked, [...opened, depth], { wide, ...SIZES }), depth) - before); });
  };
  const look = (version) => {
    if (version !== null && version !== hushed.current) hushed.current = null;
    setNear(version === hushed.current ? null : version);
  };
  const pick = (version, second) => {
    hushed.current = version;
    setNear(null);
    onChoose(version, second);
  };
  const here = useRef(at); // where a key goes on from, also before the last one has been drawn
  here.current = at;
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest("[data-version]")) return;
    if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) {
      here.current = neighbour(shape, here.current, event.key);
      setCursor(here.current);
      look(here.current);
    } else if (event.key === "Enter" || event.key === " ") pick(here.current, event.shiftKey);
    else if (actions[event.key]) actions[event.key](here.current);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const drawn = useKnots({ choose: (version, second) => { setCursor(version); pick(version, second); }, preview: look, focus: (version) => { if (!moving.current) setCursor(version); look(version); } });
  const height = places.height;
  return html`<div class="tree">
    <div class="tree-box" ref=${box} onKeyDown=${onKeyDown} style=${{ height: `${Math.min(height, TALLEST) + 12}px` }}>
      <svg role="group" aria-label="Versions of this thread" width=${bands.width + TAIL} height=${height}>
        <${Lines} shape=${shape} bands=${bands} yOf=${yOf} seen=${seen} />
        ${foldsOf(shape, bands, yOf, seen).map((fold) => html`<${Fold} key=${fold.key} fold=${fold} onOpen=${() => open(fold.depth)} />`)}
        <${Tags} shape=${shape} bands=${bands} yOf=${yOf} seen=${seen} />
        ${[...came].filter(([version]) => visible(knots, version)).map(([version, lists]) => {
          const knot = knots.find((one) => one.version === version);
          return html`<${Shoot} key=${version} x=${knot.x} y=${knot.y} came=${lists} onOpen=${() => onChoose(version, false)} />`;
        })}
        ${knots.map((one) => drawn(one, one.version === at))}
      </svg>
    </div>
    ${opened.length > 0 && html`<button type="button" class="button small tree-close" onClick=${() => setOpened([])}>Fold again</button>`}
    ${near !== null && html`<${Preview} version=${near} details=${details} shape=${shape} x=${xOf(bands, depthOf(shape, near) ?? 0) - (box.current?.scrollLeft ?? 0)} y=${yOf(shape.find(near)?.lane ?? 0) - (box.current?.scrollTop ?? 0)} room=${view.width} />`}
  </div>`;
}

const visible = (knots, version) => knots.some((one) => one.version === version);

/** Draws knots; one that is as it was is not drawn anew. */
function useKnots(on) {
  const latest = useRef(on);
  latest.current = on;
  const cache = useRef(new Map());
  const stable = useMemo(() => ({ choose: (...given) => latest.current.choose(...given), preview: (one) => latest.current.preview(one), focus: (one) => latest.current.focus(one) }), []);
  return (one, focusable) => {
    const { entry, ...rest } = one;
    const sign = `${Object.values(rest).join()},${Boolean(entry)},${focusable}`;
    const before = cache.current.get(one.version);
    if (before?.sign === sign) return before.vnode;
    const vnode = html`<${Knot} key=${one.version} one=${one} focusable=${focusable} on=${stable} />`;
    if (cache.current.size > 2000) cache.current.clear();
    cache.current.set(one.version, { sign, vnode });
    return vnode;
  };
}

/** The part of the drawing that is seen, told again at every scroll. */
function useWindow(box, setView) {
  useLayoutEffect(() => {
    const node = box.current;
    let frame = 0;
    const look = () => {
      const now = { x: Math.floor(node.scrollLeft / COARSE) * COARSE, y: Math.floor(node.scrollTop / COARSE) * COARSE, width: node.clientWidth, height: node.clientHeight };
      setView((before) => (Object.keys(now).every((key) => now[key] === before[key]) ? before : now));
    };
    const later = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(look);
    };
    look();
    node.addEventListener("scroll", later, { passive: true });
    const observer = new ResizeObserver(later);
    observer.observe(node);
    return () => {
      cancelAnimationFrame(frame);
      node.removeEventListener("scroll", later);
      observer.disconnect();
    };
  }, []);
}

/** When the head moves while it was in view, it stays in view. */
function useFollow(box, shape, bands, yOf) {
  const before = useRef(null);
  useLayoutEffect(() => {
    const x = xOf(bands, depthOf(shape, shape.head) ?? 0);
    const was = before.current;
    const node = box.current;
    if (was && was.head !== shape.head && was.x >= node.scrollLeft && was.x <= node.scrollLeft + node.clientWidth) reveal(node, x + 96, yOf(shape.find(shape.head)?.lane ?? 0));
    before.current = { head: shape.head, x };
  }, [shape, bands]);
}

function settle(node, x, y) {
  node.scrollLeft = Math.max(0, x - node.clientWidth * 0.7);
  node.scrollTop = Math.max(0, y - node.clientHeight * 0.7);
}

function reveal(node, x, y) {
  const { scrollLeft, scrollTop, clientWidth, clientHeight } = node;
  if (x < scrollLeft + 48) node.scrollLeft = x - clientWidth / 3;
  else if (x > scrollLeft + clientWidth - 64) node.scrollLeft = x - clientWidth * 0.7;
  if (y < scrollTop + 32) node.scrollTop = y - 48;
  else if (y > scrollTop + clientHeight - 40) node.scrollTop = y - clientHeight + 56;
}

/** Where each lane lies; a lane that something came of is taller. */
function lanesOf(shape, came) {
  const tall = new Set([...came.keys()].map((version) => shape.find(version)?.lane));
  const at = [];
  let y = 0;
  for (let lane = 0; lane < Math.max(1, shape.lanes); lane += 1) {
    y += tall.has(lane) ? SHOOT : 0;
    at.push(y + 34);
    y += LANE;
  }
  const lane = (from, wanted) => Math.max(0, at.findIndex((one) => one >= wanted) === -1 ? at.length - 1 : at.findIndex((one) => one >= wanted)) + from;
  return { at, height: y + 12, between: (low, high) => ({ top: lane(0, low), bottom: lane(0, high) }) };
}

/** Of each version what came of it: forks, replays, sub-workflows. */
function cameOf(tree, entries, shape) {
  const found = new Map();
  const add = (version, kind, one) => {
    if (!shape.find(version)) return;
    if (!found.has(version)) found.set(version, { forks: [], replays: [], children: [] });
    found.get(version)[kind].push(one);
  };
  tree.forks.forEach((one) => add(one.version, "forks", one));
  tree.replays.forEach((one) => add(one.version, "replays", one));
  if (tree.children.length) {
    const wrote = new Map([...entries.values()].map((one) => [one.current_step, one.version]));
    tree.children.forEach((one) => wrote.has(one.step_id) && add(wrote.get(one.step_id), "children", one));
  }
  return found;
}

function knotsOf({ shape, bands, yOf, seen, at, chosen, other, entries }) {
  const columns = depthsBetween(bands, seen.left, seen.right);
  const found = new Map();
  const put = (segment, depth, dense) => {
    const version = versionAt(segment, depth);
    found.set(version, {
      version, x: xOf(bands, depth), y: yOf(segment.lane), width: dense ? bands.narrow : bands.wide, dense, on: isOn(segment, version), head: version === shape.head,
      chosen: version === chosen, other: version === other, entry: entries.get(version),
    });
  };
  for (const segment of shape.segments) {
    if (segment.lane < seen.top || segment.lane > seen.bottom) continue;
    const end = segment.start + segment.last - segment.first;
    for (const { depth, dense } of columns) if (depth >= segment.start && depth <= end) put(segment, depth, dense);
  }
  const segment = shape.find(at); // it has the focus, wherever the window is
  if (segment && !found.has(at)) {
    const depth = segment.start + at - segment.first;
    const band = bandAt(bands.bands, depth);
    if (band && band.kind !== "fold") put(segment, depth, band.kind === "dense");
  }
  return [...found.values()];
}

/** Behind each line what it is, and where the thread goes on. */
function Tags({ shape, bands, yOf, seen }) {
  const ends = new Map(); // lane -> its last segment
  for (const one of shape.segments) ends.set(one.lane, one);
  const { stub } = shape;
  const tags = [...ends].filter(([lane]) => lane >= seen.top && lane <= seen.bottom && lane > 0).map(([lane, segment]) => {
    const first = shape.segments.find((one) => one.lane === lane);
    const beyond = stub?.lane === lane ? 112 : 20;
    const { began, reason } = first.branch;
    const text = `${began === "rollback" ? `rollback to v${first.parent}` : began}${reason ? `: ${reason}` : ""}`;
    return html`<${Tag} key=${lane} x=${xOf(bands, segment.start + segment.last - segment.first) + beyond} y=${yOf(lane)} text=${text.length > 34 ? `${text.slice(0, 33)}…` : text} />`;
  });
  const x = stub && xOf(bands, stub.depth);
  return html`<g>${tags}${stub && html`<g class="stub" data-state=${stub.status}><svg x=${x - 7} y=${yOf(stub.lane) - 7} width="14" height="14" viewBox="0 0 16 16"><${Mark} state=${stub.status} /></svg>
    ${stub.lane === 0 || !ends.has(stub.lane) ? html`<text class="tag" x=${x + 14} y=${yOf(stub.lane) + 4}>${LATER[stub.status]}</text>` : null}</g>`}</g>`;
}
