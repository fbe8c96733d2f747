// The state at a version: variables, what the steps gave, the input. Fetched when it is opened; a large one only when asked for.
import { html, signal, useState } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { bytes } from "../../../lib/words.js";
import { Button } from "../../../kit/bits.js";
import { Face } from "../../../kit/faces.js";
import { Tabs } from "../../../kit/tabs.js";
import { JsonTree } from "../../../kit/tree.js";

/** Above this a state is not fetched without being asked for. */
export const LARGE = 1_000_000;
const opened = signal(false); // stays as the reader had it, from one version to the next
const part = signal("context");
const PARTS = [{ id: "context", label: "Context" }, { id: "steps", label: "Steps" }, { id: "input", label: "Input" }, { id: "metadata", label: "About it" }];

export function StateOf({ thread, entry }) {
  const large = entry.size_bytes > LARGE;
  const [wanted, setWanted] = useState(false);
  if (!(large ? wanted : opened.value || wanted)) {
    const open = () => {
      setWanted(true);
      if (!large) opened.value = true;
    };
    return html`<div class="state-closed"><${Button} onClick=${open}>Show the state (${bytes(entry.size_bytes)})<//>
      ${large && html`<p class="muted small">It is large: fetching it may take a moment.</p>`}</div>`;
  }
  return html`<${Opened} thread=${thread} version=${entry.version} close=${() => { opened.value = false; setWanted(false); }} />`;
}

function Opened({ thread, version, close }) {
  const found = useResource((signal) => get(path`/invoke/history/${thread.id}/${version}`, { signal }), [thread.id, version]);
  return html`<div class="state-open"><${Face} of=${found} what="The state could not be read">${({ state }) => html`
    <${Tabs} label="Parts of the state" tabs=${PARTS} chosen=${part.value} onChoose=${(id) => { part.value = id; }}>
      ${(id) => html`<div class="state-part"><${JsonTree} key=${`${version}-${id}`} value=${state[id]} name=${id} height=${420} /></div>`}<//>`}<//>
    <${Button} kind="quiet small" onClick=${close}>Hide the state<//></div>`;
}
