// Where the page begins: the frame, and in it the page that the address names, fetched when it is first wanted.
import { html, render, signal, useEffect, useErrorBoundary } from "./lib/html.js";
import { startFeed, whenBack } from "./lib/feed.js";
import { startKeys } from "./lib/keys.js";
import { own } from "./lib/own.js";
import { place, startRouting } from "./lib/route.js";
import { Empty, Loading, Wrong } from "./kit/faces.js";
import { Frame } from "./frame.js";

const PAGES = {
  threads: () => import("./pages/threads.js"),
  thread: () => import("./pages/thread.js"),
  workflows: () => import("./pages/workflows.js"),
  workflow: () => import("./pages/workflow.js"),
  start: () => import("./pages/start.js"),
  agents: () => import("./pages/agents.js"),
  agent: () => import("./pages/agent.js"),
  operations: () => import("./pages/operations.js"),
  events: () => import("./pages/events.js"),
  compare: () => import("./pages/compare.js"),
};

const loaded = signal({});

function Page({ name }) {
  const known = Object.hasOwn(PAGES, name);
  useEffect(() => {
    if (known && !loaded.peek()[name]) load(name);
  }, [name]);
  const missing = loaded.value[name] instanceof Error;
  // A browser may hold for good that a module could not be fetched; nothing is lost by beginning anew once the service is back.
  useEffect(() => (missing ? whenBack(() => location.reload()) : undefined), [missing]);
  if (!known) return html`<${Empty} title="No such page"><p>The address leads nowhere. <a class="link" href="/threads">All threads</a></p><//>`;
  const found = loaded.value[name];
  if (found instanceof Error) return html`<${Wrong} problem=${found} what="The page could not be loaded" retry=${() => location.reload()} />`;
  return found ? html`<${Held}><${found.default} parts=${place.value.parts.slice(1)} query=${place.value.query} /><//>` : html`<${Loading} />`;
}

/** A page that stumbles over what it was given takes nothing with it: the frame stays, and the way on. */
function Held({ children }) {
  const [error, again] = useErrorBoundary((fault) => console.error(fault));
  if (!error) return children;
  return html`<${Wrong} problem=${error} what="The page could not draw what it was given" retry=${again} />`;
}

async function load(name) {
  const found = await PAGES[name]().catch((error) => error);
  loaded.value = { ...loaded.peek(), [name]: found };
}

/** Of what has a list and a page for each: /threads, /threads/{id}. */
const SINGLE = { threads: "thread", workflows: "workflow", agents: "agent" };
const PART_OF = { start: "workflows", compare: "threads" };

function App() {
  const [first = "threads", ...rest] = place.value.parts;
  const name = (rest.length && own(SINGLE, first)) || first;
  return html`<${Frame} page=${own(PART_OF, first) ?? first}><${Page} name=${name} key=${rest.length ? `${name}/${rest[0]}` : name} /><//>`;
}

startRouting();
startKeys();
startFeed();
render(html`<${App} />`, document.getElementById("app"));
