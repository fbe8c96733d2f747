// What of a large drawing is seen: moved by dragging, made larger or smaller by two fingers, ctrl and the wheel, keys and buttons.
import { useEffect, useMemo, useRef } from "../../lib/html.js";

export const LEAST = 0.06;
const MOST = 2;
const LEGIBLE = 0.5; // six steps in a row, beside the panel of a page 1,280 px wide
export const EDGE = 24; // what is left free around it
const SLACK = 4; // px that a click may move

/**
 * `{box, space, view, zoom, fit, begin, show, seen, resized}`: `box` and `space` are refs of the window and of what is moved in it; `view.current` is
 * `{x, y, k}`; `onMove()` is told after each change, at most once a frame. `size()` answers the drawing: its `width`, `height`, `nodes`, and whether it runs `down`.
 */
export function useView(size, onMove) {
  const box = useRef(null);
  const space = useRef(null);
  const view = useRef({ x: EDGE, y: EDGE, k: 1, own: false });
  const room = useRef(null); // the window's size; read from the page only once, since reading lays it out
  const told = useRef(onMove);
  told.current = onMove;

  const acts = useMemo(() => {
    let frame = 0;
    const apply = () => {
      if (frame) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        const { x, y, k } = view.current;
        if (space.current) space.current.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
        told.current();
      });
    };
    const seen = () => (room.current ??= { width: box.current.clientWidth, height: box.current.clientHeight });
    const set = (x, y, k, own = true) => {
      view.current = { ...held(x, y, k), own };
      apply();
    };
    /** No further away than that a corner of the drawing stays in the window. */
    const held = (x, y, k) => {
      const { width, height } = size();
      const within = (at, length, free) => Math.max(Math.min(at, free - 80), 80 - length * k);
      return { x: within(x, width, seen().width), y: within(y, height, seen().height), k };
    };
    const scales = () => {
      const { width, height } = size();
      return [(seen().width - EDGE) / width, (seen().height - EDGE) / height]; // half of it on each side, where room is scarce
    };
    const middle = (k) => {
      const { width, height } = size();
      return [(seen().width - width * k) / 2, (seen().height - height * k) / 2];
    };
    const zoom = (factor, x = seen().width / 2, y = seen().height / 2) => {
      const before = view.current;
      const k = Math.max(LEAST, Math.min(MOST, before.k * factor));
      set(x - ((x - before.x) * k) / before.k, y - ((y - before.y) * k) / before.k, k);
    };
    const fit = () => {
      const k = Math.max(LEAST, Math.min(1, ...scales()));
      set(...middle(k), k, false);
    };
    /** The first look: all of it where it stays legible, else its beginning. */
    const begin = () => {
      const k = Math.max(LEGIBLE, Math.min(1, ...scales()));
      const [x, y] = middle(k);
      const { down, nodes } = size();
      // Where it is wider than the window its beginning is seen: the left end, or what is above all else.
      const start = down && x < EDGE / 2 ? seen().width / 2 - (nodes[0].x + 88) * k : x;
      set(down && x < EDGE / 2 ? start : Math.max(x, EDGE / 2), Math.max(y, EDGE / 2), k, false);
    };
    /** Move so that this box is seen. */
    const show = (at, width, height) => {
      const { x, y, k } = view.current;
      const edge = EDGE / 2;
      const into = (from, length, free) => (from < edge ? edge - from : from + length > free - edge ? free - edge - from - length : 0);
      const by = [into(x + at.x * k, width * k, seen().width), into(y + at.y * k, height * k, seen().height)];
      if (by[0] || by[1]) set(x + by[0], y + by[1], k, view.current.own);
    };
    return { zoom, fit, begin, show, set, seen, resized: (width, height) => { room.current = { width, height }; }, stop: () => cancelAnimationFrame(frame) };
  }, []);

  useEffect(() => {
    const node = box.current;
    if (!node) return undefined;
    const end = dragging(node, view, acts);
    return () => {
      end();
      acts.stop();
    };
  }, []);
  return { box, space, view, ...acts };
}

/** How large a drawing is at its first look in a window of that width. */
export function firstScale(width, drawing) {
  return Math.max(LEGIBLE, Math.min(1, (width - EDGE) / drawing.width));
}

function dragging(node, view, { set, zoom }) {
  const fingers = new Map();
  let moved = 0;
  const at = (event) => {
    const { left, top } = node.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const spread = () => {
    const [one, other] = [...fingers.values()];
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) };
  };
  const down = (event) => {
    if (event.button !== 0 || event.target.closest(".graph-tools")) return;
    fingers.set(event.pointerId, at(event));
    moved = 0;
  };
  const move = (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    const pair = fingers.size === 2 ? spread() : null;
    fingers.set(event.pointerId, now);
    if (pair) {
      const next = spread();
      const { x, y, k } = view.current;
      set(x + next.x - pair.x, y + next.y - pair.y, k);
      if (pair.apart > 0) zoom(next.apart / pair.apart, next.x, next.y);
      return;
    }
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (moved <= SLACK) return;
    if (!node.hasPointerCapture(event.pointerId)) node.setPointerCapture(event.pointerId);
    node.dataset.dragged = "true";
    const { x, y, k } = view.current;
    set(x + now.x - before.x, y + now.y - before.y, k);
  };
  const up = (event) => {
    fingers.delete(event.pointerId);
    // The click that follows a drag is none.
    setTimeout(() => { delete node.dataset.dragged; });
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const { x, y } = at(event);
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), x, y);
  };
  const told = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
  for (const [name, run] of Object.entries(told)) node.addEventListener(name, run);
  node.addEventListener("wheel", wheel, { passive: false });
  return () => {
    for (const [name, run] of Object.entries(told)) node.removeEventListener(name, run);
    node.removeEventListener("wheel", wheel);
  };
}
