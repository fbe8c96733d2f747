// The keys that work just now, in a dialog.
import { html } from "./lib/html.js";
import { inForce } from "./lib/keys.js";
import { Dialog, show } from "./kit/dialog.js";

export function showKeys() {
  const sets = inForce.peek();
  show((close) => html`<${Dialog} title="Keys" close=${close}>
    ${sets.toReversed().map((set) => html`<section key=${set.title} class="stack"><h3>${set.title}</h3>
      <table class="keys"><tbody>${Object.entries(set.keys).filter(([, one]) => one.does).map(([key, one]) => html`<tr key=${key}><td><kbd>${key}</kbd></td><td>${one.does}</td></tr>`)}</tbody></table></section>`)}
  <//>`);
}
