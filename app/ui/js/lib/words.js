// Times, durations, money and sizes as people read them. Pure functions; `null` is shown as a dash.
import { ahead, serviceNow } from "./clock.js";
import { signal } from "./html.js";

const DASH = "–";
const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const NUMBER = new Intl.NumberFormat("en-US");
const CENTS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** Milliseconds since 1970 by the service's clock, once a second while somebody looks. */
export const now = signal(serviceNow());
const tick = () => { if (!document.hidden) now.value = serviceNow(); };
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
ahead.subscribe(tick);

/** "<1 ms", "1.2 s", "3 min 04 s", "2 h 05 min"; of milliseconds. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return DASH;
  if (ms <= 0) return "0 ms";
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** A length of time that somebody has set, without what is zero of it: "1 min", "2 h", "90 s", "500 ms"; of milliseconds. */
export function span(ms) {
  if (ms === null || ms === undefined) return DASH;
  const [size, unit] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]].find(([each]) => ms >= each && ms % each === 0) ?? [1, "ms"];
  return `${NUMBER.format(ms / size)} ${unit}`;
}

/** "now", "12 s ago", "3 min ago", "2 h ago", "5 d ago"; "in 12 s" for what is to come. */
export function ago(at, from = now.value) {
  if (!at) return DASH;
  const seconds = Math.round((from - Date.parse(at)) / 1000);
  const away = Math.abs(seconds);
  if (away < 2) return "now";
  const [size, unit] = away < 60 ? [1, "s"] : away < 3600 ? [60, "min"] : away < 48 * 3600 ? [3600, "h"] : [86_400, "d"];
  const text = `${Math.floor(away / size)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** The exact time, in the reader's zone, with the one that is stored. */
export function exact(at) {
  if (!at) return "";
  const when = new Date(at);
  return Number.isNaN(when.getTime()) ? String(at) : `${LONG.format(when)} (${at})`;
}

/** "14:03:27.123" in the reader's zone, with the day when it is not today. */
export function clock(at) {
  if (!at) return DASH;
  const when = new Date(at);
  const time = `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, "0")}`;
  const today = new Date(now.peek()).toDateString() === when.toDateString();
  return today ? time : `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ${time}`;
}

/** "$1.25"; below a cent in tenths of one: "$0.003". */
export function money(usd) {
  if (usd === null || usd === undefined) return DASH;
  if (usd === 0) return "$0";
  if (usd < 0.0005) return "<$0.001";
  return `$${usd < 0.0095 ? usd.toFixed(3) : CENTS.format(usd)}`;
}

/** "2,318". */
export function number(value) {
  return value === null || value === undefined ? DASH : NUMBER.format(value);
}

/** "812 B", "4.1 kB", "5.2 MB". */
export function bytes(count) {
  if (count === null || count === undefined) return DASH;
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let size = count / 1000;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${units[unit]}`;
}

/** "1 step", "3 steps". */
export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** An id that can be told from others at a glance: its first and last characters. */
export function shortId(id) {
  return id && id.length > 16 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id;
}

function two(value) {
  return String(value).padStart(2, "0");
}
