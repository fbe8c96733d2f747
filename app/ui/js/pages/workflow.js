import { html, useState } from "../lib/html.js";
import { get, path } from "../lib/api.js";
import { useResource } from "../lib/resource.js";
import { Face } from "../kit/faces.js";
import { Graph } from "../kit/graph.js";
export default function Page({ parts }) {
  const res = useResource((signal) => get(path`/workflows/${parts[0]}`, { signal }), [parts[0]]);
  const [sel, setSel] = useState(null);
  const states = { analyst: "completed", research: "running", marketer: "failed", approve: "waiting", publish: "pending" };
  return html`<h1>x</h1><${Face} of=${res}>${(w) => html`<div class="sheet"><${Graph} graph=${w.graph} selected=${sel} onSelect=${setSel} states=${parts[0][0] === "c" ? states : {}} notes=${{ research: "2/4" }} /></div>`}<//>`;
}
