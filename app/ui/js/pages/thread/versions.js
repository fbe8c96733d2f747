// The versions of a thread: the tree of its timelines, the version that is chosen, or the two that are compared.
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { useKeys } from "../../lib/keys.js";
import { setQuery } from "../../lib/route.js";
import { useStyle } from "../../lib/style.js";
import { plural, shortId } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { Face, Loading } from "../../kit/faces.js";
import { lazy } from "../../kit/lazy.js";
import { editContext, fork, rollback } from "./later.js";
import { before, detailsOf } from "./versions/details.js";
import { neighbour, shapeOf } from "./versions/shape.js";
import { Tree } from "./versions/tree.js";

const Came = lazy(() => import("./versions/came.js"), "Came");
const Compared = lazy(() => import("./versions/compared.js"), "Compared");
const Version = lazy(() => import("./versions/version.js"), "Version");

export function Versions({ thread, query }) {
  const styled = useStyle("versions");
  return html`<section class="sheet versions" aria-labelledby="versions">
    <${Face} of=${thread.tree} what="The versions could not be read">${(tree) => (styled ? html`<${All} thread=${thread} tree=${tree} query=${query} />` : html`<${Loading} />`)}<//>
  </section>`;
}

function All({ thread, tree, query }) {
  const details = useMemo(() => detailsOf(thread.id), [thread]);
  useEffect(() => () => details.stop(), [details]);
  const shape = useMemo(() => shapeOf(tree), [tree]);
  const [second, setSecond] = useState(false); // whether the next one that is chosen is the one to compare with
  const chosen = known(shape, query.v);
  const other = chosen === null ? null : known(shape, query.w);
  useEffect(() => details.want([chosen, other, shape.head].filter((one) => one !== null), shape.last));

  const choose = (version, compare) => {
    if ((compare || second) && chosen !== null && version !== chosen) setQuery({ w: version === other ? null : version });
    else setQuery({ v: version === chosen && other === null ? null : version, w: null });
    setSecond(false);
  };
  const compareWith = (version, earlier) => { if (earlier && earlier !== version) setQuery({ v: earlier, w: version }); };
  const actions = {
    d: (version) => compareWith(version, before(details.entries.peek(), version) ?? neighbour(shape, version, "ArrowLeft")),
    b: (version) => rollback(thread, version),
    f: (version) => fork(thread, version),
    e: (version) => editContext(thread, version),
    Escape: () => { setQuery({ v: null, w: null }); setSecond(false); },
  };
  const at = () => chosen ?? shape.head;
  useKeys("Versions", {
    v: { does: "to the tree of versions; arrows move in it, Enter chooses, Shift Enter chooses a second", run: toTree },
    d: { does: "what changed from the version before to the chosen one", run: () => actions.d(at()) },
  }, [thread, chosen, shape]);

  if (!shape.segments.length) return html`<header><h2 id="versions">Versions</h2></header><p class="body muted">No version yet: the first is written when the thread is taken up.</p>`;
  return html`
    <header><h2 id="versions">Versions</h2><span class="muted">${summary(tree, shape)}</span><${Origin} tree=${tree} />
      <span class="actions small faint">${second ? html`Choose the one to compare with. <${Button} kind="small quiet" onClick=${() => setSecond(false)}>Never mind<//>` : html`<span class="tree-hint">click chooses · shift-click compares</span>`}</span></header>
    <${Tree} tree=${tree} details=${details} chosen=${chosen} other=${other} expected=${(thread.status.value?.steps.length ?? 0) + 2} onChoose=${choose} actions=${actions} />
    ${cameOf(tree) && html`<${Came} thread=${thread} tree=${tree} />`}
    ${other !== null && html`<${Compared} key=${`${chosen}-${other}`} thread=${thread} from=${chosen} to=${other} details=${details} />`}
    ${other === null && chosen !== null && html`<${Version} key=${chosen} thread=${thread} version=${chosen} shape=${shape} details=${details} onCompare=${() => { setSecond(true); toTree(); }} />`}`;
}

/** Whether other threads came of this one. */
function cameOf(tree) {
  return [tree.forks, tree.replays, tree.children].some((list) => list.length);
}

function toTree() {
  const box = document.querySelector(".tree-box");
  box?.scrollIntoView({ block: "nearest" });
  box?.querySelector('[data-version][tabindex="0"]')?.focus({ preventScroll: true });
}

function known(shape, text) {
  const version = Number(text);
  return Number.isInteger(version) && shape.find(version) ? version : null;
}

function summary(tree, shape) {
  const lines = shape.lanes - (shape.stub?.turns ? 1 : 0);
  const many = lines > 1 ? ` on ${plural(lines, "timeline")}` : "";
  const more = tree.next_cursor ? "; the latest timelines are not shown" : "";
  return `${plural(shape.last, "version")}${many}, the head is v${shape.head}${more}`;
}

/** Where the thread comes from itself. */
function Origin({ tree: { forked_from: fork_, replay_of: replay, parent } }) {
  const link = (id, query = "") => html`<a class="link" href=${`/threads/${encodeURIComponent(id)}${query}`}>${shortId(id)}</a>`;
  if (fork_) return html`<span class="muted">· forked from v${fork_.version} of ${link(fork_.thread_id, `?v=${fork_.version}`)}</span>`;
  if (replay) return html`<span class="muted">· replays ${replay.step_id} of ${link(replay.thread_id)}</span>`;
  if (parent) return html`<span class="muted">· started by ${parent.step_id ? `step ${parent.step_id} of ` : ""}${link(parent.thread_id)}</span>`;
  return null;
}
