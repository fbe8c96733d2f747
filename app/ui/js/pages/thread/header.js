// Header of a thread.
import { html } from "../../lib/html.js";

export function Header({ thread }) {
  return html`<section class="sheet"><header><h2>Header</h2></header><div class="body"><pre>${JSON.stringify(thread.status.value, null, 1).slice(0, 300)}</pre></div></section>`;
}
