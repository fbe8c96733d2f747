import { html } from "../../lib/html.js";
export function Editor() { return html`<p>soon</p>`; }
