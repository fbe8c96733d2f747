// A button with a menu of actions: {label, run | href, key, danger, disabled, why}. `onOpen()` may ask for what they depend on.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Button } from "./bits.js";

export function Menu({ label, icon = "more", items, kind = "", onOpen, children }) {
  const [open, setOpen] = useState(false);
  const ref = useRef(null);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (!ref.current?.contains(event.target)) setOpen(false); };
    document.addEventListener("pointerdown", away);
    ref.current.querySelector("li > :is(button, a):not(:disabled)")?.focus();
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const onKeyDown = (event) => {
    if (!open) return;
    const all = [...ref.current.querySelectorAll("li > :is(button, a):not(:disabled)")];
    const at = all.indexOf(document.activeElement);
    const move = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      setOpen(false);
      if (event.key === "Escape") ref.current.querySelector("button").focus();
    } else if (move !== undefined) {
      all.at(move % all.length)?.focus();
    } else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };
  const done = (item) => () => {
    setOpen(false);
    ref.current.querySelector("button").focus();
    item.run?.();
  };
  const items_ = items.filter(Boolean);
  return html`<div class="menu" ref=${ref} onKeyDown=${onKeyDown}>
    <${Button} kind=${kind} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${open} onClick=${() => { if (!open) onOpen?.(); setOpen(!open); }}>${children}<//>
    ${open && html`<ul role="menu" aria-label=${label}>${items_.map((item) => html`<li role="none" class=${item.danger ? "danger" : ""} key=${item.label}>
      ${item.href
        ? html`<a role="menuitem" href=${item.href} download=${item.download} onClick=${() => setOpen(false)}>${item.label}</a>`
        : html`<button type="button" role="menuitem" disabled=${item.disabled} title=${item.why} onClick=${done(item)}>${item.label}${item.key && html`<kbd>${item.key}</kbd>`}</button>`}
    </li>`)}</ul>`}
  </div>`;
}
