// The graph of a workflow's steps: boxes and what waits for what, with their states as they run. Only what is in view is drawn.
import { whenBack } from "../lib/feed.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib/html.js";
import { own } from "../lib/own.js";
import { useStyle } from "../lib/style.js";
import { plural } from "../lib/words.js";
import { Button } from "./bits.js";
import { BOX, headOf, laidOut, pathOf } from "./graph/layout.js";
import { EDGE, firstScale, useView } from "./graph/view.js";
import { Mark } from "./marks.js";

const NARROW = 560; // px below which the steps run downwards
const FAR = 0.42; // smaller than that no text can be read
const SMALL = 0.75; // smaller than that only names can, if they are larger
const LOWEST = 132;
const EDGES_SEEN = 3000;
const STEP = 1.25;
const AGAIN = 4_000; // ms

/**
 * `graph` is that of a definition: `nodes` (`id kind agent label condition parts rescues`) and `edges` (`from`, `to`). `states` marks steps:
 * {step id: status}; `notes` puts a few characters into a box: {step id: text}. `onSelect(id or null)` is told by click and keys,
 * `selected` is the id that is chosen and is kept in view. `height`: at most so many px.
 */
export function Graph(props) {
  return props.graph ? html`<${Drawn} ...${props} />` : html`<p class="muted">The steps of a workflow in Python are known as it runs.</p>`;
}

function Drawn({ graph, states = {}, notes = {}, selected = null, onSelect = () => {}, label = "Steps", height = 420 }) {
  const styled = useStyle("graph");
  const [width, setWidth] = useState(innerWidth);
  const layout = useLayout(graph, width < NARROW);
  const [seen, setSeen] = useState({ ids: null, far: false });
  const current = useRef({});
  current.current = { layout, selected };

  const look = () => {
    const { layout: now, selected: chosen } = current.current;
    if (!now || !sight.box.current) return;
    const next = inView(now, sight.view.current, sight.seen(), chosen);
    setSeen((before) => (before.key === next.key && before.layout === now ? before : next));
  };
  const sight = useView(() => current.current.layout ?? { width: 1, height: 1 }, look);
  const begin = () => {
    sight.begin();
    const node = current.current.layout?.places.get(current.current.selected);
    if (node) sight.show(node, BOX.width, BOX.height);
  };
  useSize(sight, (width) => {
    setWidth(width);
    if (!sight.view.current.own) begin();
    look();
  });

  const known = useRef("");
  useLayoutEffect(() => {
    if (!layout || !sight.box.current) return;
    const shape = `${layout.down} ${layout.nodes.map((node) => node.id).join(" ")}`;
    if (shape !== known.current && !(known.current && sight.view.current.own)) begin();
    known.current = shape;
    look();
  }, [layout]);
  useEffect(() => {
    const node = layout?.places?.get(selected);
    if (node) sight.show(node, BOX.width, BOX.height);
    look();
  }, [selected, layout]);

  const near = useMemo(() => neighbours(layout, selected), [layout, selected]);
  const tall = layout ? Math.max(LOWEST, Math.min(height, Math.ceil(layout.height * firstScale(width, layout) + 2 * EDGE))) : LOWEST;
  const choose = (id) => { if (!sight.box.current.dataset.dragged) onSelect(id); };
  const onClick = (event) => {
    if (event.target !== event.currentTarget) return;
    choose(seen.far ? at(event, layout, sight) : null);
  };
  const onKeyDown = (event) => keyed(event, { layout, selected, onSelect, sight });
  const drawn = layout && styled && seen.layout === layout;
  return html`<div class="graph" ref=${sight.box} role="group" aria-label=${`${label}: ${plural(graph.nodes.length, "step")}`} style=${{ "--tall": `${tall}px` }}
    data-far=${seen.far || undefined} data-small=${seen.small || undefined} onKeyDown=${onKeyDown} onClick=${onClick}>
    <div class="graph-space" ref=${sight.space}>
      ${drawn && html`<${Edges} layout=${layout} seen=${seen} selected=${selected} />`}
      ${drawn && seen.far && html`<${Far} layout=${layout} states=${states} />`}
      ${drawn && seen.nodes.map((node) => html`<${Box} key=${node.id} node=${node} state=${own(states, node.id)} note=${own(notes, node.id)} chosen=${node.id === selected}
        near=${near.has(node.id)} first=${node.id === (selected ?? layout.nodes[0].id)} far=${seen.far} choose=${choose} />`)}
    </div>
    <div class="graph-tools">
      <${Button} kind="small quiet" icon="plus" label="Larger" onClick=${() => sight.zoom(STEP)} />
      <${Button} kind="small quiet" icon="minus" label="Smaller" onClick=${() => sight.zoom(1 / STEP)} />
      <${Button} kind="small quiet" icon="fit" label="Show all of it" onClick=${sight.fit} />
    </div>
  </div>`;
}

