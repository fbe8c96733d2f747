// The address bar is the state: which page, which thread, which step, which filters.
import { computed, signal } from "./html.js";

const here = signal(location.pathname + location.search);

/** The present place: `parts` of the path, unescaped, and `query` as a plain object. */
export const place = computed(() => {
  const url = new URL(here.value, location.origin);
  return {
    path: url.pathname,
    parts: url.pathname.split("/").filter(Boolean).map(unescaped),
    query: Object.fromEntries(url.searchParams),
  };
});

/** Go to an address of this page; with `replace` the way back does not lead here. */
export function go(address, { replace = false } = {}) {
  if (address === here.peek()) return;
  const leaves = new URL(address, location.origin).pathname !== location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  here.value = location.pathname + location.search;
  if (leaves && !replace) scrollTo(0, 0);
}

/** Change parts of the query, leave the others; null takes one away. */
export function setQuery(changes, { replace = true } = {}) {
  const url = new URL(here.peek(), location.origin);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  go(url.pathname + url.search, { replace });
}

/** Follow the browser's own ways: back, forward, and clicks on plain links of this page. */
export function startRouting() {
  addEventListener("popstate", () => { here.value = location.pathname + location.search; });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (/^\/(api|metrics|mcp|ui|langgraph)(\/|$)/.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
