// Operations: is it well, and if not, what is to be done? Then queues, workers, the database, what comes by itself, the settings.
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { setQuery } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { Loading } from "../kit/faces.js";
import { Tabs } from "../kit/tabs.js";
import { useTitle } from "../frame.js";
import Health from "./operations/health.js";
import Queues from "./operations/queues.js";
import Workers from "./operations/workers.js";
import Database from "./operations/database.js";
import Schedules from "./operations/schedules.js";
import Triggers from "./operations/triggers.js";
import Webhooks from "./operations/webhooks.js";
import Servers from "./operations/mcp.js";
import Settings from "./operations/settings.js";

const TABS = [
  { id: "health", label: "Health", Part: Health },
  { id: "queues", label: "Queues", Part: Queues },
  { id: "workers", label: "Workers", Part: Workers },
  { id: "database", label: "Database", Part: Database },
  { id: "schedules", label: "Schedules", Part: Schedules },
  { id: "triggers", label: "Triggers", Part: Triggers },
  { id: "webhooks", label: "Webhooks", Part: Webhooks },
  { id: "mcp", label: "MCP servers", Part: Servers },
  { id: "settings", label: "Settings", Part: Settings },
];

export default function Operations({ query }) {
  useTitle("Operations");
  const styled = useStyle("operations");
  const chosen = TABS.some((tab) => tab.id === query.tab) ? query.tab : "health";
  const choose = (id) => setQuery({ tab: id === "health" ? null : id, window: null, text: null }, { replace: false });
  const move = (by) => choose(TABS.at((TABS.findIndex((tab) => tab.id === chosen) + by) % TABS.length).id);
  useKeys("Operations", { "]": { does: "next part", run: () => move(1) }, "[": { does: "part before", run: () => move(-1) } }, [chosen]);
  const { Part } = TABS.find((tab) => tab.id === chosen);
  if (!styled) return html`<${Loading} />`;
  return html`<div class="head"><h1>Operations</h1></div>
    <${Tabs} label="Parts of operations" tabs=${TABS} chosen=${chosen} onChoose=${choose}>
      ${(id) => html`<div class="ops"><${Part} key=${id} query=${query} /></div>`}<//>`;
}
