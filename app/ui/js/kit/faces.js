// The faces of what is not there: on its way, empty, or gone wrong (what happened, what it means, what to do).
import { html } from "../lib/html.js";
import { Button } from "./bits.js";

export function Loading({ what = "Loading" }) {
  return html`<p class="loading" role="status">${what}</p>`;
}

/** Nothing there: what would be here, and how to get it here. */
export function Empty({ title, children }) {
  return html`<section class="face"><h2>${title}</h2>${children}</section>`;
}

const MEANING = {
  unreachable: "The service does not answer. It may be starting again, or this machine has lost its network. Nothing that runs is lost by that.",
  unavailable: "The service is up, and its database is not there just now. Threads go on once it is back.",
  internal_error: "Something in the service went wrong. Its log has more under the reference below.",
  thread_not_found: "There is no thread of this id: it was deleted, or it is on another database.",
};

/** What went wrong; `retry` asks again. */
export function Wrong({ problem, retry, what }) {
  const reference = problem.more?.reference;
  return html`<section class="face wrong" role="alert">
    <h2>${what ?? (problem.status === 404 ? "Not found" : "That did not work")}</h2>
    <p>${problem.detail ?? problem.message}</p>
    ${MEANING[problem.code] && html`<p class="muted">${MEANING[problem.code]}</p>`}
    ${reference && html`<p class="muted">Reference: <code>${reference}</code></p>`}
    ${retry && html`<${Button} onClick=${retry}>Try again<//>`}
  </section>`;
}

/** The face of a resource: `children(value)` once there is one; what went wrong later stands above it. */
export function Face({ of, children, what, loading }) {
  const { value, problem } = of;
  if (value.value === null) {
    return problem.value ? html`<${Wrong} problem=${problem.value} retry=${of.reload} what=${what} />` : (loading ?? html`<${Loading} />`);
  }
  return html`${problem.value && html`<p class="note wrong stale" role="alert">${problem.value.detail ?? problem.value.message} What you see may be old. <${Button} kind="small" onClick=${of.reload}>Try again<//></p>`}${children(value.value)}`;
}
