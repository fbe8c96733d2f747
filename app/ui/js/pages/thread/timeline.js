// What each step was at, from when to when: a lane a step, which grows while it runs.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { ahead } from "../../lib/clock.js";
import { own } from "../../lib/own.js";
import { setQuery } from "../../lib/route.js";
import { clock, duration, exact, plural } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { Face } from "../../kit/faces.js";
import { Icon } from "../../kit/marks.js";
import { knotsOf, numberOf } from "./knots.js";
import { choose } from "./selection.js";
import { Backdrop, Bars, Knots, LANE, Patterns, placer } from "./timeline/draw.js";
import { folding, idle } from "./timeline/fold.js";
import { lanesOf, told } from "./timeline/lanes.js";
import { ticks } from "./timeline/scale.js";
import { useTimeView } from "./timeline/view.js";

const TALL = 338; // px of lanes that are seen at once
const BEYOND = 6; // lanes drawn above and below what is seen
const FASTEST = 250; // ms between two drawings of what grows
const SLOWEST = 10_000;
const SHORTEST = 20; // ms that the axis shows at least

export function Timeline({ thread, query }) {
  return html`<section class="sheet timeline" aria-label="Timeline">
    <${Face} of=${thread.timeline} what="The timeline could not be shown">${(document) => html`<${Chart} thread=${thread} document=${document} query=${query} />`}<//>
  </section>`;
}

