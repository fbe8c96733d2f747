// Long times in which nothing ran (a gate that waits overnight, a pause) are folded, so that the work can be seen. Pure; ms.

const LEAST = 60_000; // shorter waits are never folded
const TIMES = 3; // as long as all that is not folded, and it is
const REST = 1_000; // less than that would be drawn as if it were long
const SHOWN = 0.07; // of the picture, for each

/** The times between `from` and `to` in which no span of the lanes ran, and which are long in themselves and beside the rest: `[{from, to}]`. */
export function idle(lanes, from, to, now) {
  const ran = lanes.filter((lane) => lane.kind === "step").flatMap((lane) => lane.spans).filter((span) => span.state === "running" || span.waits === "thread")
    .map((span) => [span.from, span.to ?? now]).sort(([one], [other]) => one - other);
  const gaps = [];
  let end = from;
  for (const [begin, over] of ran) {
    if (begin > end) gaps.push({ from: end, to: begin });
    end = Math.max(end, over);
  }
  if (to > end) gaps.push({ from: end, to });
  const long = gaps.filter((gap) => gap.to - gap.from >= LEAST);
  const rest = to - from - long.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  return rest < REST ? [] : long.filter((gap) => gap.to - gap.from > TIMES * rest);
}

/** How real time is laid out when gaps are folded: `{warp(at), folds, segments(from, to)}`. */
export function folding(gaps, length) {
  const left = length - gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const shown = Math.max(left, 20) * SHOWN;
  // Around a fold a little of it stands in its own measure.
  const folds = gaps.map((gap) => ({ from: gap.from + shown / 4, to: gap.to - shown / 4, shown })).filter((fold) => fold.to - fold.from > fold.shown);
  const warp = (at) => {
    let gone = 0;
    for (const fold of folds) {
      if (at <= fold.from) break;
      const inside = Math.min(at, fold.to) - fold.from;
      gone += inside * (1 - fold.shown / (fold.to - fold.from));
    }
    return at - gone;
  };
  /** What of the real time between two moments stands in its own measure. */
  const segments = (from, to) => {
    const found = [];
    let begin = from;
    for (const fold of folds) {
      if (fold.from > begin) found.push([begin, Math.min(to, fold.from)]);
      begin = Math.max(begin, fold.to);
    }
    if (to > begin) found.push([begin, to]);
    return found;
  };
  return { warp, folds, segments };
}
