// The frame around every page: where to go, what needs somebody, whether what is shown is live.
import { html, signal, useEffect, useRef } from "./lib/html.js";
import { get } from "./lib/api.js";
import { ahead } from "./lib/clock.js";
import { feedState, lastHeard, listen } from "./lib/feed.js";
import { useKeys } from "./lib/keys.js";
import { chooseTheme, theme } from "./lib/prefs.js";
import { go, place } from "./lib/route.js";
import { paced } from "./lib/pace.js";
import { duration, now, number } from "./lib/words.js";
import { Button } from "./kit/bits.js";
import { lazily } from "./kit/lazy.js";
import { Icon } from "./kit/marks.js";
import { Toasts } from "./kit/toast.js";

const NAV = [
  { page: "threads", label: "Threads", key: "t" },
  { page: "workflows", label: "Workflows", key: "w" },
  { page: "agents", label: "Agents", key: "a" },
  { page: "operations", label: "Operations", key: "o" },
  { page: "events", label: "Events", key: "e" },
];
const showKeys = lazily(() => import("./keys.js"), "showKeys");
const AGENTS_EVERY = 30_000;

const active = signal(null); // threads that run, wait or are about to
const broken = signal(0); // agents whose breakers are not closed

/** The whole page around `children`. */
export function Frame({ page, children }) {
  useCounts();
  useKeys("Everywhere", {
    "/": { does: "search or jump", run: () => document.querySelector("#search")?.focus() },
    "?": { does: "these keys", run: showKeys },
    ...Object.fromEntries(NAV.map((one) => [`g ${one.key}`, { does: `go to ${one.label}`, run: () => go(`/${one.page}`) }])),
  });
  const main = useRef(null);
  return html`<div class="frame">
    <a class="skip" href="#page" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>To the page</a>
    <header class="top"><a class="brand" href="/threads" aria-label="Backstitch"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 16h7m12 0h7" /><path d="M10 16c0-9 12-9 12 0s-12 9-12 0" /></svg><span>Backstitch</span></a>
      <div class="bar"><${Search} /><span class="space"></span><${Live} /><${Theme} /></div></header>
    <div class="rail"><nav aria-label="Pages">${NAV.map((one) => html`<a key=${one.page} href=${`/${one.page}`} aria-current=${page === one.page ? "page" : undefined}>
      <${Icon} name=${one.page} />${one.label}<${Count} page=${one.page} /></a>`)}</nav></div>
    <main class="page" id="page" tabindex="-1" ref=${main}>${children}</main>
    <${Toasts} />
  </div>`;
}

function Count({ page }) {
  if (page === "threads" && active.value?.count) return html`<span class="count" title="threads that run, wait or are about to">${number(active.value.count)}${active.value.more && "+"}</span>`;
  if (page === "agents" && broken.value) return html`<span class="count alarm" title="agents that get no work: disabled, or failing so often that they rest">!${broken.value}</span>`;
  return null;
}

function useCounts() {
  useEffect(() => {
    const threads = paced(async () => {
      const { counts, capped_at: most } = await get("/threads/counts").catch(() => ({ counts: null }));
      if (!counts) return;
      const some = [counts.running, counts.waiting, counts.pending];
      active.value = { count: some[0] + some[1] + some[2], more: some.some((one) => one >= most) };
    }, 2000);
    const agents = async () => {
      const found = await get("/breakers", { params: { limit: 1000 } }).catch(() => null);
      if (found) broken.value = found.breakers.filter((one) => one.state !== "closed").length;
    };
    const timer = setInterval(() => { if (!document.hidden) agents(); }, AGENTS_EVERY);
    agents();
    threads();
    const stop = listen({ onEvents: threads, onOpen: threads });
    return () => {
      stop();
      threads.stop();
      clearInterval(timer);
    };
  }, []);
}

function Live() {
  const state = feedState.value;
  const text = { live: "live", connecting: "connecting" }[state] ?? `reconnecting, last heard ${duration(now.value - ahead.peek() - lastHeard.value)} ago`;
  // Read out once when it changes, not each second.
  return html`<span class="visually-hidden" role="status">${state === "lost" ? "Reconnecting" : state === "live" ? "Live" : ""}</span>
    <span class="live" data-state=${state} aria-hidden=${state === "live" ? "true" : undefined} title=${state === "live" ? "What you see is what is." : "What you see may be old; it catches up by itself."}><i></i><span>${text}</span></span>`;
}

function Theme() {
  const next = { system: "light", light: "dark", dark: "system" }[theme.value];
  const icon = { system: "half", light: "sun", dark: "moon" }[theme.value];
  return html`<${Button} kind="quiet" icon=${icon} label=${`Theme: ${theme.value}. Change to ${next}`} onClick=${() => chooseTheme(next)} />`;
}

function Search() {
  const find = (event) => {
    event.preventDefault();
    const field = event.target.elements.search;
    const text = field.value.trim();
    if (!text) return;
    field.blur();
    jump(text);
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.target.value = "";
    event.target.blur();
  };
  return html`<form class="search" role="search" onSubmit=${find}>
    <input id="search" name="search" type="search" placeholder="Search or jump" aria-label="Search threads, or jump to an id" autocomplete="off" spellcheck=${false} onKeyDown=${onKeyDown} /><kbd>/</kbd>
  </form>`;
}

/** To the thread of exactly that id, else to the threads in which the text is found. */
async function jump(text) {
  const isId = /^[A-Za-z0-9._:-]{1,128}$/.test(text);
  const from = place.peek();
  const found = isId && (await get("/threads", { params: { ids: text } }).catch(() => null));
  if (place.peek() !== from) return; // the reader has gone elsewhere meanwhile
  go(found?.threads?.length ? `/threads/${encodeURIComponent(text)}` : `/threads?text=${encodeURIComponent(text)}`);
}

/** The title of the window, which also stands in the tab: "what · Backstitch". */
export function useTitle(what) {
  useEffect(() => { document.title = what ? `${what} · Backstitch` : "Backstitch"; }, [what]);
}

