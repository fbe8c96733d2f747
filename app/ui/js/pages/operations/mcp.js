// The MCP servers whose tools steps can call: how each stands, and its tools.
import { html, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { plural } from "../../lib/words.js";
import { Button, CodeLine } from "../../kit/bits.js";
import { Empty, Face } from "../../kit/faces.js";
import { State } from "../../kit/marks.js";
import { JsonTree } from "../../kit/tree.js";

const STATE = { connected: "completed", connecting: "running", failed: "failed", idle: "pending" };
const ORDER = ["failed", "connecting", "connected", "idle"];

export default function Servers() {
  const found = useResource((signal) => get("/mcp/servers", { signal }), []);
  useEvery(10_000, found.reload, [found]);
  return html`<${Face} of=${found}>${({ servers }) => (servers.length === 0 ? html`<${First} />`
    : html`<div class="stack">${servers.toSorted((one, other) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status)).map((one) => html`<${Server}
      key=${one.name} one=${one} />`)}</div>`)}<//>`;
}

function Server({ one }) {
  const [open, setOpen] = useState(false);
  return html`<section class="sheet"><header><h2>${one.name}</h2><span class="tag">${one.kind}</span>
    <${State} state=${STATE[one.status]}>${one.status === "idle" ? "not asked yet" : one.status}<//>
      <div class="actions">${one.tools.length > 0
        && html`<${Button} kind="quiet small" aria-expanded=${open} onClick=${() => setOpen(!open)}>${plural(one.tools.length, "tool")}<//>`}</div></header>
    ${one.error && html`<div class="body"><p class="wrong">${one.error}</p>
      <p class="muted">Install what its command needs, or mend its entry in the file that MCP_SERVERS names; it is tried again by itself.</p></div>`}
    ${open && html`<div class="body stack">${one.tools.map((tool) => html`<div key=${tool.name}><h3 class="mono">${tool.name}</h3>
      <p class="muted">${tool.description}</p>
      <${JsonTree} value=${tool.input_schema} name=${tool.name} height=${220} tools=${false} /></div>`)}</div>`}
  </section>`;
}

function First() {
  return html`<${Empty} title="No MCP servers">
    <p>Steps can call tools of MCP servers. They are named in a file that the service reads at its start:</p>
    <${CodeLine} text="MCP_SERVERS=servers.json backstitch serve" /><//>`;
}
