// What part of the time is seen: all of it, until somebody zooms (ctrl and wheel, buttons, + - 0) or drags.
import { useEffect, useRef, useState } from "../../../lib/html.js";
import { zoomed } from "./scale.js";

const STEP = 1.6;
const MOVED = 4; // px that make a drag of a click
const MOST = 4; // times the whole

/** `whole` is all of the time `{from, to}`, `width` the px for it. Answers `{view, own, zoom, move, fit, onPointerDown, dragged}`. */
export function useTimeView(whole, width, plot) {
  const [chosen, setChosen] = useState(null);
  const view = chosen ?? whole;
  const latest = useRef({});
  latest.current = { view, whole, width };
  const dragged = useRef(false);

  const zoom = (factor, at) => setChosen(() => {
    const { view: now, whole: all } = latest.current;
    return zoomed(now, factor, at ?? (now.from + now.to) / 2, { most: (all.to - all.from) * MOST });
  });
  const move = (ms) => setChosen(() => ({ from: latest.current.view.from + ms, to: latest.current.view.to + ms }));

  useEffect(() => {
    const node = plot.current;
    if (!node) return undefined;
    const onWheel = (event) => {
      const { view: now, width: px } = latest.current;
      const perPx = (now.to - now.from) / Math.max(px, 1);
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const at = now.from + (event.clientX - node.getBoundingClientRect().right + px) * perPx;
        zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 120), at);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        move((event.deltaX || event.deltaY) * perPx);
      }
    };
    node.addEventListener("wheel", onWheel, { passive: false });
    return () => node.removeEventListener("wheel", onWheel);
  }, [plot.current]);

  const onPointerDown = (event) => {
    dragged.current = false;
    if (event.button !== 0 || event.target.closest("button")) return;
    const begin = { x: event.clientX, view: latest.current.view };
    const onMove = (next) => {
      const px = next.clientX - begin.x;
      if (!dragged.current && Math.abs(px) < MOVED) return;
      dragged.current = true;
      const ms = (px * (begin.view.to - begin.view.from)) / Math.max(latest.current.width, 1);
      setChosen({ from: begin.view.from - ms, to: begin.view.to - ms });
    };
    const end = () => {
      removeEventListener("pointermove", onMove);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
    };
    addEventListener("pointermove", onMove);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  };
  return { view, own: chosen !== null, larger: () => zoom(1 / STEP), smaller: () => zoom(STEP), move, fit: () => setChosen(null), onPointerDown, dragged };
}
