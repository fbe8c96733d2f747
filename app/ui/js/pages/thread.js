// One thread: is it going well, where is it stuck and why, what did the agents say, what do I do now?
import { html, useLayoutEffect, useMemo } from "../lib/html.js";
import { useStyle } from "../lib/style.js";
import { shortId } from "../lib/words.js";
import { Loading, Missing, Wrong } from "../kit/faces.js";
import { lazy } from "../kit/lazy.js";
import { useTitle } from "../frame.js";
import { Header } from "./thread/header.js";
import { Panel } from "./thread/panel.js";
import { useSelectionKeys } from "./thread/selection.js";
import { Steps } from "./thread/steps.js";
import { threadOf } from "./thread/store.js";

// What lies below the first screen comes after it.
const Timeline = lazy(() => import("./thread/timeline.js"), "Timeline", { below: true });
const Versions = lazy(() => import("./thread/versions.js"), "Versions", { below: true });
const Log = lazy(() => import("./thread/log.js"), "Log", { below: true });

/** The selection is in the address: `step`, `run` (one step run), `v` and `w` (one version, and another to compare with), `tab`, `event`. */
export default function Thread({ parts: [id], query }) {
  const styled = useStyle("thread");
  const thread = useMemo(() => threadOf(id), [id]);
  useLayoutEffect(() => () => thread.stop(), [thread]); // also when it is left before it was painted
  const status = thread.status.value;
  useTitle(status ? `${status.status} · ${status.workflow ?? shortId(id)}` : shortId(id));
  if (!styled) return html`<${Loading} />`;
  const problem = thread.problem.value;
  if (!status && problem?.status === 404) return html`<${Missing} what="thread" why=${html`None has the id <code>${id}</code>: it was deleted, or it is on another database.`} />`;
  if (!status) return problem ? html`<${Wrong} problem=${problem} retry=${thread.reload} />` : html`<${Loading} />`;
  return html`<${Shown} thread=${thread} query=${query} />`;
}

function Shown({ thread, query }) {
  useSelectionKeys(thread, query);
  return html`
    <${Header} thread=${thread} query=${query} />
    <div class="thread-top"><${Steps} thread=${thread} query=${query} /><${Panel} thread=${thread} query=${query} /></div>
    <${Timeline} thread=${thread} query=${query} />
    <${Versions} thread=${thread} query=${query} />
    <${Log} thread=${thread} query=${query} />`;
}
