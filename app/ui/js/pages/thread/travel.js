// Going back, trying another way, changing a variable: the dialogs of time travel, each with what will happen before it does.
import { html } from "../../lib/html.js";
import { show } from "../../kit/dialog.js";
import { Fork } from "./travel/fork.js";
import { Rollback } from "./travel/rollback.js";

/** Move the head to a version and go on from there. */
export function rollback(thread, version) {
  show((close) => html`<${Rollback} thread=${thread} version=${version} close=${close} />`);
}

/** Make new threads that begin with all that this one held at a version. */
export function fork(thread, version) {
  show((close) => html`<${Fork} thread=${thread} version=${version} close=${close} />`);
}

/** Change variables at a version: a rollback to it that sets them. */
export function editContext(thread, version) {
  show((close) => html`<${Rollback} thread=${thread} version=${version} close=${close} editing />`);
}
