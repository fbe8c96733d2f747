// The shape of a thread's versions: which lane each run of versions lies in, how far to the right each version stands, and what
// of long straight runs is folded. Pure functions over the answer of GET /invoke/tree.

const FOLDS_FROM = 40; // columns up to which nothing is folded
const SHORTEST = 12; // columns that are worth folding
const BEFORE = 6; // columns that stay open before something
const AFTER = 2; // and behind it
const STEP = 10; // the end of a fold moves by so many, so that a thread that grows does not move at every version

/**
 * `{segments, lanes, depth, head, stub}` of a tree. A segment is what one execution wrote without a break, with `lane`, `start` (the
 * depth of its first version) and `parent`; `depth` is how many versions the longest line has; `stub` is where the thread is
 * about to write its next version, or null.
 */
export function shapeOf(asked) {
  const tree = caughtUp(asked);
  const segments = [];
  const byVersion = finder(segments);
  const taken = new Map(); // segment -> whether something goes on behind its last version
  let lanes = 0;
  const written = tree.branches.filter((one) => one.first_version !== null).toSorted((one, other) => one.first_version - other.first_version);
  for (const branch of written) {
    const parent = branch.parent_version === null ? null : byVersion(branch.parent_version);
    const goesOn = parent !== null && branch.parent_version === parent.last && !taken.has(parent);
    if (goesOn) taken.set(parent, true);
    segments.push({
      first: branch.first_version, last: branch.last_version, parent: parent === null ? null : branch.parent_version, branch,
      start: parent === null ? 0 : parent.start + (branch.parent_version - parent.first) + 1,
      lane: goesOn ? parent.lane : (lanes += 1) - 1, turns: parent !== null && !goesOn, upTo: branch.on_timeline_to,
    });
  }
  const stub = stubOf(tree, byVersion, taken, lanes);
  if (stub) lanes = Math.max(lanes, stub.lane + 1);
  const depth = Math.max(stub ? stub.depth + 1 : 0, ...segments.map((one) => one.start + one.last - one.first + 1));
  return { segments, lanes, depth, head: tree.head_version, last: tree.last_version, stub, find: byVersion };
}

const MOVES = new Set(["pending", "running", "waiting"]);

/** While a thread runs its head may have been read before its versions: then it is the last of what its present execution wrote. */
function caughtUp(tree) {
  const present = tree.branches.at(-1);
  const behind = present && MOVES.has(tree.status) && present.first_version !== null && present.first_version <= tree.head_version && tree.head_version < present.last_version;
  if (!behind) return tree;
  const head = present.last_version;
  return { ...tree, head_version: head, last_version: Math.max(head, tree.last_version), branches: [...tree.branches.slice(0, -1), { ...present, on_timeline: true, on_timeline_to: head }] };
}

/** Of segments in the order of their versions: a function that finds the one of a version, or null. */
function finder(segments) {
  return (version) => {
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (segments[middle].first <= version) low = middle;
      else high = middle - 1;
    }
    const found = segments[low];
    return found && found.first <= version && version <= found.last ? found : null;
  };
}

function stubOf(tree, find, taken, lanes) {
  if (tree.status === "completed") return null;
  const segment = find(tree.head_version);
  if (!segment) return null;
  const free = tree.head_version === segment.last && !taken.has(segment);
  const depth = segment.start + (tree.head_version - segment.first) + 1;
  return { parent: tree.head_version, depth, lane: free ? segment.lane : lanes, turns: !free, status: tree.status };
}

/** How deep a version lies, null for one that there is not. */
export function depthOf(shape, version) {
  const segment = shape.find(version);
  return segment && segment.start + version - segment.first;
}

/** The version of a segment at a depth. */
export const versionAt = (segment, depth) => segment.first + depth - segment.start;

/** Whether the head came from a version of that segment. */
export const isOn = (segment, version) => segment.upTo !== null && version <= segment.upTo;

