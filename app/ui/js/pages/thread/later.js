// What is done to a thread by dialogs, which are fetched when the first of them is opened.
import { lazily } from "../../kit/lazy.js";

const dialogs = () => import("./dialogs.js");
const travel = () => import("./travel.js");

/** Run again from a step; skip a step with an output: `(thread, step)`. */
export const again = lazily(dialogs, "again");
export const skip = lazily(dialogs, "skip");

/** Move it to another version of its workflow: `(thread)`. */
export const move = lazily(() => import("./move.js"), "move");

/** Go back, branch off, change variables: `(thread, version)`. */
export const rollback = lazily(travel, "rollback");
export const fork = lazily(travel, "fork");
export const editContext = lazily(travel, "editContext");
