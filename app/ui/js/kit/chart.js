// Series over time, drawn by uPlot in the colours of the page; and the same values as a table for who cannot see it.
import { html, signal, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { theme } from "../lib/prefs.js";
import { useStyle } from "../lib/style.js";
import { clock, duration, money, number, span } from "../lib/words.js";
import { Button } from "./bits.js";

const WORDS = { ms: duration, usd: money, count: (value) => number(Math.round(value * 100) / 100), share: (value) => (value === null ? "–"
  : `${Math.round(value * 1000) / 10} %`) };
const decades = (from, to) => Array.from({ length: to - from }, (_, at) => [1, 2, 5].map((one) => Number(`${one}e${from + at}`))).flat();
// From line to line of a grid: such steps that each line can be named exactly, and no two by the same words.
export const STEPS = {
  count: decades(0, 13), usd: decades(-4, 9), share: decades(-4, 1),
  ms: [...decades(0, 4), 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5, 1728e5, 432e6, 864e6],
};
const LEAST = { ms: 1, usd: 0.001, count: 1, share: 0.01 };
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact" });
const DAY = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
const lib = signal(null);
const dark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);
dark.addEventListener("change", () => { systemDark.value = dark.matches; });

let tries = 0;

/** Fetch what draws, unless it is there; after a failure (the service is away) with the next values, by an address that is not held to have failed. */
function fetchLib() {
  if (lib.peek()) return;
  import(`../../vendor/uplot.js${tries ? `?again=${tries}` : ""}`).then((found) => { lib.value = found.default; }, () => { tries += 1; });
}

/** A value of a unit ("ms", "usd", "count", "share") in words. */
export function worded(value, unit) {
  return value === null || value === undefined ? "–" : (WORDS[unit] ?? WORDS.count)(value);
}

/** The name of a line of the grid, one of those that are `step` apart. */
export function lineOf(value, unit, step) {
  if (value === 0) return "0";
  if (unit === "ms") return value < 60_000 ? duration(value) : span(value);
  if (unit === "usd") return `$${step >= 1 ? short(value, step) : value.toFixed(Math.max(2, -Math.floor(Math.log10(step) + 1e-9)))}`;
  return unit === "share" ? `${Number((value * 100).toFixed(2))} %` : short(value, step);
}

const short = (value, step) => (step < 1e5 ? number(value) : SHORT.format(value));

/** What a series tells, in words: for who cannot see its line. */
function gistOf(one, unit) {
  const there = one.points.filter((point) => point.value !== null);
  if (!there.length) return `${one.label}: nothing`;
  const most = there.reduce((best, point) => (point.value > best.value ? point : best));
  const total = unit === "ms" || unit === "share" ? null : there.reduce((sum, point) => sum + point.value, 0);
  return `${one.label}: ${total === null ? "" : `${worded(total, unit)} in all, `}at most ${worded(most.value, unit)}${most.value > 0
    ? ` at ${clock(most.at).slice(0, -7)}` : ""}, last ${worded(there.at(-1).value, unit)}`;
}

/**
 * `series` are `{label, points: [{at, value}], color}` over the same times, `color` the name of a token ("running"); a series with
 * `bars` is drawn as bars. `unit` is ms, usd, count or share; `label` says what the chart tells. Null values are gaps.
 */
export function Chart({ series, unit = "count", label, height = 140, note }) {
  const styled = [useStyle("chart"), useStyle("../vendor/uplot")].every(Boolean);
  const [table, setTable] = useState(false);
  const [at, setAt] = useState(null);
  useEffect(fetchLib, [series]);
  const times = series[0].points.map((point) => point.at);
  const values = useMemo(() => series.map((one) => one.points.map((point) => point.value)), [series]);
  const nothing = values.every((column) => column.every((value) => value === null || value === 0));
  const gist = useMemo(() => series.map((one) => gistOf(one, unit)).join("; "), [series, unit]);
  const shown = at === null || at >= times.length ? null : at;
  return html`<figure class="chart" aria-label=${label}>
    <figcaption><span class="name">${label}</span>
      <span class="legend">${shown !== null
        && html`<time class="faint">${clock(times[shown]).slice(0, -7)}</time>`}${series.map((one, index) => html`<span key=${one.label} class="series">
        <i style=${{ background: `var(--${one.color ?? "running"})` }}></i>${one.label} <b>${shown === null
          ? "" : worded(values[index][shown], unit)}</b></span>`)}</span>
      <${Button} kind="quiet small" aria-pressed=${table} onClick=${() => setTable(!table)} aria-label=${`${label} as a table`}>${table
        ? "Chart" : "Table"}<//></figcaption>
    ${!nothing && html`<p class="visually-hidden">${gist}</p>`}
    ${table ? html`<${Values} series=${series} times=${times} values=${values} unit=${unit} height=${height} label=${label} />`
      : nothing ? html`<p class="nothing faint" style=${{ height: `${height}px` }}>${note ?? "Nothing in this time"}</p>`
      : styled && lib.value ? html`<${Plot} Plotter=${lib.value} series=${series} values=${values} times=${times} unit=${unit} height=${height} onAt=${setAt} />`
      : html`<div style=${{ height: `${height}px` }}></div>`}
  </figure>`;
}

