// Which thread or execution stands on a side: by its id, or found by words.
import { html, useEffect, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { setQuery } from "../../lib/route.js";
import { clock, shortId } from "../../lib/words.js";

const TYPING = 250;
const ID = /^[A-Za-z0-9._:-]{1,128}$/;

export function Picker({ side, chosen, other }) {
  const [text, setText] = useState(chosen);
  const [found, setFound] = useState([]);
  useEffect(() => setText(chosen), [chosen]);
  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(() => suggest(text === chosen ? "" : text, other, control.signal).then(setFound, () => {}), text ? TYPING : 0);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text, chosen, other]);
  const take = (value) => {
    const name = value.trim();
    if (name !== chosen && (name === "" || found.some((one) => one.id === name))) setQuery({ [side]: name });
  };
  const onSubmit = (event) => {
    event.preventDefault();
    const name = text.trim();
    const only = !ID.test(name) || !found.some((one) => one.id === name) ? found[0]?.id : name;
    setQuery({ [side]: ID.test(name) && !found.length ? name : (only ?? name) });
  };
  return html`<form class="picker" onSubmit=${onSubmit}><label for=${`pick-${side}`}><b>${side}</b></label>
    <input id=${`pick-${side}`} type="search" class="mono" list=${`found-${side}`} value=${text} spellcheck=${false} autocomplete="off" placeholder="id of a thread or execution, or words of its input"
      onInput=${(event) => { setText(event.target.value); take(event.target.value); }} />
    <datalist id=${`found-${side}`}>${found.map((one) => html`<option key=${one.id} value=${one.id}>${one.label}</option>`)}</datalist></form>`;
}

/** Threads in which the text is found; without one the executions, forks and the source of what stands on the other side. */
async function suggest(text, other, signal) {
  if (text) {
    const { threads } = await get("/threads", { params: { text, limit: 12 }, signal });
    return threads.map((one) => ({ id: one.thread_id, label: `${one.workflow} · ${one.title ?? shortId(one.thread_id)} · ${one.status}` }));
  }
  if (!other) {
    const { threads } = await get("/threads", { params: { limit: 12 }, signal });
    return threads.map((one) => ({ id: one.thread_id, label: `${one.workflow} · ${one.title ?? shortId(one.thread_id)} · ${one.status}` }));
  }
  const [tree, list] = await Promise.all([
    get(`/invoke/tree/${encodeURIComponent(other)}`, { params: { limit: 20 }, signal }).catch(() => null),
    get("/workflow/executions", { params: { thread_id: other, limit: 12 }, signal }).catch(() => ({ executions: [] })),
  ]);
  const forks = (tree?.forks ?? []).map((one) => ({ id: one.thread_id, label: `fork ${one.variant ?? ""} of v${one.version} · ${one.status}` }));
  const source = tree?.forked_from ? [{ id: tree.forked_from.thread_id, label: `what it was forked from, v${tree.forked_from.version}` }] : [];
  return [...source, ...forks.toReversed(), ...list.executions.map((one) => ({ id: one.execution_id ?? one.id, label: `${one.kind} · ${one.status} · ${clock(one.started_at ?? one.created_at)}` }))];
}
