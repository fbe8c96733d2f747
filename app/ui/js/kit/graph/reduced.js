// Which edges say nothing that longer ways do not say: without them a graph is calm, and still tells what waits for what.

const WORD = 32;

/** `{kept, implied}`: an edge is implied when another way leads from its beginning to its end. `keep(edge)` holds one in any case. */
export function reduced(ids, edges, keep = () => false) {
  const order = sorted(ids, edges);
  if (!order) return { kept: edges, implied: [] };
  const place = new Map(order.map((id, index) => [id, index]));
  const next = order.map(() => []);
  for (const edge of edges) next[place.get(edge.from)].push(edge);
  const words = Math.ceil(order.length / WORD);
  const below = order.map(() => null); // what each leads to, a bit each
  const implied = new Set();
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const mine = new Uint32Array(words);
    for (const edge of next[at].toSorted((one, other) => place.get(one.to) - place.get(other.to))) {
      const to = place.get(edge.to);
      if (mine[to >> 5] & (1 << (to & 31)) && !keep(edge)) implied.add(edge);
      else {
        const theirs = below[to];
        for (let word = 0; word < words; word += 1) mine[word] |= theirs[word];
        mine[to >> 5] |= 1 << (to & 31);
      }
    }
    below[at] = mine;
  }
  return { kept: edges.filter((edge) => !implied.has(edge)), implied: [...implied] };
}

/** The ids so that every edge leads forwards; null where edges run in a circle. */
function sorted(ids, edges) {
  const waits = new Map(ids.map((id) => [id, 0]));
  const next = new Map(ids.map((id) => [id, []]));
  for (const { from, to } of edges) {
    next.get(from).push(to);
    waits.set(to, waits.get(to) + 1);
  }
  const order = ids.filter((id) => waits.get(id) === 0);
  for (let at = 0; at < order.length; at += 1) {
    for (const to of next.get(order[at])) {
      waits.set(to, waits.get(to) - 1);
      if (waits.get(to) === 0) order.push(to);
    }
  }
  return order.length === ids.length ? order : null;
}