function Values({ series, times, values, unit, height, label }) {
  return html`<div class="values" style=${{ maxHeight: `${height}px` }} tabindex="0" role="region" aria-label=${`${label}, values`}><table><thead><tr>
    <th>Time</th>${series.map((one) => html`<th class="num" key=${one.label}>${one.label}</th>`)}</tr></thead>
    <tbody>${times.map((_, back) => times.length - 1 - back).map((row) => html`<tr key=${times[row]}>
      <td>${clock(times[row]).slice(0, -7)}</td>${values.map((column, index) => html`<td class="num"
        key=${index}>${worded(column[row], unit)}</td>`)}</tr>`)}</tbody></table></div>`;
}

function Plot({ Plotter, series, values, times, unit, height, onAt }) {
  const box = useRef(null);
  const plot = useRef(null);
  const look = `${theme.value}${systemDark.value}`;
  const shape = series.map((one) => `${one.label}${one.color}${one.bars}`).join();
  const data = () => [times.map((one) => Date.parse(one) / 1000), ...values];
  useEffect(() => {
    const node = box.current;
    const width = () => Math.max(120, node.clientWidth);
    plot.current = new Plotter(optionsOf(Plotter, series, unit, width(), height, onAt), data(), node);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: width(), height }));
    observer.observe(node);
    return () => {
      observer.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [look, shape, unit, height]);
  useEffect(() => plot.current?.setData(data()), [values]);
  return html`<div class="plot" ref=${box} style=${{ height: `${height}px` }} aria-hidden="true"></div>`;
}

function optionsOf(Plotter, series, unit, width, height, onAt) {
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  const font = `11px ${token("sans")}`;
  const axis = { stroke: token("ink-3"), font, ticks: { show: false }, border: { show: false } };
  return {
    width, height,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    hooks: { setCursor: [(plot) => onAt(plot.cursor.idx ?? null)] },
    scales: { x: { time: true, range: (plot, least, most) => [least - halfStep(plot), most + halfStep(plot)] }, y: { range: (_plot, _least,
      most) => [0, Math.max(most, LEAST[unit]) * 1.08] } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 26, values: (_plot, splits, _index, _space, step) => splits.map((one) => stamp(one, step)) },
      { ...axis, grid: { stroke: token("line"), width: 1 }, size: 64, space: 30, gap: 6, incrs: STEPS[unit],
        values: (_plot, splits, _index, _space, step) => splits.map((one) => lineOf(one, unit, step)) },
    ],
    series: [{}, ...series.map((one) => {
      const color = token(one.color ?? "running");
      const bars = one.bars ? { paths: Plotter.paths.bars({ size: [0.7, 14] }), fill: color, width: 0 } : { width: 1.5 };
      return { label: one.label, stroke: color, spanGaps: false, points: { show: !one.bars, size: 4, width: 0, fill: color, filter: alone }, ...bars };
    })],
  };
}

/** Room for the first bar and the last. */
function halfStep(plot) {
  const [times] = plot.data;
  return times.length > 1 ? (times[1] - times[0]) / 2 : 30;
}

/** The points with nothing on either side, which no line would show. */
function alone(plot, index) {
  const column = plot.data[index];
  const held = [];
  for (let at = 0; at < column.length; at += 1) if (column[at] !== null && (column[at - 1] ?? null) === null && (column[at + 1] ?? null) === null) held.push(at);
  return held;
}

function stamp(seconds, step) {
  const when = new Date(seconds * 1000);
  const two = (value) => String(value).padStart(2, "0");
  const midnight = when.getHours() === 0 && when.getMinutes() === 0;
  return step >= 86_400 || midnight ? DAY.format(when) : `${two(when.getHours())}:${two(when.getMinutes())}`;
}

/** A tiny line of values, null a gap; it says nothing that does not stand beside it. */
export function Spark({ values, width = 80, height = 18, color = "running" }) {
  const most = Math.max(0, ...values.filter((value) => value !== null));
  if (!values.length || most === 0) return html`<svg class="spark" width=${width} height=${height} aria-hidden="true"></svg>`;
  const x = (index) => (values.length < 2 ? width / 2 : 1 + (index * (width - 2)) / (values.length - 1));
  const y = (value) => height - 2 - (value / most) * (height - 4);
  let path = "";
  const alones = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const joined = index > 0 && values[index - 1] !== null;
    if (!joined && (values[index + 1] ?? null) === null) return void alones.push(index);
    path += `${joined ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return html`<svg class="spark" width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} aria-hidden="true">
    <path d=${path} style=${{ stroke: `var(--${color})` }} />
    ${alones.map((index) => html`<circle key=${index} cx=${x(index)} cy=${y(values[index])} r="1.3" style=${{ fill: `var(--${color})` }} />`)}</svg>`;
}
