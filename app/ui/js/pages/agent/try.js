// A try of an agent: an input on the left, what comes of it on the right, as it comes.
import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get, path, post } from "../../lib/api.js";
import { follow } from "../../lib/live.js";
import { duration, money, number } from "../../lib/words.js";
import { Button, Lasts } from "../../kit/bits.js";
import { SchemaForm, useForm } from "../../kit/form.js";
import { State } from "../../kit/marks.js";
import { complain } from "../../kit/toast.js";
import { JsonTree } from "../../kit/tree.js";

const TEXT_KEPT = 200_000; // characters of a stream that are shown: its end
const ENDS = new Set(["workflow_complete", "workflow_failed", "workflow_cancelled", "workflow_interrupted", "workflow_paused"]);

export function Try({ agent }) {
  const form = useForm({ schema: agent.input ?? undefined, id: "try-input", label: "Input", keep: agent.input ? undefined : {}, remember: `try ${agent.name}@${agent.version}` });
  const [busy, setBusy] = useState(false);
  const [task, setTask] = useState(null);
  const begin = async (event) => {
    event.preventDefault();
    const given = form.take();
    if (!given) return;
    setBusy(true);
    try {
      setTask(await post("/tasks", { agent: agent.name, input: given.value ?? null, triggered_by: "page" }));
    } catch (error) {
      if (!form.refused(error, "/input")) complain(error, "Try");
    } finally {
      setBusy(false);
    }
  };
  return html`<section class="sheet try" id="try"><header><h2>Try it</h2></header><div class="body">
    <form onSubmit=${begin} noValidate>
      <${SchemaForm} ...${form.props} />
      <div class="row wrap"><button type="submit" class="button main" disabled=${busy} aria-busy=${busy || undefined}>Run it once</button>
        <span class="small muted">It runs for real: what it does outside, it does, and what it costs, it costs.</span></div>
    </form>
    <div class="came">${task ? html`<${Outcome} key=${task.task_id} id=${task.task_id} />`
      : html`<p class="muted">What it gives appears here, as it comes.</p>`}</div>
  </div></section>`;
}

function Outcome({ id }) {
  const [task, setTask] = useState(null);
  const [text, setText] = useState("");
  const [note, setNote] = useState(null);
  const end = useRef(null);
  useEffect(() => {
    let there = true;
    let attempt = 0;
    const look = () => get(path`/tasks/${id}`).then((found) => { if (there) setTask(found); }, () => {});
    const onEvents = (events) => {
      let more = "";
      let anew = false;
      for (const { event, data } of events) {
        if (event === "step_chunk") {
          if (data.attempt !== attempt) [attempt, more, anew] = [data.attempt, "", true];
          more += data.data.text;
        } else if (event === "step_progress" && data.data.message) setNote(data.data.message);
        else if (event === "step_retry") setNote(`attempt ${data.attempt} comes: ${data.data.error?.message ?? ""}`);
        if (ENDS.has(event) || event === "step_start" || event === "snapshot") look();
      }
      if (more || anew) setText((before) => ((anew ? "" : before) + more).slice(-TEXT_KEPT));
    };
    // After a break the text so far comes again as one piece.
    const stream = follow({ address: () => `/api/tasks/${encodeURIComponent(id)}/stream`, onEvents, onOpen: ({ again }) => { if (again) attempt = 0; } });
    const watch = setInterval(() => { if (stream.state.peek() === "ended") { clearInterval(watch); look(); } }, 1000);
    look();
    return () => {
      there = false;
      clearInterval(watch);
      stream.close();
    };
  }, [id]);
  useEffect(() => { if (end.current) end.current.scrollTop = end.current.scrollHeight; }, [text]);
  const over = task && task.completed_at;
  return html`<p class="row wrap"><${State} state=${task?.status ?? "pending"} />
      ${over ? html`<span class="muted">${duration(task.duration_ms)}${task.attempts > 1 ? `, ${task.attempts} attempts` : ""}${task.usage?.cost_usd ? `, ${money(task.usage.cost_usd)}` : ""}${task.usage?.output_tokens ? `, ${number(task.usage.input_tokens)} tokens in, ${number(task.usage.output_tokens)} out` : ""}</span>` : task?.started_at
        && html`<span class="muted"><${Lasts} since=${task.started_at} />${note && ` · ${note}`}</span>`}
      <span class="row open">${task && !over
        && html`<${Button} kind="small" onClick=${() => post(path`/tasks/${id}/cancel`, {}).catch((error) => complain(error, "Cancel"))}>Cancel<//>`}
        <a class="link" href=${`/threads/${encodeURIComponent(id)}`}>Its thread</a></span></p>
    ${task?.error && html`<p class="note wrong"><b>${task.error.kind}</b> ${task.error.message}</p>`}
    ${over && task.status === "completed" ? html`<${JsonTree} value=${task.output} name="output" height=${320} />`
      : text && html`<pre class="stream" ref=${end} tabindex="0" aria-label="What it has said so far">${text}${!over
        && html`<span class="caret" aria-hidden="true"></span>`}</pre>`}`;
}
