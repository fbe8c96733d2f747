// The document of a workflow as text, to read and to copy.
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { stringify } from "../../lib/json.js";
import { kept, keepValue } from "../../lib/prefs.js";
import { plural } from "../../lib/words.js";
import { toYaml } from "../../lib/yaml.js";
import { Button, Copy } from "../../kit/bits.js";
import { Loading } from "../../kit/faces.js";

const LINES = 400;
const LARGE = 200; // steps of a document that is written after the page has been drawn

/** A document in the form that the reader prefers. */
export function textOf(document, form) {
  return form === "json" ? `${stringify(document, 2)}\n` : toYaml(document);
}

export function preferred() {
  return kept("document", "yaml");
}

/** YAML or JSON; it is kept for the next time. */
export function Choice({ form, choose, label }) {
  const pick = (next) => () => {
    keepValue("document", next);
    choose(next);
  };
  return html`<div class="chips" role="group" aria-label=${label}>${["yaml", "json"].map((one) => html`<button type="button" class="chip" key=${one} aria-pressed=${one === form} onClick=${pick(one)}>${one.toUpperCase()}</button>`)}</div>`;
}

export function Document({ workflow }) {
  const [ready, setReady] = useState(workflow.steps.length < LARGE);
  useEffect(() => {
    const timer = setTimeout(() => setReady(true));
    return () => clearTimeout(timer);
  }, []);
  return ready ? html`<${Written} workflow=${workflow} />` : html`<${Loading} />`;
}

function Written({ workflow }) {
  const [form, setForm] = useState(preferred);
  const [whole, setWhole] = useState(false);
  const text = useMemo(() => textOf(workflow.document, form), [workflow, form]);
  const lines = useMemo(() => text.split("\n").length - 1, [text]);
  const shown = whole || lines <= LINES ? text : text.split("\n", LINES).join("\n");
  return html`<div class="row wrap tools"><${Choice} form=${form} choose=${setForm} label="Written as" /><${Copy} text=${text} kind="small">Copy<//>
      <span class="muted small">${plural(lines, "line")}</span></div>
    <pre class="document" tabindex="0" aria-label="Document">${shown}</pre>
    ${shown !== text && html`<${Button} onClick=${() => setWhole(true)}>Show all ${plural(lines, "line")}<//>`}`;
}
