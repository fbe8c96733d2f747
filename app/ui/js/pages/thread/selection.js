// What is chosen on the page of a thread. It stands in the address (`step`, `run`, `v`, `tab`), so that a reload shows the same,
// and graph, timeline, versions and log follow each other.
import { signal } from "../../lib/html.js";
import { useKeys } from "../../lib/keys.js";
import { setQuery } from "../../lib/route.js";

/** Whose question is to be answered now, `{step}`: its form takes the focus as soon as it is there. */
export const answering = signal(null);

/** Choose a step, or one run of it; null lets go. */
export function choose(step, run = null) {
  answering.value = null;
  setQuery({ step, run, tab: null });
}

/** Go to the first question of a step, and into its form. */
export function answer(step) {
  choose(step);
  answering.value = { step };
}

/** The ids of the steps in the order of the page. */
export function order(thread) {
  return (thread.status.value?.steps ?? []).map((step) => step.id);
}

/** j and k go through the steps, Escape lets go of what is chosen. */
export function useSelectionKeys(thread, query) {
  const move = (by) => {
    const ids = order(thread);
    const at = ids.indexOf(query.step);
    if (ids.length) choose(ids[Math.min(ids.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : ids.length - 1) : at + by))]);
  };
  useKeys("This thread", {
    j: { does: "next step", run: () => move(1) },
    k: { does: "previous step", run: () => move(-1) },
    Escape: { does: "let go of what is chosen", run: () => setQuery({ step: null, run: null, v: null, w: null, tab: null, event: null }) },
  }, [thread, query.step]);
}

/** `[` and `]` go through tabs. */
export function useTabKeys(tabs, chosen, onChoose) {
  const move = (by) => {
    const at = tabs.findIndex((tab) => tab.id === chosen);
    onChoose(tabs.at((at + by) % tabs.length).id);
  };
  useKeys("Tabs", {
    "[": { does: "previous tab", run: () => move(-1) },
    "]": { does: "next tab", run: () => move(1) },
  }, [tabs.map((tab) => tab.id).join(" "), chosen]);
}
