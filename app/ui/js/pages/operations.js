// Operations: is it well, and if not, what is to be done? Then queues, workers, the database, what comes by itself, the settings.
import { html, signal, useEffect } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { Loading, Wrong } from "../kit/faces.js";
import { Tabs } from "../kit/tabs.js";
import { useTitle } from "../frame.js";

const TABS = [
  { id: "health", label: "Health", load: () => import("./operations/health.js") },
  { id: "queues", label: "Queues", load: () => import("./operations/queues.js") },
  { id: "workers", label: "Workers", load: () => import("./operations/workers.js") },
  { id: "database", label: "Database", load: () => import("./operations/database.js") },
  { id: "schedules", label: "Schedules", load: () => import("./operations/schedules.js") },
  { id: "triggers", label: "Triggers", load: () => import("./operations/triggers.js") },
  { id: "webhooks", label: "Webhooks", load: () => import("./operations/webhooks.js") },
  { id: "mcp", label: "MCP servers", load: () => import("./operations/mcp.js") },
  { id: "settings", label: "Settings", load: () => import("./operations/settings.js") },
];

export default function Operations({ query }) {
  useTitle("Operations");
  const styled = useStyle("operations");
  const chosen = TABS.some((tab) => tab.id === query.tab) ? query.tab : "health";
  const choose = (id) => setQuery({ tab: id === "health" ? null : id, window: null }, { replace: false });
  const move = (by) => choose(TABS.at((TABS.findIndex((tab) => tab.id === chosen) + by) % TABS.length).id);
  useKeys("Operations", { "]": { does: "next part", run: () => move(1) }, "[": { does: "part before", run: () => move(-1) } }, [chosen]);
  if (!styled) return html`<${Loading} />`;
  return html`<div class="head"><h1>Operations</h1></div>
    <${Tabs} label="Parts of operations" tabs=${TABS} chosen=${chosen} onChoose=${choose}>${(id) => html`<div class="ops"><${Part} key=${id} tab=${TABS.find((tab) => tab.id === id)} query=${query} /></div>`}<//>`;
}

const loaded = signal({});

async function load(tab) {
  const found = await tab.load().catch((error) => error);
  loaded.value = { ...loaded.peek(), [tab.id]: found };
}

function Part({ tab, query }) {
  useEffect(() => { if (!loaded.peek()[tab.id]) load(tab); }, [tab.id]);
  const found = loaded.value[tab.id];
  if (found instanceof Error) return html`<${Wrong} problem=${found} what="This part could not be loaded" retry=${() => load(tab)} />`;
  return found ? html`<${found.default} query=${query} />` : html`<${Loading} />`;
}
