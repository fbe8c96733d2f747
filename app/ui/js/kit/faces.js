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
};

/** What the address names is not there: why that may be, and the way to all that are. */
export function Missing({ what, name, version, why, children }) {
  const text = why ?? html`Nothing is registered under the name <code>${name}</code>${version ? ` in version ${version}` : ""}.`;
  return html`<section class="face"><h1>There is no such ${what}</h1><p>${text}</p><div class="row"><a class="button" href=${`/${what}s`}>All ${what}s</a>${children}</div></section>`;
}

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

/** The face of a resource: `children(value)` once there is one; what went wrong later stands above it. `missing` is its face where it is not there. */
export function Face({ of, children, what, loading, missing }) {
  const { value, problem } = of;
  if (missing && problem.value?.status === 404) return missing;
  if (value.value === null) {
    return problem.value ? html`<${Wrong} problem=${problem.value} retry=${of.reload} what=${what} />` : (loading ?? html`<${Loading} />`);
  }
  return html`${problem.value && html`<p class="note wrong stale" role="alert">${problem.value.detail ?? problem.value.message} What you see may be old. <${Button} kind="small" onClick=${of.reload}>Try again<//></p>`}${children(value.value)}`;
}
