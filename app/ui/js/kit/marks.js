// The marks of states: a shape and a colour each, so that neither is needed alone; and the small drawings of buttons.
import { html } from "../lib/html.js";

const SHAPES = {
  pending: html`<circle cx="8" cy="8" r="5.5" stroke-dasharray="2.4 2.2" />`,
  running: html`<circle cx="8" cy="8" r="5.5" /><circle class="solid" cx="8" cy="8" r="3" />`,
  retrying: html`<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5V5h-2.5" />`,
  waiting: html`<circle cx="8" cy="8" r="5.5" /><path class="solid" d="M8 8V4a4 4 0 0 1 4 4Z" />`,
  paused: html`<path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.4" />`,
  completed: html`<path d="m3 8.5 3.4 3.5L13 4.5" stroke-width="2" />`,
  failed: html`<path d="m4 4 8 8m0-8-8 8" stroke-width="2" />`,
  interrupted: html`<path d="M8 2.5v6.5" stroke-width="2.2" /><circle class="solid" cx="8" cy="12.7" r="1.3" />`,
  cancelled: html`<circle cx="8" cy="8" r="5.5" /><path d="m4.2 11.8 7.6-7.6" />`,
  skipped: html`<path d="M3 8h7m-2.5-3L11 8l-3.5 3M13.2 4v8" />`,
};

const ICONS = {
  close: "m4 4 8 8m0-8-8 8",
  copy: "M6 6h7v7H6zM3 10V3h7",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  down: "m4 6 4 4 4-4",
  up: "m4 10 4-4 4 4",
  right: "m6 4 4 4-4 4",
  left: "m10 4-4 4 4 4",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  search: "M7 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9Zm3.3-1.2L14 14",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z",
  half: "M8 2.5a5.5 5.5 0 1 0 0 11Zm0 0a5.5 5.5 0 0 1 0 11",
  play: "M5 3.5v9l7.5-4.5Z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  stop: "M4 4h8v8H4z",
  back: "M6 3 2.5 6.5 6 10M3 6.5h6a4 4 0 0 1 0 8H7",
  fork: "M4 2.5v11M4 9c0-3 8-1 8-5.5M10 5l2-2 2 2",
  edit: "m3 13 .6-2.6L11 3l2 2-7.4 7.4ZM9.5 4.5l2 2",
  download: "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10",
  threads: "M2 4h12M2 8h12M2 12h7",
  workflows: "M2.5 3h4v3.5h-4zM9.5 9.5h4V13h-4zM4.5 6.5v4.7h5M6.5 4.7h5v4.8",
  agents: "M8 8a2.7 2.7 0 1 0 0-5.4A2.7 2.7 0 0 0 8 8Zm-5 5.5c.4-2.6 2.3-3.8 5-3.8s4.6 1.2 5 3.8",
  operations: "M2 12.5 5.5 8l3 2.5L14 3.5M2 14.5h12",
  events: "M3 3.5h.01M3 8h.01M3 12.5h.01M6 3.5h8M6 8h8M6 12.5h8",
};

/** The mark of a state; with `label` it tells it to who cannot see it. */
export function Mark({ state, label }) {
  const told = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<svg class="mark" viewBox="0 0 16 16" data-state=${state} ...${told}>${SHAPES[state] ?? SHAPES.pending}</svg>`;
}

/** The mark and its word. */
export function State({ state, children }) {
  return html`<span class="state" data-state=${state}><${Mark} state=${state} />${children ?? state}</span>`;
}

/** A small drawing by its name; it says nothing itself. */
export function Icon({ name }) {
  return html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
}

export const STATES = ["running", "waiting", "pending", "paused", "failed", "interrupted", "completed", "cancelled"];
/** Those in which a thread has not ended. */
export const OPEN = new Set(["pending", "running", "waiting", "paused"]);
/** Those that resume goes on from. */
export const RESUMABLE = new Set(["failed", "interrupted", "cancelled", "paused"]);
