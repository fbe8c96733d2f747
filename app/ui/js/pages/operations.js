import { html } from "../lib/html.js";
export default function Page() { return html`<p>soon</p>`; }
