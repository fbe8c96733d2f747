// Tabs over one place: {id, label}; the chosen one is drawn by `children(id)`.
import { html, useEffect, useId, useRef } from "../lib/html.js";

export function Tabs({ label, tabs, chosen, onChoose, children }) {
  const id = useId();
  const list = useRef(null);
  // Where they do not all fit the chosen one is in view; the page stays where it is.
  useEffect(() => {
    const { offsetLeft, offsetWidth } = list.current.querySelector('[aria-selected="true"]') ?? {};
    const { scrollLeft, clientWidth } = list.current;
    if (offsetLeft < scrollLeft || offsetLeft + offsetWidth > scrollLeft + clientWidth) list.current.scrollLeft = offsetLeft + offsetWidth / 2 - clientWidth / 2;
  }, [chosen]);
  const onKeyDown = (event) => {
    const at = tabs.findIndex((tab) => tab.id === chosen);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = tabs.at(next % tabs.length);
    onChoose(tab.id);
    list.current.querySelector(`[data-tab="${tab.id}"]`)?.focus();
  };
  return html`<div class="tabbed">
    <div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${onKeyDown}>
      ${tabs.map((tab) => html`<button type="button" role="tab" key=${tab.id} data-tab=${tab.id} id=${`${id}-${tab.id}`} aria-controls=${`${id}-panel`}
        aria-selected=${tab.id === chosen} tabindex=${tab.id === chosen ? 0 : -1} onClick=${() => onChoose(tab.id)}>${tab.label}</button>`)}
    </div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${chosen}`}>${children(chosen)}</div>
  </div>`;
}
