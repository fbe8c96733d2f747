// A time axis: where its ticks are and what they say. Pure functions; ms throughout.

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((count) => count * DAY),
];
const APART = 84; // px between two ticks at least

/** `[{at, label}]` for the times `segments` of a view of `length` ms on `width` px; labels tell the time since `origin`. */
export function ticks(segments, length, width, origin) {
  const least = (length * APART) / Math.max(width, 1);
  const step = STEPS.find((one) => one >= least) ?? Math.ceil(least / STEPS.at(-1)) * STEPS.at(-1);
  const found = [];
  for (const [from, to] of segments) {
    for (let at = origin + Math.ceil((from - origin) / step) * step; at <= to && found.length < 200; at += step) found.push({ at, label: label(at - origin, step) });
  }
  return found;
}

function label(ms, step) {
  if (ms === 0) return "0";
  if (step < SECOND && Math.abs(ms) < SECOND) return `${ms} ms`;
  if (Math.abs(ms) < MINUTE) return `${(ms / SECOND).toFixed(digits(step))} s`;
  if (step < SECOND) return `${Math.floor(ms / MINUTE)}:${((ms % MINUTE) / SECOND).toFixed(digits(step)).padStart(3 + digits(step), "0")}`;
  if (Math.abs(ms) < HOUR) return step < MINUTE ? `${Math.floor(ms / MINUTE)}:${two((ms % MINUTE) / SECOND)}` : `${Math.round(ms / MINUTE)} min`;
  if (Math.abs(ms) < 2 * DAY) {
    const hours = `${Math.floor(ms / HOUR)}:${two((ms % HOUR) / MINUTE)}`;
    return step < MINUTE ? `${hours}:${two((ms % MINUTE) / SECOND)}` : `${hours} h`;
  }
  if (step >= DAY) return `${Math.floor(ms / DAY)} d`;
  const hours = Math.floor((ms % DAY) / HOUR);
  if (step >= HOUR) return `${Math.floor(ms / DAY)} d ${hours} h`;
  return `${Math.floor(ms / DAY)} d ${hours}:${two((ms % HOUR) / MINUTE)}${step < MINUTE ? `:${two((ms % MINUTE) / SECOND)}` : ""}`;
}

/** How many digits of a second tell two ticks apart. */
function digits(step) {
  if (step >= SECOND) return 0;
  return step < 10 ? 3 : step < 100 ? 2 : 1;
}

function two(value) {
  return String(Math.floor(value)).padStart(2, "0");
}

/** The view `factor` times as long around the time `at`, within `[least, most]` long. */
export function zoomed({ from, to }, factor, at, { least = 5, most }) {
  const length = Math.min(most, Math.max(least, (to - from) * factor));
  const share = (at - from) / (to - from);
  return { from: at - length * share, to: at + length * (1 - share) };
}