const KINDS = { wait_for: "waits for", workflow: "workflow", python: "python", sleep: "sleeps" };

function Box({ node, state, note, chosen, near, first, far, choose }) {
  const kind = KINDS[node.kind] ?? node.kind;
  const told = [node.id, `${kind} ${node.label ?? ""}`.trim(), state, note, node.condition && "has a condition", node.parts && PARTS[node.parts]].filter(Boolean).join(", ");
  return html`<button type="button" class="graph-box" data-step=${node.id} data-state=${state} data-parts=${node.parts ?? undefined} data-near=${near || undefined} aria-pressed=${chosen} aria-label=${told}
    title=${told} tabindex=${first ? 0 : -1} style=${{ left: `${node.x}px`, top: `${node.y}px` }} onClick=${() => choose(node.id)}>
    ${!far && html`<span class="id"><b class="cut">${node.id}</b>${state && html`<${Mark} state=${state} />`}</span>
    <span class="does"><span class="cut"><i>${kind}</i> ${node.label ?? node.agent ?? ""}</span>${note ? html`<span class="note-text">${note}</span>` : node.parts && html`<span class="note-text">${PARTS[node.parts]}</span>`}</span>`}
  </button>`;
}

const PARTS = { for_each: "for each", repeat: "repeats" };

/** All edges of a kind are one path: a thousand of them cost no more than a few. Those that longer ways imply are not drawn. */
function Edges({ layout, seen, selected }) {
  const paths = useMemo(() => {
    const texts = { plain: [], maybe: [], heads: [], near: [], nearHeads: [] };
    for (const edge of seen.edges) {
      const near = edge.from === selected || edge.to === selected;
      const path = pathOf(edge, layout.down);
      texts[edge.maybe ? "maybe" : "plain"].push(path);
      if (!seen.far) texts.heads.push(headOf(edge, layout.down));
      if (near) texts.near.push(path);
      if (near && !seen.far) texts.nearHeads.push(headOf(edge, layout.down));
    }
    return Object.fromEntries(Object.entries(texts).map(([name, list]) => [name, list.join("")]));
  }, [seen, selected]);
  return html`<svg class="graph-edges" width=${layout.width} height=${layout.height} aria-hidden="true">
    <path d=${paths.plain} /><path class="maybe" d=${paths.maybe} /><path d=${paths.heads} />
    ${paths.nearHeads && html`<path class="near" d=${paths.near} /><path class="near" d=${paths.nearHeads} />`}
  </svg>`;
}

/** All boxes from afar, a path for each state. */
function Far({ layout, states }) {
  const paths = {};
  for (const node of layout.nodes) {
    const state = own(states, node.id) ?? "none";
    paths[state] = `${paths[state] ?? ""}M${node.x} ${node.y}h${BOX.width}v${BOX.height}h${-BOX.width}z`;
  }
  return html`<svg class="graph-edges far" width=${layout.width} height=${layout.height} aria-hidden="true">
    ${Object.entries(paths).map(([state, path]) => html`<path key=${state} data-state=${state} d=${path} />`)}</svg>`;
}

/** The step whose box is at a place of the window, or null. */
function at(event, layout, sight) {
  const { left, top } = sight.box.current.getBoundingClientRect();
  const { x, y, k } = sight.view.current;
  const [across, down] = [(event.clientX - left - x) / k, (event.clientY - top - y) / k];
  return layout?.nodes.find((node) => across >= node.x && across <= node.x + BOX.width && down >= node.y && down <= node.y + BOX.height)?.id ?? null;
}

/** The steps that one waits for or that wait for it, also where no edge of their own is drawn. */
function neighbours(layout, selected) {
  const all = selected && layout ? [...layout.edges, ...layout.implied] : [];
  return new Set(all.flatMap(({ from, to }) => (from === selected ? [to] : to === selected ? [from] : [])));
}

