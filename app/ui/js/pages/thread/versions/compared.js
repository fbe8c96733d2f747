// Two versions side by side: in a sentence what changed, and then each change.
import { html, useState } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { setQuery } from "../../../lib/route.js";
import { bytes, exact, plural } from "../../../lib/words.js";
import { Ago, Button } from "../../../kit/bits.js";
import { Diff } from "../../../kit/diff.js";
import { Face } from "../../../kit/faces.js";
import { Patch } from "./patch.js";
import { LARGE } from "./state.js";

export function Compared({ thread, from, to, details }) {
  const sizes = [from, to].map((one) => details.entries.value.get(one)?.size_bytes);
  const known = sizes.every((one) => one !== undefined);
  const small = sizes[0] + sizes[1] <= LARGE;
  const [wanted, setWanted] = useState(false);
  return html`<div class="version compared" role="region" aria-label=${`Version ${from} against version ${to}`}>
    <div class="version-head"><h3><span class="mono">v${from}</span> against <span class="mono">v${to}</span></h3>
      <${Button} kind="small" onClick=${() => setQuery({ v: to, w: from })}>The other way round<//>
      <${Button} kind="small quiet" onClick=${() => setQuery({ w: null })}>Only v${from}<//>
      <${Button} kind="small quiet" onClick=${() => setQuery({ v: to, w: null })}>Only v${to}<//>
      <${Button} kind="quiet small" icon="close" label="Close the comparison" onClick=${() => setQuery({ v: null, w: null })} /></div>
    ${known && (small || wanted) && html`<${Changes} thread=${thread} from=${from} to=${to} small=${small} sizes=${sizes} />`}
    ${known && !small && !wanted && html`<div><${Button} onClick=${() => setWanted(true)}>Show what changed<//></div><p class="muted small">The two states are large (${sizes.map(bytes).join(" and ")}): comparing them may take a moment.</p>`}
  </div>`;
}

function Changes({ thread, from, to, small, sizes }) {
  const state = (version, signal) => get(path`/invoke/history/${thread.id}/${version}`, { signal }).then((found) => found.state);
  const found = useResource(async (signal) => {
    const [diff, before, after] = await Promise.all([
      get(path`/invoke/history/${thread.id}/diff`, { params: { from, to }, signal }),
      small ? state(from, signal) : null,
      small ? state(to, signal) : null,
    ]);
    return { diff, before, after };
  }, [thread.id, from, to, small]);
  return html`<${Face} of=${found} what="The two cannot be compared">${({ diff, before, after }) => html`
    <p class="compared-sum">${sentence(diff)}</p>
    <div class="compared-sides"><${Side} moment=${diff.from} size=${sizes[0]} /><${Side} moment=${diff.to} size=${sizes[1]} /></div>
    ${!diff.patch.length ? html`<p class="muted">The two states are the same.</p>`
      : small ? html`<${Diff} from=${plain(before)} to=${plain(after)} names=${[`v${from}`, `v${to}`]} />`
      : html`<p class="muted small">The states are too large to lay side by side: these are the changes alone.</p><${Patch} patch=${diff.patch} />`}`}<//>`;
}

/** Without what a version says of itself: that stands above. */
function plain({ input, context, steps }) {
  return { context, steps, input };
}

function Side({ moment, size }) {
  return html`<p><b class="mono">v${moment.version}</b> <strong>${moment.current_step}</strong> <span class="muted" title=${exact(moment.created_at)}><${Ago} at=${moment.created_at} />, ${bytes(size)}${moment.on_timeline ? "" : ", left behind"}</span></p>`;
}

function sentence({ changed }) {
  const told = [];
  if (changed.context.length) told.push(`${plural(changed.context.length, "variable")} (${few(changed.context)})`);
  if (changed.steps.length) told.push(`${plural(changed.steps.length, "step")} (${few(changed.steps)})`);
  if (changed.input) told.push("the input");
  return told.length ? `Not the same: ${told.join(", ")}.` : "Variables, steps and input are the same.";
}

function few(list) {
  return list.length > 5 ? `${list.slice(0, 4).join(", ")} and ${list.length - 4} more` : list.join(", ");
}