function Chart({ thread, document, query }) {
  const [opened, setOpened] = useState(new Set());
  const { steps } = thread.status.value;
  const drawing = useMemo(() => lanesOf(document, steps, opened), [document, steps, opened]);
  const body = useRef(null);
  const width = useWidth(body);
  const now = useNow(drawing, width);
  const end = drawing.open ? Math.max(now, drawing.to) : drawing.to || drawing.from;
  const [folds, setFolds] = useState(true);
  const gaps = idle(drawing.lanes, drawing.from, end, now);
  const laid = folding(folds ? gaps : [], end - drawing.from);
  const length = Math.max(SHORTEST, laid.warp(end) - drawing.from);
  const sight = useTimeView({ from: drawing.from - length * 0.01, to: drawing.from + length * 1.02 }, width, body);
  const place = placer(sight.view, width, now, laid.warp);
  const [tip, setTip] = useState(null);
  const point = (lane) => (span, event) => setTip(span && { ...pointed(body, event), text: sentence(lane, span, now) });
  const seen = (x) => x >= -4 && x <= width - 44;
  const marks = ticks(laid.segments(drawing.from - length * 0.01, end + length * 0.02), sight.view.to - sight.view.from, width, drawing.from).filter((tick) => seen(place.x(tick.at)));
  const known = thread.versions.list.value;
  const versions = useMemo(() => known ?? knotsOf(drawing.lanes), [known, drawing]);
  const version = versions.find((one) => String(one.version) === query.v);
  const toggle = (step) => setOpened((before) => new Set(before.has(step) ? [...before].filter((one) => one !== step) : [...before, step]));
  const pick = (lane) => (span) => {
    if (sight.dragged.current) return;
    if (lane.item !== undefined) setQuery({ step: lane.step, run: span.run, tab: "items", item: lane.item });
    else choose(lane.step, span.run ?? null);
  };
  const pickVersion = async (one) => {
    if (sight.dragged.current) return;
    setQuery({ step: OUTSIDE.has(one.current_step) ? null : one.current_step, run: one.run ?? null, tab: null, v: one.version ?? (await numberOf(thread.id, one).catch(() => null)) });
  };
  const pointVersion = (one, event) => setTip(one && { ...pointed(body, event), text: ofVersion(one, thread.status.value.version) });
  const onKeyDown = (event) => {
    const acts = { "+": sight.larger, "=": sight.larger, "-": sight.smaller, 0: sight.fit }[event.key];
    if (!acts || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts();
  };
  const draw = (lane, focused) => html`<svg class="tl-bars" width=${width} height=${LANE} aria-hidden="true" onPointerDown=${sight.onPointerDown}>
    <${Bars} lane=${lane} place=${place} focused=${focused} onPoint=${point(lane)} onPick=${pick(lane)} />
    ${lane.kind === "thread" && html`<${Knots} versions=${versions} head=${thread.status.value.version} chosen=${Number(query.v)} place=${place} width=${width} onPick=${pickVersion} onPoint=${pointVersion} />`}</svg>`;
  return html`<header><h2>Timeline</h2><${Legend} lost=${drawing.lost} /> <span class="actions">
      ${gaps.length > 0 && html`<${Button} kind="small quiet" aria-pressed=${folds} title="Times in which nothing ran are drawn short" onClick=${() => { setFolds(!folds); sight.fit(); }}>Fold waits<//>`}
      <${Button} kind="small quiet" icon="plus" label="Zoom in (ctrl and wheel)" onClick=${sight.larger} /><${Button} kind="small quiet" icon="minus" label="Zoom out" onClick=${sight.smaller} />
      <${Button} kind="small quiet" icon="fit" label="Show all of it" disabled=${!sight.own} onClick=${sight.fit} /></span></header>
    <${Patterns} />
    ${!document.whole && html`<p class="muted tl-note">Too much has happened for one picture: some spans are left out.</p>`}
    <div class="tl" ref=${body} onKeyDown=${onKeyDown}>
      <div class="tl-axis"><span class="faint mono" title=${exact(new Date(drawing.from).toISOString())}>${clock(drawing.from).slice(0, -4)}</span>
        <${Axis} marks=${marks} folds=${laid.folds} place=${place} width=${width} /></div>
      <${Lanes} lanes=${drawing.lanes} draw=${draw} query=${query} opened=${opened} toggle=${toggle} pick=${pick} now=${now} sentence=${sentence} setTip=${setTip} place=${place}
        backdrop=${html`<${Backdrop} ticks=${marks} place=${place} width=${width} folds=${laid.folds} pauses=${drawing.lanes[0].spans.filter((span) => span.state === "paused")} now=${drawing.open ? now : null} version=${version ? Date.parse(version.created_at) : null} />`} />
      ${tip && html`<p class="tl-tip" role="status" style=${{ left: `${tip.x}px`, top: `${tip.y}px` }}>${tip.text}</p>`}
    </div>`;
}

/** The times above the lanes; what would stand on another is left out, and a fold says how long it is. */
function Axis({ marks, folds, place, width }) {
  const drawn = [];
  const taken = [];
  const put = (key, x, wide, text, anchor) => {
    if (taken.some(([from, to]) => x < to && x + wide > from)) return;
    taken.push([x, x + wide]);
    drawn.push(html`<text key=${key} class=${anchor} x=${x} y="14">${text}</text>`);
  };
  for (const fold of folds) {
    const text = duration(fold.to - fold.from);
    const wide = text.length * 6.2;
    const middle = (place.x(fold.from) + place.x(fold.to)) / 2;
    if (middle > 0 && middle < width) put(`fold ${fold.from}`, Math.min(middle - wide / 2, width - wide), wide, text, "folded");
  }
  for (const tick of marks) put(tick.at, place.x(tick.at) + 3, tick.label.length * 6.2 + 4, tick.label, "");
  return html`<svg width=${width} height="20" aria-hidden="true">${drawn}</svg>`;
}

/** The lanes in view, in a box that scrolls. */
function Lanes({ lanes, draw, query, opened, toggle, pick, now, setTip, place, backdrop }) {
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [focus, setFocus] = useState(null); // {key, span}: what the keyboard has come to
  const chosen = lanes.findIndex((lane) => lane.kind === "step" && lane.step === query.step);
  useLayoutEffect(() => {
    const node = box.current;
    if (chosen > 0 && node) bring(node, chosen);
  }, [chosen]);
  const first = Math.max(1, 1 + Math.floor(top / LANE) - BEYOND);
  const shown = lanes.slice(first, first + Math.ceil(TALL / LANE) + 2 * BEYOND);
  const onKeyDown = (lane, index) => (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      const next = Math.min(lanes.length - 1, Math.max(0, index + by));
      bring(box.current, next);
      setTimeout(() => box.current?.parentElement.querySelector(`[data-lane="${next}"]`)?.focus(), 30);
    } else if (along && lane.spans.length) {
      event.preventDefault();
      const span = Math.min(lane.spans.length - 1, Math.max(0, (focus?.key === lane.key ? focus.span : along > 0 ? -1 : lane.spans.length) + along));
      setFocus({ key: lane.key, span });
      const label = event.currentTarget;
      setTip({ x: label.offsetWidth + Math.max(0, Math.min(place.x(lane.spans[span].from), 4000)) + 8, y: label.getBoundingClientRect().bottom - box.current.parentElement.getBoundingClientRect().top + 4, text: sentence(lane, lane.spans[span], now) });
    }
  };
  const leave = () => {
    setFocus(null);
    setTip(null);
  };
  const row = (lane, index) => {
    const foldable = lane.kind === "step" && lane.items.length > 0;
    const here = focus?.key === lane.key ? focus.span : -1;
    return html`<div class="tl-lane" key=${lane.key} data-kind=${lane.kind} data-selected=${(index > 0 && index === chosen) || undefined} style=${{ top: `${Math.max(0, index - 1) * LANE}px` }}>
      <span class="tl-label">${foldable && html`<button type="button" class="tl-fold" aria-expanded=${opened.has(lane.step)} aria-label=${`Items of ${lane.step}`} onClick=${() => toggle(lane.step)}><${Icon} name="right" /></button>`}
        <button type="button" class="cut name" data-lane=${index} tabindex=${index === Math.max(0, chosen) ? 0 : -1} aria-label=${summary(lane, now)} title=${lane.label} onKeyDown=${onKeyDown(lane, index)} onBlur=${leave}
          onClick=${() => (lane.kind === "thread" ? choose(null) : pick(lane)(lane.spans.at(here) ?? {}))}>${lane.label}</button></span>
      ${draw(lane, here)}</div>`;
  };
  // The thread's own lane stays in sight.
  return html`<div class="tl-first">${backdrop}${row(lanes[0], 0)}</div>
    <div class="tl-lanes" ref=${box} role="group" aria-label="Lanes of the steps" tabindex="0" style=${{ maxHeight: `${TALL}px` }} onScroll=${(event) => setTop(event.currentTarget.scrollTop)}>
      <div class="tl-space" style=${{ height: `${(lanes.length - 1) * LANE}px` }}>${backdrop}${shown.map((lane, offset) => row(lane, first + offset))}</div></div>`;
}

function bring(node, index) {
  const y = (index - 1) * LANE;
  if (y < node.scrollTop) node.scrollTop = y;
  else if (y + LANE > node.scrollTop + node.clientHeight) node.scrollTop = y + LANE - node.clientHeight;
}

function Legend({ lost }) {
  const one = (look, word) => html`<span><svg width="18" height="10" aria-hidden="true">${look}</svg>${word}</span>`;
  return html`<span class="tl-legend faint small">
    ${one(html`<rect class="tl-bar" y="1" width="18" height="8" rx="1.5" fill="url(#tl-queued)" />`, "queued")}
    ${one(html`<rect class="tl-bar" data-state="running" y="1" width="18" height="8" rx="1.5" />`, "running")}
    ${one(html`<rect class="tl-bar" y="1" width="18" height="8" rx="1.5" fill="url(#tl-retry)" />`, "retry")}
    ${lost && one(html`<rect class="tl-bar" y="1" width="18" height="8" rx="1.5" fill="url(#tl-lost)" />`, "lost with its process")}
    ${one(html`<path class="tl-wait" data-state="waiting" d="M0 5h18" />`, "waits")}
    ${one(html`<path class="tl-knot" data-head d="M9 0l5 5-5 5-5-5Z" />`, "version")}</span>`;
}

const OUTSIDE = new Set(["START", "END"]);

function ofVersion(one, head) {
  const which = one.version === null ? "A version" : `v${one.version}`;
  const how = one.version === head ? ", the head" : one.on_timeline ? "" : ", left by a rollback";
  const who = own({ START: "written at the start", END: "written at the end" }, one.current_step) ?? `written by ${one.current_step}`;
  return `${which}${how}: ${who}, ${clock(one.created_at)}`;
}

function sentence(lane, span, now) {
  const end = span.to ?? now;
  return `${lane.label}: ${told(span)}. ${clock(span.from)} to ${span.to === null ? "now" : clock(span.to)}, ${duration(Math.max(0, end - span.from))}`;
}

function summary(lane, now) {
  const last = lane.spans.at(-1);
  if (!last) return lane.label;
  const spans = lane.spans.length > 1 ? `, ${plural(lane.spans.length, "span")}: left and right go through them` : "";
  return `${sentence(lane, last, now)}${spans}`;
}

function pointed(body, event) {
  const box = body.current.getBoundingClientRect();
  return { x: Math.min(event.clientX - box.left + 12, Math.max(0, box.width - 340)), y: event.clientY - box.top + 16 };
}

function useWidth(body) {
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const node = body.current;
    const look = () => setWidth(Math.max(80, node.clientWidth - parseFloat(getComputedStyle(node).getPropertyValue("--label"))));
    const watcher = new ResizeObserver(look);
    watcher.observe(node);
    look();
    return () => watcher.disconnect();
  }, []);
  return width;
}

/** Now by the service's clock; it goes on only while something does, and no faster than the picture can show. */
function useNow(drawing, width) {
  const [, draw] = useState(0);
  const length = Date.now() + ahead.value - drawing.from;
  const pause = Math.min(SLOWEST, Math.max(FASTEST, length / Math.max(width, 1)));
  const slow = 2 ** Math.ceil(Math.log2(pause / FASTEST)) * FASTEST; // so that the timer is not set anew at each drawing
  useEffect(() => {
    if (!drawing.open) return undefined;
    const timer = setInterval(() => { if (!document.hidden) draw((count) => count + 1); }, slow);
    return () => clearInterval(timer);
  }, [drawing.open, slow]);
  return Date.now() + ahead.value;
}