function useLayout(graph, down) {
  const [layout, setLayout] = useState(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let wanted = true;
    let unlisten = () => {};
    const missed = (error) => {
      if (!/imported module|module script/i.test(error.message)) console.error(error); // else how it is laid out could not be fetched
      if (wanted) unlisten = whenBack(() => setTries(tries + 1), AGAIN);
    };
    laidOut(graph, down).then((found) => { if (wanted) setLayout(found); }, missed);
    return () => {
      wanted = false;
      unlisten();
    };
  }, [graph, down, tries]);
  return layout;
}

function useSize(sight, changed) {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    if (!sight.box.current) return undefined;
    const watcher = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      sight.resized(width, height);
      latest.current(width);
    });
    watcher.observe(sight.box.current);
    return () => watcher.disconnect();
  }, []);
}

/** What can be seen of a layout, with something around it. */
function inView(layout, { x, y, k }, box, chosen) {
  const around = 60 / k;
  const [left, top] = [-x / k - around, -y / k - around];
  const [right, bottom] = [(box.width - x) / k + around, (box.height - y) / k + around];
  const far = k < FAR;
  const small = k < SMALL;
  const is = (node) => node.x < right && node.x + BOX.width > left && node.y < bottom && node.y + BOX.height > top;
  const focused = document.activeElement?.dataset?.step;
  // From afar a box is a mark among others: only those are buttons that the keys begin from.
  const near = far ? layout.nodes.filter((node) => node.id === chosen || node.id === focused || (!chosen && node === layout.nodes[0])) : null;
  const nodes = near ?? layout.nodes.filter((node) => is(node) || node.id === chosen || node.id === focused);
  const edges = layout.edges.filter(({ points }) => {
    const [one, other] = [points[0], points.at(-1)];
    return Math.min(one.x, other.x) < right && Math.max(one.x, other.x) > left && points.some((_, index) => index === 0 || crosses(points[index - 1], points[index], top, bottom));
  }).slice(0, EDGES_SEEN);
  const key = `${far} ${small} ${edges.length} ${nodes.length} ${nodes[0]?.id} ${nodes.at(-1)?.id}`;
  return { nodes, edges, far, small, layout, key };
}

function crosses(one, other, top, bottom) {
  return Math.min(one.y, other.y) < bottom && Math.max(one.y, other.y) > top;
}

/** Arrows go along the edges, or to the box beside; + - 0 make it larger, smaller, whole. */
function keyed(event, { layout, selected, onSelect, sight }) {
  if (!layout || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".graph-tools")) return;
  const zoom = { "+": () => sight.zoom(STEP), "-": () => sight.zoom(1 / STEP), 0: sight.fit }[event.key];
  const next = zoom ? null : follows(event.key, layout, event.target.dataset.step ?? selected);
  if (!zoom && next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  if (zoom) return void zoom();
  onSelect(next);
  const box = sight.box.current;
  const there = () => box.querySelector(`[data-step="${CSS.escape(next ?? "")}"]`);
  // At once, so that the next key goes on from there; one that is out of view is drawn first.
  if (there()) there().focus({ preventScroll: true });
  else requestAnimationFrame(() => requestAnimationFrame(() => there()?.focus({ preventScroll: true })));
}

function follows(key, layout, from) {
  if (key === "Home") return layout.nodes[0].id;
  if (key === "End") return layout.nodes.at(-1).id;
  const node = layout.places.get(from);
  const [on, back, after, before] = layout.down ? ["ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft"] : ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"];
  if (!node || ![on, back, after, before].includes(key)) return undefined;
  const [along, across] = layout.down ? ["y", "x"] : ["x", "y"];
  let near;
  if (key === on) near = layout.edges.filter((edge) => edge.from === from).map((edge) => layout.places.get(edge.to));
  else if (key === back) near = layout.edges.filter((edge) => edge.to === from).map((edge) => layout.places.get(edge.from));
  else {
    const sign = key === after ? 1 : -1;
    near = layout.nodes.filter((other) => (other[across] - node[across]) * sign > 1 && Math.abs(other[along] - node[along]) < BOX.width / 2);
  }
  const far = (other) => Math.abs(other[across] - node[across]);
  return near.toSorted((one, other) => far(one) - far(other))[0]?.id ?? from;
}