/** Versions at which something is to be seen: where lines begin, end and part, what came of them, what is chosen. */
function landmarks(shape, marked) {
  const found = new Set([0, shape.depth - 1]);
  const add = (version) => {
    const depth = depthOf(shape, version);
    if (depth !== null) found.add(depth);
  };
  for (const segment of shape.segments) {
    found.add(segment.start);
    found.add(segment.start + segment.last - segment.first);
    if (segment.parent !== null && segment.turns) add(segment.parent);
    if (segment.upTo !== null) add(segment.upTo);
  }
  add(shape.head);
  marked.forEach(add);
  return [...found].toSorted((one, other) => one - other);
}

/**
 * The columns from left to right as bands `{from, to, kind, x, width}` of depths: "plain" ones of `wide` px a column, "fold" of one
 * column for all of it, "dense" ones of folds that were opened. `opened` is a list of depths.
 */
export function bandsOf(shape, marked, opened, { wide, narrow, fold, left }) {
  const bands = [];
  let x = left;
  const put = (from, to, kind) => {
    if (from > to) return;
    const width = kind === "fold" ? fold : (kind === "dense" ? narrow : wide) * (to - from + 1);
    bands.push({ from, to, kind, x, width });
    x += width;
  };
  let done = -1;
  for (const [from, to] of shape.depth > FOLDS_FROM ? folds(landmarks(shape, marked)) : []) {
    put(done + 1, from - 1, "plain");
    put(from, to, opened.some((depth) => depth >= from && depth <= to) ? "dense" : "fold");
    done = to;
  }
  put(done + 1, shape.depth - 1, "plain");
  return { bands, width: x, wide, narrow };
}

function folds(marks) {
  const found = [];
  for (let index = 1; index < marks.length; index += 1) {
    const from = marks[index - 1] + AFTER + 1;
    const to = Math.floor((marks[index] - BEFORE) / STEP) * STEP;
    if (to - from + 1 >= SHORTEST) found.push([from, to]);
  }
  return found;
}

/** Where the middle of a depth's column is; in a fold the middle of all of it. */
export function xOf({ bands, wide, narrow }, depth) {
  const band = bandAt(bands, depth);
  if (!band) return 0;
  if (band.kind === "fold") return band.x + band.width / 2;
  return band.x + (depth - band.from + 0.5) * (band.kind === "dense" ? narrow : wide);
}

/** The band that a depth stands in. */
export function bandAt(bands, depth) {
  return bands.find((one) => depth >= one.from && depth <= one.to) ?? null;
}

/** The depths that lie between two x, folds left out. */
export function depthsBetween({ bands, wide, narrow }, low, high) {
  const found = [];
  for (const band of bands) {
    if (band.x > high || band.x + band.width < low || band.kind === "fold") continue;
    const one = band.kind === "dense" ? narrow : wide;
    const first = Math.max(band.from, band.from + Math.floor((low - band.x) / one));
    const last = Math.min(band.to, band.from + Math.ceil((high - band.x) / one));
    for (let depth = first; depth <= last; depth += 1) found.push({ depth, dense: band.kind === "dense" });
  }
  return found;
}

/** The version that a key leads to from another: along its line, to the line above or below, to the first, to the head. */
export function neighbour(shape, version, key) {
  const segment = shape.find(version);
  if (!segment || key === "End") return shape.head;
  if (key === "Home") return shape.segments[0].first;
  if (key === "ArrowLeft") return version > segment.first ? version - 1 : (segment.parent ?? version);
  if (key === "ArrowRight") return version < segment.last ? version + 1 : (next(shape, version)?.first ?? version);
  const step = key === "ArrowDown" ? 1 : -1;
  const depth = segment.start + version - segment.first;
  for (let lane = segment.lane + step; lane >= 0 && lane < shape.lanes; lane += step) {
    const near = nearest(shape.segments.filter((one) => one.lane === lane), depth);
    if (near !== null) return near;
  }
  return version;
}

function next(shape, version) {
  const found = shape.segments.filter((one) => one.parent === version);
  return found.find((one) => one.upTo !== null) ?? found[0];
}

function nearest(segments, depth) {
  let found = null;
  let least = Infinity;
  for (const one of segments) {
    const at = Math.max(one.start, Math.min(one.start + one.last - one.first, depth));
    if (Math.abs(at - depth) < least) [found, least] = [versionAt(one, at), Math.abs(at - depth)];
  }
  return found;
}
