// What can be done with a thread as it stands: each action with its key, and a word beforehand where it cannot be undone.
import { post, path, send } from "../../lib/api.js";
import { useKeys } from "../../lib/keys.js";
import { go } from "../../lib/route.js";
import { plural } from "../../lib/words.js";
import { lazily } from "../../kit/lazy.js";
import { OPEN, RESUMABLE } from "../../kit/marks.js";
import { complain, say } from "../../kit/toast.js";
import { again, editContext, fork, move, rollback, skip } from "./later.js";

const DONE = new Set(["completed", "skipped"]);
const STILL = new Set([...RESUMABLE, "pending", "waiting"]); // what may be moved to another version and is not at work just now
const confirm = lazily(() => import("../../kit/dialog.js"), "confirm");

/** All actions that have a place now: `{id, label, key, icon, kind, run | href, disabled, why, first}`; `first` ones are buttons. */
export function actionsOf(thread, query) {
  const status = thread.status.value;
  const goes = OPEN.has(status.status) && status.status !== "paused";
  const previous = before(thread.tree.value.value, status.version);
  const failed = status.error?.step_id ?? status.steps.find((step) => step.status === "failed")?.id ?? null;
  const version = /^[1-9]\d{0,8}$/.test(query.v ?? "") ? Number(query.v) : null;
  const stopped = goes ? "Pause or cancel the thread first." : null;
  const python = thread.definition.value.value?.graph === null;
  const nothing = status.version < 2 ? "There is no version to go back to yet." : null;
  const list = [
    goes && { id: "pause", label: "Pause", key: "p", icon: "pause", first: true, run: () => pause(thread) },
    RESUMABLE.has(status.status) && { id: "resume", label: failed ? `Retry ${failed}` : "Resume", key: "r", icon: "play", kind: "main", first: true, run: () => resume(thread, failed) },
    RESUMABLE.has(status.status) && !python && status.steps.some((step) => !DONE.has(step.status)) && { id: "skip", label: "Skip with output…", key: "s", first: status.steps.some((step) => step.id === failed), run: () => skip(thread, query.step ?? failed) },
    OPEN.has(status.status) && { id: "cancel", label: "Cancel…", key: "c", icon: "stop", first: true, danger: true, run: () => cancel(thread) },
    !python && { id: "again", label: "Run again from a step…", key: "u", run: () => again(thread, query.step ?? failed), disabled: Boolean(stopped), why: stopped },
    { id: "rollback", label: version ? `Roll back to v${version}…` : "Roll back…", key: "b", disabled: Boolean(nothing), why: nothing, run: () => rollback(thread, version ?? previous) },
    { id: "edit", label: "Change the context…", key: "e", run: () => editContext(thread, version ?? status.version) },
    { id: "fork", label: version ? `Fork from v${version}…` : "Fork…", key: "f", run: () => fork(thread, version ?? status.version) },
    STILL.has(status.status) && !python && status.workflow && status.workflow_version !== null && { id: "move", label: "Move to another version…", run: () => move(thread), ...elsewhere(thread) },
    status.workflow && status.workflow_version !== null && { id: "start", label: "Start again with another input…", href: `/start/${encodeURIComponent(status.workflow)}?from=${encodeURIComponent(thread.id)}` },
    { id: "export", label: "Export as a file", href: `/api${path`/invoke/export/${thread.id}`}?gzip=true`, download: `${thread.id}.ndjson.gz` },
    { id: "curl", label: "Copy curl of the status", run: () => copy(curl(`/invoke/status/${encodeURIComponent(thread.id)}`, "-s")) },
    { id: "follow", label: "Copy curl of the stream", run: () => copy(curl(`/invoke/stream/${encodeURIComponent(thread.id)}`, "-N")) },
    !OPEN.has(status.status) && { id: "delete", label: "Delete…", danger: true, run: () => remove(thread) },
  ];
  return list.filter(Boolean);
}

/** Whether there is another version of its workflow, as far as that is known. */
function elsewhere({ others }) {
  const found = others.value.value;
  return found?.length ? {} : { disabled: true, why: found ? "There is no other version of its workflow yet." : null };
}

/** The version that the head was written on: after a rollback its number is not one less. */
function before(tree, head) {
  const line = tree?.branches.find((one) => one.first_version !== null && one.first_version <= head && head <= one.last_version);
  return Math.max(1, (line?.first_version === head ? line.parent_version : null) ?? head - 1);
}

/** The keys of the actions that can be done now. */
export function useActionKeys(actions) {
  const keys = {};
  for (const action of actions) if (action.key && !action.disabled) keys[action.key] = { does: action.label.replace("…", "").toLowerCase(), run: action.run };
  useKeys("What can be done", keys, [actions.map((action) => `${action.id}${action.label}${action.disabled}`).join()]);
}

async function done(thread, what, work) {
  try {
    await work();
    if (what) say(what);
  } catch (error) {
    complain(error);
  }
  thread.reload();
}

function pause(thread) {
  const running = thread.status.peek().steps.filter((step) => step.status === "running").length;
  const ends = running ? ` ${plural(running, "step")} that run${running === 1 ? "s" : ""} may end.` : "";
  done(thread, `It pauses: no further step starts.${ends}`, () => post(path`/invoke/pause/${thread.id}`, {}));
}

function resume(thread, failed) {
  done(thread, failed ? `${failed} is tried again.` : "It goes on.", () => post(path`/invoke/resume/${thread.id}`, {}));
}

function cancel(thread) {
  const { steps, completed_steps: ended } = thread.status.peek();
  const running = steps.filter((step) => ["running", "retrying", "waiting"].includes(step.status)).map((step) => step.id);
  const stops = running.length ? `${running.slice(0, 3).join(", ")}${running.length > 3 ? ` and ${running.length - 3} more` : ""} will be stopped; what was streamed so far is kept. ` : "";
  confirm({
    title: "Cancel this thread?",
    text: `${stops}${plural(ended.length, "step")} that ${ended.length === 1 ? "has" : "have"} ended ${ended.length === 1 ? "stays" : "stay"} as ${ended.length === 1 ? "it is" : "they are"}, with outputs and versions, and Resume can go on from there. Its sub-workflows are cancelled too.`,
    action: "Cancel the thread",
    kind: "danger main",
    async run() {
      await post(path`/invoke/cancel/${thread.id}`, { reason: "stopped on the page" });
      say("It is cancelled.");
      thread.reload();
    },
  });
}

function remove(thread) {
  const { version, last_seq: events } = thread.status.peek();
  const last = thread.tree.value.peek()?.last_version ?? version;
  const children = thread.tree.value.peek()?.children.length ?? 0;
  confirm({
    title: "Delete this thread for good?",
    text: `${plural(last, "version")}, ${plural(events, "event")}, all inputs and outputs${children ? ` and ${plural(children, "sub-workflow")}` : ""} go, and nothing brings them back. Forks of it stay. Export it first if you may want it again.`,
    action: "Delete it",
    kind: "danger main",
    async run() {
      await send("DELETE", path`/threads/${thread.id}`);
      say("The thread is deleted.");
      go("/threads");
    },
  });
}

function curl(where, flag) {
  return `curl ${flag} '${location.origin}/api${where}'`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    say(text);
  }
}
