// The list of threads: is it going well, and which of them needs somebody?
import { html, useEffect, useLayoutEffect, useMemo, useRef, useSignal, useState } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { go, setQuery } from "../lib/route.js";
import { plural } from "../lib/words.js";
import { Button, CodeLine } from "../kit/bits.js";
import { Empty, Loading, Wrong } from "../kit/faces.js";
import { List } from "../kit/list.js";
import { RESUMABLE } from "../kit/marks.js";
import { complain } from "../kit/toast.js";
import { useTitle } from "../frame.js";
import { Bulk } from "./threads/bulk.js";
import { Filters, filtersOf } from "./threads/filters.js";
import { Row, resume } from "./threads/row.js";
import { threadList } from "./threads/store.js";
import { useStyle } from "../lib/style.js";

export default function Threads({ query }) {
  useTitle("Threads");
  const styled = useStyle("threads");
  const filters = useMemo(() => filtersOf(query), [query.status, query.workflow, query.text, query.time, query.children]);
  const list = useMemo(() => threadList(filters), [filters]);
  useLayoutEffect(() => () => list.stop(), [list]); // also when it is left before it was painted
  const cursor = useSignal(null); // the id of the row that keys mean
  const body = useRef(null);
  const height = useRowHeight();
  useEffect(() => { cursor.value = null; }, [list]);
  useEffect(() => list.watch(() => [...body.current?.querySelectorAll("[data-thread]") ?? []].map((node) => node.dataset.thread)), [list]);

  const rows = list.rows.value;
  const index = () => list.rows.peek().findIndex((row) => row.id === cursor.peek());
  const at = () => list.rows.peek()[index()];
  const move = (by) => {
    const next = Math.max(0, Math.min(list.rows.peek().length - 1, index() + by));
    const id = list.rows.peek()[next]?.id ?? null;
    cursor.value = id;
    // At once, for Enter may come before the next frame, and opens the link that has the focus; or once it is drawn.
    const reach = () => { const link = body.current?.querySelector(`a.open[data-thread="${CSS.escape(id)}"]`); link?.focus({ preventScroll: true }); return link; };
    if (id !== null && !reach()) requestAnimationFrame(reach);
  };
  useKeys("Threads", {
    j: { does: "next thread", run: () => move(1) },
    k: { does: "thread before", run: () => move(-1) },
    Enter: { does: "open it", run: () => at() && go(`/threads/${encodeURIComponent(at().id)}`) },
    o: { does: "open it", run: () => at() && go(`/threads/${encodeURIComponent(at().id)}`) },
    x: { does: "select it", run: () => at() && list.pick([at().id], !list.picked.peek().has(at().id)) },
    r: { does: "resume it", run: () => at() && RESUMABLE.has(at().entry.peek().status) && resume(list, [at().id]) },
    f: { does: "filter by text", run: () => document.querySelector("#filter-text")?.focus() },
    n: { does: "start a workflow", run: () => go("/start") },
    Escape: { does: "clear the selection", run: () => { if (list.picked.peek().size) list.picked.value = new Set(); else cursor.value = null; } },
  });

  const asked = query.questions === "open";
  const filtered = Object.values(filters).some(Boolean);
  if (!styled) return html`<${Loading} />`;
  return html`
    <div class="head"><h1>Threads</h1><div class="actions">
      <button type="button" class="button" aria-pressed=${asked} onClick=${() => setQuery({ questions: asked ? null : "open" })}>Open questions</button>
      <a class="button main" href="/start">Start a workflow</a></div></div>
    ${asked && html`<${Questions} />`}
    <${Filters} query=${query} counts=${list.counts.value} />
    <${Bulk} list=${list} />
    ${list.empty.value && !list.problem.value && (filtered ? html`<${Nothing} />` : html`<${First} />`)}
    ${list.held.value.length > 0 && html`<button type="button" class="button held" onClick=${() => { scrollTo(0, 0); list.showHeld(); }}>${plural(list.held.value.length, "new thread")}</button>`}
    <div class="threads" ref=${body}>
      <${List} rows=${rows} keyOf=${(row) => row.id} height=${height} label="Threads" selected=${cursor.value === null ? -1 : index()} onTop=${(is) => list.top(is)} onRange=${list.seen} onEnd=${() => list.load()}
        draw=${(row, { selected }) => html`<${Row} row=${row} list=${list} cursor=${selected} />`} />
    </div>
    ${list.problem.value && html`<${Wrong} problem=${list.problem.value} retry=${rows.length ? list.load : list.again} what=${rows.length ? "Older threads could not be listed" : undefined} />`}
    ${list.loading.value && html`<${Loading} />`}`;
}

/** The questions that wait for somebody, of all threads; fetched when they are wanted, for they bring their forms along. */
function Questions() {
  const [found, setFound] = useState(null);
  useEffect(() => {
    import("./thread/gate.js").then((module) => setFound(module), (error) => complain(error, "Open questions"));
  }, []);
  return found ? html`<${found.OpenGates} quiet=${false} />` : html`<${Loading} />`;
}

function useRowHeight() {
  const narrow = useMemo(() => matchMedia("(max-width: 900px)"), []);
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const change = () => setIs(narrow.matches);
    narrow.addEventListener("change", change);
    return () => narrow.removeEventListener("change", change);
  }, []);
  return is ? 64 : 37;
}

function Nothing() {
  return html`<${Empty} title="No thread matches"><p>Take a filter away, or look at <a class="link" href="/threads">all threads</a>.</p>
    <${Button} onClick=${() => setQuery({ status: null, workflow: null, text: null, time: null, children: null })}>Clear the filters<//><//>`;
}

function First() {
  const line = `curl -s ${location.origin}/api/invoke/async -d '{"workflow": "content-strategy", "input": {"paths": ["docs"]}}'`;
  return html`<${Empty} title="No threads yet">
    <p>A thread is one run of a workflow. Start the first one with a form, or from a terminal:</p>
    <${CodeLine} text=${line} /><a class="button main" href="/start">Start a workflow</a><//>`;
}
