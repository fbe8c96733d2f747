// A value on both sides: the same, or what is different about it.
import { html } from "../../lib/html.js";
import { Diff } from "../../kit/diff.js";
import { Dialog, show } from "../../kit/dialog.js";

const OMITTED = { too_large: "They differ, and are too large to be laid side by side here.", damaged: "One of them is damaged: verify its thread.", not_written: "One of them came to no version: there is nothing to compare." };

/** Why two values are not shown, or null. */
export function why(of) {
  return of.omitted ? (of.equal ? null : OMITTED[of.omitted]) : null;
}

export function Values({ title, of, none = false }) {
  const reason = why(of);
  const told = of.equal ? (none ? "none yet" : "the same on both sides") : reason ? "" : "different";
  return html`<section class="sheet values" aria-label=${title}><header><h2>${title}</h2><span class="muted">${told}</span></header>
    ${!of.equal && html`<div class="body">${reason ? html`<p class="muted">${reason}</p>` : html`<${Diff} from=${of.a} to=${of.b} names=${[`${title} of a`, `${title} of b`]} />`}</div>`}</section>`;
}

/** The output of one step on both sides, in a dialog. */
export function showOutput(step) {
  show((close) => html`<${Dialog} title=${`Output of ${step.id}`} close=${close} wide>${why(step.output) ? html`<p>${why(step.output)}</p>` : html`<${Diff} from=${step.output.a} to=${step.output.b} names=${[`${step.id} of a`, `${step.id} of b`]} />`}<//>`);
}
