// What the items of steps ask, at the head of the page.
import { html } from "../../../lib/html.js";
import { get, path } from "../../../lib/api.js";
import { useResource } from "../../../lib/resource.js";
import { Asks } from "../header.js";

const MOST = 500;

export function OfItems({ thread }) {
  const found = useResource((signal) => get(path`/invoke/gates/${thread.id}`, { params: { limit: MOST }, signal }), [thread.id]);
  const open = (found.value.value?.gates ?? []).filter((one) => one.status === "open").toReversed();
  return open.length > 0 && html`<${Asks} asks=${open.map((one) => ({ step: one.step_id, title: one.title }))} />`;
}
