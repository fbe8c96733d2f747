// One thread on one line: its mark, what it is about, how far it is, what happens now, what it has cost, how old it is.
import { html } from "../../lib/html.js";
import { post, path } from "../../lib/api.js";
import { duration, money, shortId } from "../../lib/words.js";
import { Ago, Button, Lasts } from "../../kit/bits.js";
import { Mark, RESUMABLE } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";

const MANY = 24; // steps above which the bar is not cut into single ones any more

export function Row({ row, list, cursor }) {
  const entry = row.entry.value;
  const picked = list.picked.value.has(row.id);
  const name = entry.title ?? shortId(row.id);
  return html`<article class="thread-row" data-state=${entry.status} data-picked=${picked || undefined} data-left=${list.left(entry) || undefined}>
    <input type="checkbox" checked=${picked} aria-label=${`Select ${entry.workflow} ${name}`} onChange=${(event) => list.pick([row.id], event.target.checked)} />
    <${Mark} state=${entry.status} label=${entry.status} />
    <a class="open" href=${`/threads/${encodeURIComponent(row.id)}`} data-thread=${row.id} tabindex=${cursor ? 0 : undefined}>
      <span class="workflow cut">${entry.workflow ?? "ad hoc"}</span>
      <span class="title cut" title=${row.id}>${entry.title ?? html`<span class="mono faint">${shortId(row.id)}</span>`}</span>
    </a>
    <${Bar} entry=${entry} />
    <span class="now cut"><${Now} entry=${entry} /></span>
    <span class="cost">${entry.usage?.cost_usd ? money(entry.usage.cost_usd) : html`<span class="faint">–</span>`}</span>
    <span class="age"><${Ago} at=${entry.created_at} /></span>
    <span class="acts"><${Acts} entry=${entry} list=${list} /></span>
  </article>`;
}

/** How far it is: a piece for each step, or one bar where there are too many; and in numbers. */
function Bar({ entry }) {
  const { steps_total: total, steps_done: done, open, status } = entry;
  const told = total ? `${done} of ${total} steps` : `${done} steps so far`;
  let pieces;
  if (total && total <= MANY) {
    const states = Array(total).fill("pending").fill("completed", 0, done);
    open.slice(0, total - done).forEach((step, index) => { states[done + index] = step.status; });
    if ((status === "failed" || status === "interrupted") && done < total) states[done] = "failed";
    pieces = states.map((state, index) => html`<i key=${index} data-state=${state}></i>`);
  } else {
    const share = total ? done / total : entry.progress;
    pieces = html`<i data-state=${status === "failed" ? "failed" : "completed"} style=${{ flex: `${share} 0 0` }}></i><i data-state="pending" style=${{ flex: `${1 - share} 0 0` }}></i>`;
  }
  return html`<span class="progress" role="img" aria-label=${told} title=${told}><span class="pieces">${pieces}</span><span class="of">${done}/${total || "?"}</span></span>`;
}

/** What happens now, or what came of it. */
function Now({ entry }) {
  const { status, error, open } = entry;
  if (status === "failed" || status === "interrupted") {
    return html`<span class="fault" title=${error?.message}>${error ? `${error.step_id ? `${error.step_id}: ` : ""}${error.kind}` : status}</span>`;
  }
  if (status === "completed") return html`<span class="faint">took ${duration(Date.parse(entry.completed_at) - Date.parse(entry.started_at ?? entry.created_at))}</span>`;
  if (status === "cancelled" || status === "paused") return html`<span class="faint">${status}</span>`;
  const step = open[0];
  if (!step) return html`<span class="faint">${status === "pending" ? "in the queue" : status}</span>`;
  const beside = open.length + (entry.open_more ?? 0) - 1;
  const others = beside > 0 ? html` <span class="faint">+${beside}</span>` : null;
  if (step.waits === "gate") return html`<span class="wait">asks: ${step.id}</span>${others}`;
  if (step.waits) return html`<span class="wait">${step.id} waits for a ${step.waits}</span>${others}`;
  if (step.status === "retrying") return html`<span class="wait">${step.id}: attempt ${step.attempt} <${Ago} at=${step.next_attempt_at} /></span>${others}`;
  return html`${step.id} · <${Lasts} since=${step.started_at} />${others}`;
}

function Acts({ entry, list }) {
  const id = entry.thread_id;
  const asks = entry.open.find((step) => step.waits === "gate");
  if (RESUMABLE.has(entry.status)) return html`<${Button} kind="small" onClick=${() => resume(list, [id])}>Resume<//>`;
  if (asks) return html`<a class="button small" href=${`/threads/${encodeURIComponent(id)}?step=${encodeURIComponent(asks.id)}`}>Answer</a>`;
  return null;
}

/** Let threads go on; what became of them is told. */
export async function resume(list, ids) {
  try {
    if (ids.length === 1) await post(path`/invoke/resume/${ids[0]}`, {});
    else await post("/threads/resume", { thread_ids: ids });
    say(ids.length === 1 ? "It goes on." : `${ids.length} threads go on.`);
  } catch (error) {
    complain(error, "Resume");
  }
  list.changed(ids);
}
