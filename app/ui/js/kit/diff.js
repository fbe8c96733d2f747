// stub until the real one is merged
import { html } from "../lib/html.js";
export function Diff({ from, to }) { return html`<pre>${JSON.stringify(from, null, 1)}</pre><pre>${JSON.stringify(to, null, 1)}</pre>`; }
