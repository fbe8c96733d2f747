// What work has cost: of one step run, or of a thread step by step.
import { html } from "../../../lib/html.js";
import { money, number } from "../../../lib/words.js";
import { choose } from "../selection.js";

const AT_MOST = 100;

/** Of a step. */
export function Usage({ thread, step }) {
  const usage = step.usage ?? (step.current ? thread.steps.value.get(step.id)?.usage : null);
  if (!usage) return html`<p class="muted">${step.completed_at ? "It has not said what it cost." : "What it costs is told once it has ended."}</p>`;
  return html`<dl class="facts"><dt>Cost</dt><dd>${money(usage.cost_usd)}</dd><dt>Tokens in</dt><dd>${number(usage.input_tokens)}</dd><dt>Tokens out</dt><dd>${number(usage.output_tokens)}</dd></dl>`;
}

/** Of all steps of the thread, the dearest first. */
export function UsageOfThread({ thread }) {
  const { steps, usage } = thread.status.value;
  const costs = (step) => step.usage.cost_usd * 1e9 + step.usage.input_tokens + step.usage.output_tokens;
  const spent = steps.filter((step) => step.usage).sort((one, other) => costs(other) - costs(one));
  if (!spent.length) return html`<p class="muted">No step has said what it cost.</p>`;
  return html`<table class="usage"><thead><tr><th>Step</th><th class="num">In</th><th class="num">Out</th><th class="num">Cost</th></tr></thead>
    <tbody>${spent.slice(0, AT_MOST).map((step) => html`<tr key=${step.id}><td><button type="button" class="linklike" onClick=${() => choose(step.id)}>${step.id}</button></td>
      <td class="num">${number(step.usage.input_tokens)}</td><td class="num">${number(step.usage.output_tokens)}</td><td class="num">${money(step.usage.cost_usd)}</td></tr>`)}</tbody>
    <tfoot><tr><th scope="row">All ${number(spent.length)}</th><td class="num">${number(usage.input_tokens)}</td><td class="num">${number(usage.output_tokens)}</td><td class="num">${money(usage.cost_usd)}</td></tr></tfoot></table>
    ${spent.length > AT_MOST && html`<p class="muted">The ${AT_MOST} dearest of ${number(spent.length)}.</p>`}`;
}
