// An RFC 6902 patch as a list of changes: added, removed, changed, each with its path and what stands there then.
import { html } from "../../../lib/html.js";
import { List } from "../../../kit/list.js";
import { stringify } from "../../../lib/json.js";
import { plural } from "../../../lib/words.js";

const WORD = { add: "added", remove: "removed", replace: "changed", move: "moved", copy: "copied", test: "" };
const ROW = 30;
const LONGEST = 300;

export function Patch({ patch, height = 420 }) {
  const rows = patch.filter((one) => !one.path.startsWith("/metadata/")).map((one, index) => ({ ...one, index }));
  return html`<div class="patch"><p class="muted small">${plural(rows.length, "change")}</p>
    <${List} rows=${rows} keyOf=${(row) => row.index} height=${ROW} inner=${height} label="Changes" draw=${(row) => html`<${Row} row=${row} />`} /></div>`;
}

function Row({ row }) {
  const text = row.op === "move" || row.op === "copy" ? `from ${row.from}` : row.op === "remove" ? "" : short(row.value);
  return html`<div class="patch-row" data-op=${row.op}><span class="op">${WORD[row.op]}</span><code class="cut" title=${row.path}>${row.path.split("/").slice(1).map(unescaped).join(" › ") || "all of it"}</code><code class="cut value" title=${text}>${text}</code></div>`;
}

/** The beginning of a value's text; of a large one no more is looked at than is shown. */
function short(value, room = LONGEST) {
  if (typeof value === "string") return value.length > room ? `${stringify(value.slice(0, room))}…` : stringify(value);
  if (value === null || typeof value !== "object") return stringify(value) ?? "";
  const list = Array.isArray(value);
  const parts = [];
  let used = 2;
  for (const key in value) {
    if (used > room) {
      parts.push("…");
      break;
    }
    parts.push(`${list ? "" : `${stringify(key)}: `}${short(value[key], room - used)}`);
    used += parts.at(-1).length + 2;
  }
  return list ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
}

const unescaped = (part) => part.replaceAll("~1", "/").replaceAll("~0", "~");
