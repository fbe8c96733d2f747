// The dialog that moves a thread to another version of its workflow: whether it can be, and why not, before it is.
import { html, useEffect, useState } from "../../lib/html.js";
import { path, post } from "../../lib/api.js";
import { all } from "../../lib/definitions.js";
import { useResource } from "../../lib/resource.js";
import { ago, now } from "../../lib/words.js";
import { Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { Face } from "../../kit/faces.js";
import { RESUMABLE } from "../../kit/marks.js";
import { say } from "../../kit/toast.js";

/** Move a thread to a version that is chosen, the newest at first. */
export function move(thread) {
  const { workflow: name, workflow_version: from } = thread.status.peek();
  show((close) => html`<${Move} thread=${thread} name=${name} from=${from} close=${close} />`);
}

function Move({ thread, name, from, close }) {
  const versions = useResource((signal) => all(path`/workflows/${name}/versions`, "versions", { signal }), [name]);
  const [to, setTo] = useState(null);
  const [plan, setPlan] = useState(null);
  const others = (versions.value.value ?? []).filter((one) => one.version !== from);
  const chosen = to ?? others[0]?.version ?? null;
  // Where it is in another version by now, that is told and nothing done.
  const ask = async (dry) => (await post(path`/workflows/${name}/migrate`, { from_version: from, to_version: chosen, thread_ids: [thread.id], dry_run: dry })).threads[0];
  useEffect(() => {
    let wanted = true;
    setPlan(null);
    if (chosen !== null) ask(true).then((found) => wanted && setPlan(found), (error) => wanted && setPlan(error));
    return () => { wanted = false; };
  }, [chosen]);
  const submit = async () => {
    const done = await ask(false);
    if (!done.moved) {
      setPlan(done);
      throw new Error("Nothing has been changed.");
    }
    say(RESUMABLE.has(done.status) ? `It is moved to version ${chosen}; Resume goes on in it.` : `It goes on in version ${chosen}.`);
    thread.reload();
  };
  return html`<${Dialog} title="Move to another version" close=${close} submit=${submit} disabled=${!plan?.can_move} action=${chosen === null ? "Move" : `Move to version ${chosen}`}>
    <p>The thread belongs to version ${from} of <strong>${name}</strong>. In another version it goes on where it is: what has completed is kept, and must be the same there.</p>
    <${Face} of=${versions} what="The versions could not be read">${() => (chosen === null ? html`<p class="muted">There is no other version of it.</p>` : html`
      <${Field} id="move-to" label="Version"><select id="move-to" value=${chosen} onChange=${(event) => setTo(Number(event.target.value))}>${others.map((one) => html`<option key=${one.version} value=${one.version}>${one.version}, saved ${ago(one.created_at, now.value)}</option>`)}</select><//>
      <${Plan} plan=${plan} to=${chosen} />`)}<//>
  <//>`;
}

function Plan({ plan, to }) {
  if (plan === null) return html`<p class="muted" role="status">Asking whether it can be moved…</p>`;
  if (plan instanceof Error) return html`<p class="note wrong" role="alert">${plan.detail ?? plan.message}</p>`;
  if (!plan.can_move) {
    return html`<div class="note wrong" role="alert"><p>It cannot be moved to version ${to}:</p><ul>${plan.reasons.map((one) => html`<li key=${`${one.code} ${one.step_id}`}>${one.message}</li>`)}</ul></div>`;
  }
  return html`<p role="status">It can be moved. ${RESUMABLE.has(plan.status) ? `It stays ${plan.status} until you resume it: then what is left is done as version ${to} says.` : `It goes on at once, as version ${to} says.`}</p>`;
}
