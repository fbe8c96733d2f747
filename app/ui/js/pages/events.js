// What happens: the events of all threads as they come, and the logs.
import { html } from "../lib/html.js";
import { go } from "../lib/route.js";
import { useStyle } from "../lib/style.js";
import { Loading } from "../kit/faces.js";
import { Tabs } from "../kit/tabs.js";
import { useTitle } from "../frame.js";
import Flow from "./events/flow.js";
import Logs from "./events/logs.js";

const TABS = [{ id: "events", label: "Events" }, { id: "logs", label: "Logs" }];
const SHARED = ["thread", "step", "agent"];

export default function Events({ query }) {
  const chosen = query.tab === "logs" ? "logs" : "events";
  useTitle(chosen === "logs" ? "Logs" : "Events");
  const styled = useStyle("events");
  const choose = (id) => {
    // What both can be filtered by is kept.
    const kept = Object.fromEntries(SHARED.filter((key) => query[key]).map((key) => [key, query[key]]));
    const text = new URLSearchParams({ ...(id === "logs" && { tab: "logs" }), ...kept }).toString();
    go(`/events${text ? `?${text}` : ""}`);
  };
  if (!styled) return html`<${Loading} />`;
  return html`<div class="head"><h1>Events</h1></div>
    <${Tabs} label="What happened" tabs=${TABS} chosen=${chosen} onChoose=${choose}>${(id) => html`<div class="events-page">${id === "logs"
      ? html`<${Logs} query=${query} />` : html`<${Flow} query=${query} />`}</div>`}<//>`;
}
