// The form of a start: the workflow's input, where and when it runs, and the line that does the same from a terminal.
import { html, useMemo, useRef, useState } from "../../lib/html.js";
import { post } from "../../lib/api.js";
import { curl } from "../../lib/definitions.js";
import { stringify } from "../../lib/json.js";
import { go } from "../../lib/route.js";
import { CodeLine } from "../../kit/bits.js";
import { SchemaForm, useForm, useSubmitKey } from "../../kit/form.js";

const MORE = {
  type: "object",
  additionalProperties: false,
  properties: {
    thread_id: { type: "string", title: "Thread id", description: "Made for you without one.", pattern: "^[A-Za-z0-9_.:-]{1,128}$", examples: ["order-4711"] },
    queue: { type: "string", title: "Queue", description: "Where it waits for a slot. A new name makes a new queue.", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", examples: ["default"] },
    priority: { type: "integer", title: "Priority", description: "The higher is taken up first; 0 without it.", minimum: -1000, maximum: 1000 },
    delay: { type: "string", title: "Delay", description: "How long it waits before it begins: 30s, 5m, 24h.", pattern: "^\\d+(\\.\\d+)?(ms|s|m|h|d)?$", examples: ["5m"] },
    triggered_by: { type: "string", title: "Started by", description: "Yours, to find it again.", maxLength: 200 },
    webhook: { type: "string", title: "Webhook", description: "Who is told of this thread's events, by HTTP.", format: "uri", examples: ["https://example.org/hook"] },
  },
};

/** `given`: an input to begin with, that of the thread `from`. */
export function StartForm({ workflow, pinned, from, given }) {
  const schema = workflow.document?.input ?? null;
  const remember = `start ${workflow.name}@${workflow.version} ${from ?? ""}`;
  const input = useForm({ schema, id: "input", label: "Input", keep: given, remember });
  const more = useForm({ schema: MORE, id: "more", label: "More", keep: {}, remember: `more ${remember}` });
  const [open, setOpen] = useState(false);
  const first = useMemo(() => (document.activeElement?.closest("input, textarea, select") ? null : {}), []);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const key = useRef({});
  const name = pinned ? `${workflow.name}@${pinned}` : workflow.name;
  const line = useMemo(() => {
    try {
      return curl("/invoke/async", stringify(bodyOf(name, input.value, more.value)));
    } catch {
      return null;
    }
  }, [name, input.value, more.value]);

  const start = async () => {
    const [taken, rest] = [input.take(), more.take()];
    if (!taken || !rest) {
      if (!rest) setOpen(true);
      return;
    }
    setBusy(true);
    setProblem(null);
    const body = stringify(bodyOf(name, taken.value, rest.value));
    // The same start, asked for again because nobody answered, starts once.
    if (key.current.body !== body) key.current = { body, text: random() };
    try {
      const made = await post("/invoke/async", body, { headers: { "idempotency-key": key.current.text } });
      key.current = {};
      input.done();
      more.done();
      go(`/threads/${encodeURIComponent(made.thread_id)}`);
    } catch (error) {
      const placed = error.code === "invalid_input" ? input.refused(error) : more.refused({ problems: error.problems.filter((one) => one.pointer !== "") });
      if (placed && error.code !== "invalid_input") setOpen(true);
      if (!error.passing) key.current = {};
      setProblem(placed ? "The service refuses this start: see the fields." : error.detail);
      setBusy(false);
    }
  };
  useSubmitKey(start);

  return html`<form class="start-form" noValidate onSubmit=${(event) => { event.preventDefault(); start(); }}>
    <section class="sheet"><header><h2>Input</h2></header><div class="body">
      ${!schema && html`<p class="muted">This workflow does not say what it takes: any JSON will do, or nothing.</p>`}
      <${SchemaForm} ...${input.props} first=${first} />
    </div></section>
    <details class="sheet more" open=${open} onToggle=${(event) => setOpen(event.target.open)}><summary>More <span class="faint">id, queue, delay, webhook</span></summary>
      <div class="body"><${SchemaForm} ...${more.props} /></div></details>
    ${problem && html`<p class="note wrong" role="alert">${problem}</p>`}
    <div class="row wrap"><button type="submit" class="button main" disabled=${busy} aria-busy=${busy || undefined}>Start ${workflow.name}</button><span class="muted small">or <kbd>Ctrl</kbd> <kbd>Enter</kbd></span></div>
    ${line && html`<section class="stack same"><h2>The same from a terminal</h2><${CodeLine} text=${line} /></section>`}
  </form>`;
}

function bodyOf(workflow, input, more = {}) {
  return { workflow, ...(input === undefined ? {} : { input }), ...more };
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
