// What can be done with several threads at once, after saying in numbers what will happen.
import { html } from "../../lib/html.js";
import { post } from "../../lib/api.js";
import { plural } from "../../lib/words.js";
import { Button } from "../../kit/bits.js";
import { lazily } from "../../kit/lazy.js";
import { say } from "../../kit/toast.js";

const confirm = lazily(() => import("../../kit/dialog.js"), "confirm");

const DOES = {
  resume: { label: "Resume", done: "go on", does: "go on from their last versions; nothing that completed runs again" },
  pause: { label: "Pause", done: "pause", does: "let their running steps end and start no further one" },
  cancel: { label: "Cancel", done: "are cancelled", does: "are stopped for good; what they did is kept", kind: "danger" },
};

export function Bulk({ list }) {
  const ids = [...list.picked.value];
  if (!ids.length) return null;
  const clear = () => { list.picked.value = new Set(); };
  const everything = list.rows.value.length <= ids.length && list.more.value;
  return html`<div class="bulk" role="region" aria-label="Selected threads">
    <strong>${plural(ids.length, "thread")} selected</strong>
    ${Object.entries(DOES).map(([action, one]) => html`<${Button} key=${action} kind=${`small ${one.kind ?? ""}`} onClick=${() => ask(action, { thread_ids: ids.slice(0, 1000) }, list)}>${one.label}<//>`)}
    ${everything && html`<${Button} kind="small quiet" onClick=${() => ask("resume", { where: whereOf(list.where()) }, list)}>Resume all that match<//>
      <${Button} kind="small quiet" onClick=${() => ask("cancel", { where: whereOf(list.where()) }, list)}>Cancel all that match<//>`}
    <${Button} kind="small quiet" onClick=${clear}>Clear<//>
  </div>`;
}

function whereOf(filters) {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined && value !== "" && value !== false));
}

async function ask(action, which, list) {
  const { label, does, done, kind } = DOES[action];
  let plan;
  try {
    plan = await post(`/threads/${action}`, { ...which, dry_run: true });
  } catch (error) {
    say(error.detail ?? String(error), { wrong: true });
    return;
  }
  const left = plan.refused.length ? ` ${plural(plan.refused.length, "thread")} cannot: ${plan.refused[0].detail}.` : "";
  const more = plan.more ? " There are more than one request takes; ask again for the rest." : "";
  const count = plan.thread_ids.length;
  if (!count) {
    say(`None of them: ${plan.refused[0]?.detail ?? "no thread matches"}.`, { wrong: true });
    return;
  }
  confirm({
    title: `${label} ${plural(count, "thread")}?`,
    text: `${plural(count, "thread")} ${does}.${left}${more}`,
    action: `${label} ${plural(count, "thread")}`,
    kind: kind ? "danger main" : "main",
    async run() {
      // Those that were told of: by now more may match.
      const told = await post(`/threads/${action}`, { thread_ids: plan.thread_ids });
      list.picked.value = new Set();
      say(`${plural(told.done, "thread")} ${done}.${told.refused.length ? ` ${told.refused.length} could not.` : ""}`);
      list.changed(told.thread_ids);
    },
  });
}
