// Another agent for steps that run again: rows of a step and who does it.
import { html, useEffect, useState } from "../../../lib/html.js";
import { get } from "../../../lib/api.js";
import { Button } from "../../../kit/bits.js";

let known = null;

/** The names of all agents that can be chosen. */
export function useAgents() {
  const [names, setNames] = useState(known ?? []);
  useEffect(() => {
    get("/agents", { params: { limit: 1000 } }).then(
      ({ agents }) => setNames((known = [...new Set(agents.filter((one) => one.loaded && one.enabled).map((one) => one.name))].toSorted())),
      () => {},
    );
  }, []);
  return names;
}

/** Steps that an agent does, of those that would run: `[{id, agent}]`. */
export function stepsOfAgents(definition, runs) {
  const wanted = new Set(runs);
  return (definition?.graph?.nodes ?? []).filter((one) => one.agent && wanted.has(one.id));
}

/** The overrides of the API for rows. */
export function overridesOf(rows) {
  const told = rows.filter((one) => one.step && one.agent).map((one) => [one.step, { agent: one.agent }]);
  return told.length ? Object.fromEntries(told) : undefined;
}

/** `rows` are [{step, agent}]; `fault(step)` is what is wrong with one. */
export function Agents({ id, steps, rows, onChange, fault = () => null }) {
  const names = useAgents();
  if (!steps.length) return null;
  const free = steps.filter((step) => !rows.some((row) => row.step === step.id));
  const change = (at, changes) => onChange(rows.map((row, index) => (index === at ? { ...row, ...changes } : row)));
  const add = () => onChange([...rows, { step: free[0].id, agent: "" }]);
  return html`<div class="rows">
    ${rows.map((row, at) => {
      const own = steps.find((step) => step.id === row.step);
      return html`<div class="rows-row" key=${at}>
        <select aria-label="Step" value=${row.step} onChange=${(event) => change(at, { step: event.target.value })}>${[own, ...free].filter(Boolean).map((step) => html`<option key=${step.id} value=${step.id}>${step.id}</option>`)}</select>
        <span class="muted">by</span>
        <select aria-label=${`Agent of ${row.step}`} id=${at === 0 ? id : undefined} value=${row.agent} onChange=${(event) => change(at, { agent: event.target.value })} aria-invalid=${Boolean(fault(row.step))}>
          <option value="">as before: ${own?.agent}</option>${names.filter((name) => name !== own?.agent).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>
        <${Button} kind="quiet small" icon="close" label=${`Leave ${row.step} as it is`} onClick=${() => onChange(rows.filter((_, index) => index !== at))} />
        ${fault(row.step) && html`<p class="fault" role="alert">${fault(row.step)}</p>`}
      </div>`;
    })}
    ${free.length > 0 && html`<${Button} kind="small" icon="plus" onClick=${add}>${rows.length ? "Another step" : "Another agent for a step"}<//>`}
  </div>`;
}
