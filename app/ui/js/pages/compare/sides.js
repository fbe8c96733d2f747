// What each of the two is and took, and in sentences how they differ.
import { html } from "../../lib/html.js";
import { duration, money, number, plural, shortId } from "../../lib/words.js";
import { Copy } from "../../kit/bits.js";
import { State } from "../../kit/marks.js";

export function Side({ name, one }) {
  const { steps } = one;
  return html`<section class="sheet side" aria-label=${`Side ${name}`}>
    <header><h2>${name}</h2><a class="link" href=${`/threads/${encodeURIComponent(one.thread_id)}`}>${one.workflow}</a><span class="actions"><${State} state=${one.status} /></span></header>
    <dl class="facts body">
      <dt>Thread</dt><dd><span class="mono" title=${one.thread_id}>${shortId(one.thread_id)}</span> <${Copy} text=${one.thread_id} label="Copy the id" /></dd>
      <dt>Execution</dt><dd><span class="mono" title=${one.execution_id}>${shortId(one.execution_id)}</span> <${Copy} text=${one.execution_id} label="Copy the id" /> <span class="muted">${one.kind}</span></dd>
      <dt>Comes from</dt><dd>${one.forked_from ? html`<a class="link" href=${`/threads/${encodeURIComponent(one.forked_from.thread_id)}?v=${one.forked_from.version}`}>v${one.forked_from.version} of <span class="mono">${shortId(one.forked_from.thread_id)}</span></a>` : "its own start"}</dd>
      <dt>Version</dt><dd>${one.version === null ? "none" : html`<a class="link mono" href=${`/threads/${encodeURIComponent(one.thread_id)}?v=${one.version}`}>v${one.version}</a>`} <span class="muted">of ${one.workflow}${one.workflow_version ? ` v${one.workflow_version}` : ""}</span></dd>
      <dt>Took</dt><dd>${one.duration_ms === null ? "not over" : duration(one.duration_ms)} <span class="muted">its steps ${duration(one.steps_ms)}</span></dd>
      <dt>Cost</dt><dd>${money(one.usage?.cost_usd)} <span class="muted">${one.usage ? `${number(one.usage.input_tokens)} tokens in, ${number(one.usage.output_tokens)} out` : ""}</span></dd>
      <dt>Steps</dt><dd>${steps.completed} of ${steps.total} completed${steps.failed ? `, ${steps.failed} failed` : ""}${steps.skipped ? `, ${steps.skipped} skipped` : ""}${steps.reused ? `, ${steps.reused} taken over` : ""}; ${plural(one.attempts, "attempt")}</dd>
      ${one.error && html`<dt>Error</dt><dd class="never">${one.error.message}</dd>`}
    </dl></section>`;
}

const OUTPUT = { true: "Both gave the same output.", false: "They gave different outputs.", null: "Their outputs cannot be compared." };

/** In short: how `b` differs from `a`. */
export function sentences({ a, b, difference: apart, steps, output }) {
  const lines = [];
  if (a.status !== b.status) lines.push(`a is ${a.status}, b is ${b.status}.`);
  else if (a.status === "completed") lines.push(OUTPUT[String(output.equal)]);
  else lines.push(`Both are ${a.status}.`);
  const said = took(apart);
  if (said.length) lines.push(`b ${listed(said)} than a.`);
  const differ = steps.filter((one) => over(one) && one.output.equal === false).map((one) => one.id);
  if (differ.length) lines.push(`${plural(differ.length, "step")} gave something else: ${differ.slice(0, 5).join(", ")}${differ.length > 5 ? ` and ${differ.length - 5} more` : ""}.`);
  const others = steps.filter((one) => one.a?.agent && one.b?.agent && one.a.agent !== one.b.agent).map((one) => `${one.id} was done by ${one.b.agent} instead of ${one.a.agent}`);
  if (others.length) lines.push(`In b, ${others.slice(0, 4).join("; ")}.`);
  return lines;
}

/** Whether a step has ended well on both sides, so that what it gave can be told apart. */
export function over({ a, b }) {
  return a?.status === "completed" && b?.status === "completed";
}

function took(apart) {
  const tokens = apart.input_tokens === null ? 0 : apart.input_tokens + apart.output_tokens;
  const usd = Math.round((apart.cost_usd ?? 0) * 1e6) / 1e6;
  const size = Math.abs;
  return [
    apart.duration_ms && `took ${duration(size(apart.duration_ms))} ${apart.duration_ms > 0 ? "longer" : "less"}`,
    usd && `cost ${money(size(usd))} ${usd > 0 ? "more" : "less"}`,
    tokens && `used ${number(size(tokens))} ${tokens > 0 ? "more" : "fewer"} ${size(tokens) === 1 ? "token" : "tokens"}`,
    apart.attempts && `made ${number(size(apart.attempts))} ${apart.attempts > 0 ? "more" : "fewer"} ${size(apart.attempts) === 1 ? "attempt" : "attempts"}`,
  ].filter(Boolean);
}

function listed(parts) {
  return parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}` : parts[0];
}
