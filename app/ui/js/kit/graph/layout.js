// Where the boxes of a graph stand and how its edges run: left to right, or from above down on a narrow page.
import { reduced } from "./reduced.js";

export const BOX = { width: 176, height: 52 };
const FINE = 60; // nodes up to which the finer layout takes no more than a moment
const FINE_EDGES = 120;

/**
 * `{nodes, places, edges, implied, width, height, down}`: each node with `x y` of its left upper corner (`places` by id), each edge with the
 * `points` of its way; `implied` are those that longer ways imply, which have none.
 * `graph` is as in GET /api/workflows/{name}: `nodes` with their `id`, `edges` `from` one `to` another.
 */
export async function laidOut(graph, down) {
  const known = new Map(graph.nodes.map((node) => [node.id, node]));
  if (!graph.nodes.length) return { nodes: [], edges: [], implied: [], places: known, width: 0, height: 0, down };
  const real = graph.edges.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
  const { kept: edges, implied } = reduced([...known.keys()], real, ({ from, to }) => known.get(to).rescues?.includes(from));
  const fine = graph.nodes.length <= FINE && edges.length <= FINE_EDGES && !isLine(edges);
  const { middles, passes, width, height } = fine ? await finely(graph.nodes, edges, down) : await inLayers(graph.nodes, edges, down);
  const nodes = graph.nodes.map((node) => {
    const { x, y } = middles.get(node.id);
    return { ...node, x: x - BOX.width / 2, y: y - BOX.height / 2 };
  });
  const places = new Map(nodes.map((node) => [node.id, node]));
  return { nodes, places, width, height, down, edges: edges.map((edge) => drawn(edge, places, passes.get(edge) ?? [], down)), implied };
}

/** Whether all steps stand one behind the other, for which any layout will do. */
function isLine(edges) {
  const ends = (side) => new Set(edges.map((edge) => edge[side])).size;
  return ends("from") === edges.length && ends("to") === edges.length;
}

function drawn(edge, places, between, down) {
  const [from, to] = [places.get(edge.from), places.get(edge.to)];
  const first = down ? { x: from.x + BOX.width / 2, y: from.y + BOX.height } : { x: from.x + BOX.width, y: from.y + BOX.height / 2 };
  const last = down ? { x: to.x + BOX.width / 2, y: to.y } : { x: to.x, y: to.y + BOX.height / 2 };
  const maybe = Boolean(to.condition) || Boolean(to.rescues?.includes(edge.from));
  return { from: edge.from, to: edge.to, maybe, points: [first, ...between, last] };
}

async function finely(nodes, edges, down) {
  const { Graph, layout } = await import("../../../vendor/dagre.js");
  const made = new Graph();
  made.setGraph({ rankdir: down ? "TB" : "LR", ranksep: down ? 36 : 40, nodesep: 20, edgesep: 12, marginx: 0, marginy: 0 });
  // It keeps nodes in plain objects: a step that is called "__proto__" would reach all objects of the page.
  const names = new Map(nodes.map((node, index) => [node.id, `n${index}`]));
  const ends = ({ from, to }) => [names.get(from), names.get(to)];
  for (const name of names.values()) made.setNode(name, { width: BOX.width, height: BOX.height });
  for (const edge of edges) made.setEdge(...ends(edge), {});
  layout(made);
  const passes = new Map(edges.map((edge) => [edge, made.edge(...ends(edge)).points.slice(1, -1).filter((_, index, all) => all.length > 1 || index > 0)]));
  return bounded(new Map(nodes.map((node) => [node.id, made.node(names.get(node.id))])), passes);
}

/** Moved to begin at 0, with the ways of edges too, which may lead around all boxes. */
function bounded(middles, passes) {
  const box = [...middles.values()].flatMap(({ x, y }) => [{ x: x - BOX.width / 2, y: y - BOX.height / 2 }, { x: x + BOX.width / 2, y: y + BOX.height / 2 }]);
  const all = [...box, ...[...passes.values()].flat()];
  const [left, top] = [Math.min(...all.map((one) => one.x)), Math.min(...all.map((one) => one.y))];
  const moved = ({ x, y }) => ({ x: x - left, y: y - top });
  return {
    middles: new Map([...middles].map(([id, spot]) => [id, moved(spot)])),
    passes: new Map([...passes].map(([edge, way]) => [edge, way.map(moved)])),
    width: Math.max(...all.map((one) => one.x)) - left,
    height: Math.max(...all.map((one) => one.y)) - top,
  };
}

async function inLayers(nodes, edges, down) {
  const [along, across] = down ? [BOX.height, BOX.width] : [BOX.width, BOX.height];
  const { layered } = await import("./layered.js");
  const found = layered(nodes.map((node) => node.id), edges, { along, across, gapAlong: down ? 36 : 40, gapAcross: 16 });
  if (!down) return { middles: found.nodes, ...found };
  const turned = ({ x, y }) => ({ x: y, y: x });
  return {
    middles: new Map([...found.nodes].map(([id, spot]) => [id, turned(spot)])),
    passes: new Map([...found.passes].map(([edge, way]) => [edge, way.map(turned)])),
    width: found.height,
    height: found.width,
  };
}

/** The way of an edge as a path's text: it leaves and arrives straight, and bends in between. */
export function pathOf({ points }, down) {
  let text = `M${spot(points[0])}`;
  for (let index = 1; index < points.length; index += 1) {
    const [one, other] = [points[index - 1], points[index]];
    const half = down ? (one.y + other.y) / 2 : (one.x + other.x) / 2;
    text += down ? `C${spot({ x: one.x, y: half })} ${spot({ x: other.x, y: half })} ${spot(other)}` : `C${spot({ x: half, y: one.y })} ${spot({ x: half, y: other.y })} ${spot(other)}`;
  }
  return text;
}

/** The head of its arrow. */
export function headOf({ points }, down) {
  const { x, y } = points.at(-1);
  return down ? `M${x - 4} ${y - 6}L${x} ${y - 1}L${x + 4} ${y - 6}` : `M${x - 6} ${y - 4}L${x - 1} ${y}L${x - 6} ${y + 4}`;
}

function spot({ x, y }) {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
