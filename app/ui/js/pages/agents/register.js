// A new agent, or the change of one, as a JSON document; what does not hold is told at its place.
import { html, useState } from "../../lib/html.js";
import { send, path } from "../../lib/api.js";
import { typed } from "../../lib/fault.js";
import { stringify } from "../../lib/json.js";
import { go } from "../../lib/route.js";
import { Dialog, show } from "../../kit/dialog.js";
import { say } from "../../kit/toast.js";

const EXAMPLES = {
  python: { name: "shortener", kind: "python", description: "Writes a headline.", config: { function: "headline" }, input: { type: "object", required: ["text"],
    properties: { text: { type: "string" } } }, tags: ["text"] },
  http: { name: "summariser", kind: "http", description: "Sums a text up.", config: { url: "https://example.com/summaries", body: { text: "{input.text}",
    sentences: 2 }, timeout: "2m" } },
  llm: { name: "writer", kind: "llm", description: "Writes a short article.", config: { provider: "openai", model: "gpt-4.1-mini", system: "You write plainly.",
    prompt: "Write about {input.topic}.", max_output_tokens: 2000 } },
  mcp: { name: "historian", kind: "mcp", description: "Reads the history of a repository.", config: { server: "git", tool: "git_log",
    arguments: { repo_path: "{input.repository}" } } },
  langgraph: { name: "planner", kind: "langgraph", description: "A compiled graph.", config: { graph: "planner" } },
  "claude-code": { name: "reviewer", kind: "claude-code", description: "Says what is wrong with a change.",
    config: { prompt: "Review the last {input.commits} commits.", allowed_tools: ["Read", "Grep", "Glob"], max_turns: 30 } },
};
const FIELDS = ["description", "config", "input", "output", "tags"];

/** Register a new agent. */
export function register() {
  show((close) => html`<${Editor} close=${close} title="Register an agent" action="Register" document=${EXAMPLES.python} examples run=${async (document) => {
    const made = await send("POST", "/agents", document);
    say(`${made.name} is registered in version ${made.version}.`);
    go(`/agents/${encodeURIComponent(made.name)}`);
  }} />`);
}

/** Change an agent: what the document says replaces what was. */
export function edit(agent, changed) {
  const document = Object.fromEntries(FIELDS.map((field) => [field, agent[field]]));
  show((close) => html`<${Editor} close=${close} title=${`Change ${agent.name}`} action="Save" document=${document} run=${async (given) => {
    const made = await send("PATCH", path`/agents/${`${agent.name}@${agent.version}`}`, given);
    say(made.version === agent.version ? "Nothing has changed." : `Version ${made.version} holds from the next attempt on.`);
    changed();
  }} />`);
}

function Editor({ close, title, action, document, examples, run }) {
  const [text, setText] = useState(stringify(document, 2));
  const [faults, setFaults] = useState([]);
  const submit = async () => {
    setFaults([]);
    const { value, fault } = typed(text);
    if (fault) {
      setFaults([{ message: fault }]);
      return false;
    }
    try {
      await run(value);
    } catch (error) {
      if (!error.problems?.length) throw error;
      setFaults(error.problems);
      return false;
    }
    return true;
  };
  return html`<${Dialog} title=${title} close=${close} submit=${submit} action=${action} wide>
    ${examples && html`<div class="row wrap">
      <span class="muted">Example of a kind:</span>${Object.entries(EXAMPLES).map(([kind, one]) => html`<button type="button" class="chip" key=${kind}
        onClick=${() => { setText(stringify(one, 2)); setFaults([]); }}>${kind}</button>`)}</div>`}
    <textarea class="mono document" rows="18" spellcheck=${false} aria-label="The agent as JSON" aria-invalid=${faults.length > 0} aria-describedby="agent-faults"
      value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
    <ul id="agent-faults" class="faults" role="alert">${faults.map((one, index) => html`<li key=${index}>${one.pointer
      && html`<code>${one.pointer}</code> `}${one.message}</li>`)}</ul>
    <p class="small muted">Secrets do not belong here: name a variable of the service's environment instead, with <code>api_key_env</code> or <code>{"{"}"env": "NAME"}</code>.</p>
  <//>`;
}
