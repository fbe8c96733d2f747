// What can be done with an agent; before it is done, what will happen, in numbers.
import { html, useEffect, useState } from "../../lib/html.js";
import { get, path, post, send } from "../../lib/api.js";
import { go } from "../../lib/route.js";
import { plural } from "../../lib/words.js";
import { Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { say } from "../../kit/toast.js";

const LOOKED_AT = 500;

/** How many steps of the agent are under way or wait for it now: `{count, more}`, `more` when there are further threads. */
async function underWay(name) {
  let cursor = null;
  let count = 0;
  for (let seen = 0; seen < LOOKED_AT; seen += 100) {
    const found = await get("/threads", { params: { status: "running,waiting,pending", children: true, limit: 100, cursor } });
    count += found.threads.flatMap((one) => one.open).filter((step) => step.agent === name).length;
    cursor = found.next_cursor;
    if (!cursor) return { count, more: false };
  }
  return { count, more: true };
}

function useUnderWay(name) {
  const [found, setFound] = useState(null);
  useEffect(() => { underWay(name).then(setFound, () => setFound({ unknown: true })); }, [name]);
  return found;
}

function told(found, does) {
  if (!found) return "Counting its steps…";
  if (found.unknown) return "How many steps that are could not be counted.";
  if (found.count === 0 && !found.more) return "It has no steps now.";
  if (found.count === 0) return `Of the newest ${LOOKED_AT} threads that have not ended none is at a step of it; the others were not looked at.`;
  return `${found.more ? "At least " : ""}${plural(found.count, "step")} of it ${found.count === 1 ? "is" : "are"} under way or ${found.count === 1
    ? "waits" : "wait"} now${does}.`;
}

function Ask({ close, title, text, does = "", action, kind, agent, reason, duration, run }) {
  const found = useUnderWay(agent.name);
  const [why, setWhy] = useState("");
  const [length, setLength] = useState("10m");
  return html`<${Dialog} title=${title} close=${close} action=${action} kind=${kind} submit=${() => run({ why: why.trim(), length })}>
    <p>${text}</p><p class="muted" role="status">${told(found, does)}</p>
    ${duration && html`<${Field} id="ask-for" label="For how long">
      <select id="ask-for" value=${length} onChange=${(event) => setLength(event.target.value)}>
      <option value="1m">1 minute</option><option value="10m">10 minutes</option><option value="1h">1 hour</option>
        <option value="">until it is closed by hand (the same as to disable it)</option></select><//>`}
    ${reason && html`<${Field} id="ask-why" label="Reason" hint="Whoever finds its steps waiting will read it.">
      <input id="ask-why" type="text" maxlength="500" value=${why} onInput=${(event) => setWhy(event.target.value)} /><//>`}
  <//>`;
}

const ask = (given) => show((close) => html`<${Ask} close=${close} ...${given} />`);

export const disable = (agent, done) => ask({
  agent, title: `Disable ${agent.name}?`, action: "Disable", kind: "danger main", reason: true,
  text: "Its steps wait until it is enabled again: none fails, nothing is lost. What runs now is let end.", does: "; those and all to come will wait",
  run: async ({ why }) => {
    await post(path`/agents/${agent.name}/disable`, why ? { reason: why } : {});
    say(`${agent.name} is disabled.`, { action: { label: "Enable", run: () => post(path`/agents/${agent.name}/enable`, {}).then(done) } });
    done();
  },
});

export const enable = (agent, done) => ask({
  agent, title: `Enable ${agent.name}?`, action: "Enable", kind: "main", text: "Its steps are let through again, a few at first.", does: " and will go on",
  run: async () => {
    await post(path`/agents/${agent.name}/enable`, {});
    say(`${agent.name} is enabled.`);
    done();
  },
});

export const openBreaker = (agent, done) => ask({
  agent, title: `Open the breaker of ${agent.name}?`, action: "Open its breaker", kind: "danger main", reason: true, duration: true,
  text: "Its steps wait for that time; then one is let through to see whether it works.", does: "; those and all to come will wait",
  run: async ({ why, length }) => {
    await post(path`/breakers/${agent.name}/open`, { ...(why && { reason: why }), ...(length && { for: length }) });
    say(`The breaker of ${agent.name} is open.`);
    done();
  },
});

export const closeBreaker = (agent, done) => ask({
  agent, title: `Close the breaker of ${agent.name}?`, action: "Close its breaker", kind: "main",
    text: "Its steps go on, a few at first. If they fail again, the breaker opens again.", does: " and will go on",
  run: async () => {
    await post(path`/breakers/${agent.name}/close`, {});
    say(`The breaker of ${agent.name} is closed.`);
    done();
  },
});

export const remove = (agent) => ask({
  agent, title: `Delete ${agent.name}?`, action: "Delete", kind: "danger main",
  text: "Its name is free then. Steps that name it fail with “configuration” until an agent of that name is registered. Its versions and events stay.",
    does: " and will fail",
  run: async () => {
    await send("DELETE", path`/agents/${`${agent.name}@${agent.version}`}`);
    say(`${agent.name} is deleted.`);
    go("/agents");
  },
});
