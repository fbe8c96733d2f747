// The settings: each with its value and where that comes from; those that take effect at once can be changed here.
import { html, useState } from "../../lib/html.js";
import { get, path, send } from "../../lib/api.js";
import { useEvery } from "../../lib/every.js";
import { useResource } from "../../lib/resource.js";
import { setQuery } from "../../lib/route.js";
import { stringify } from "../../lib/json.js";
import { Ago, Button, Field } from "../../kit/bits.js";
import { Dialog, show } from "../../kit/dialog.js";
import { Empty, Face } from "../../kit/faces.js";
import { say } from "../../kit/toast.js";

const EVERY = 10_000; // others change settings too
const FROM = { default: "default", file: "file", environment: "environment", command_line: "command line", api: "changed here" };

async function load(signal) {
  const [config, changes] = await Promise.all([get("/config", { signal }), get("/config/changes", { params: { limit: 10 }, signal })]);
  return { settings: config.settings, changes: changes.changes };
}

export default function Settings({ query }) {
  const found = useResource(load, []);
  useEvery(EVERY, found.reload, [found]);
  const text = (query.text ?? "").toLowerCase();
  return html`<${Face} of=${found}>${({ settings, changes }) => {
    const rows = settings.filter((one) => !text
      || one.name.includes(text.replaceAll(" ", "_"))).toSorted((one, other) => Number(other.source !== "default") - Number(one.source !== "default")
      || Number(other.reloadable) - Number(one.reloadable) || (one.name < other.name ? -1 : 1));
    return html`<div class="row wrap">
      <input type="search" placeholder="name" aria-label="By name" value=${query.text ?? ""} onInput=${(event) => setQuery({ text: event.target.value })} />
      <span class="muted">Those that are set come first. What can be changed here takes effect at once, in all processes; the rest takes a restart.</span></div>
      ${rows.length === 0 ? html`<${Empty} title="No setting of that name"><${Button} onClick=${() => setQuery({ text: null })}>Show all<//><//>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr><th>Setting</th><th>Value</th><th>From</th><th>
        <span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>${rows.map((one) => html`<tr key=${one.name}><td class="mono">${one.name.toUpperCase()}</td><td class="mono">${shown(one.value)}</td>
          <td>${one.source === "default" ? html`<span class="faint">default</span>` : FROM[one.source] ?? one.source}</td>
          <td class="acts">${one.reloadable
            && html`<${Button} kind="small" onClick=${() => change(one, found.reload)}>Change…<//>`}</td></tr>`)}</tbody></table></div>`}
      <${Changes} changes=${changes} />`;
  }}<//>`;
}

const shown = (value) => (value === null || value === undefined
  ? html`<span class="faint">none</span>` : typeof value === "string" ? value : stringify(value));

function Changes({ changes }) {
  if (!changes.length) return null;
  return html`<section><h2>Last changes</h2><div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr><th>When</th><th>Setting</th><th>From</th><th>To</th>
    <th>By</th></tr></thead><tbody>${changes.map((one) => html`<tr key=${one.id}><td><${Ago} at=${one.at} /></td>
    <td class="mono">${one.name.toUpperCase()}</td><td class="mono">${shown(one.old)}</td><td class="mono">${shown(one.new)}</td>
    <td>${one.by ?? FROM[one.source] ?? one.source}</td></tr>`)}</tbody></table></div></section>`;
}

function change(one, done) {
  show((close) => html`<${Change} one=${one} close=${close} done=${done} />`);
}

function Change({ one, close, done }) {
  const wordy = typeof one.value === "string";
  const before = one.value === null ? "" : wordy ? one.value : stringify(one.value);
  const [text, setText] = useState(before);
  const [fault, setFault] = useState(null);
  const submit = async () => {
    setFault(null);
    try {
      await send("PUT", "/config", { [one.name]: valueOf(text, wordy) }, { params: { by: "page" } });
    } catch (error) {
      if (!error.problems?.length) throw error;
      setFault(error.problems.map((each) => each.message).join("; "));
      return false;
    }
    say(`${one.name.toUpperCase()} is changed, in all processes within two seconds.`);
    done();
    return true;
  };
  const back = async () => {
    await send("DELETE", path`/config/${one.name}`).then(() => { say(`${one.name.toUpperCase()} is as the environment, the file or the default says.`); done(); close(); }, (error) => setFault(error.detail));
  };
  return html`<${Dialog} title=${`Change ${one.name.toUpperCase()}`} close=${close} submit=${submit} action="Change" disabled=${text === before}
    beside=${one.source === "api"
    && html`<${Button} onClick=${back}>Take it back<//>`}>
    <${Field} id="setting" label="Value" fault=${fault} hint=${wordy ? null : "Empty takes a value away that may be missing."}>
      <input id="setting" type="text" class="mono" value=${text} spellcheck=${false} onInput=${(event) => setText(event.target.value)} /><//>
    <p class="muted">${text === before ? html`It is <code>${before || "none"}</code> now.`
      : html`From <code>${before || "none"}</code> to <code>${text || "none"}</code>, at once, in every process on this database, and over restarts. It goes before the environment and the file.`}</p><//>`;
}

function valueOf(text, wordy) {
  const given = text.trim();
  if (given === "") return null;
  if (wordy) return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}
