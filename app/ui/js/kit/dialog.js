// Dialogs: the browser's own, which keep the focus, close by Escape and give it back.
import { html, render, signal, useEffect, useRef, useState } from "../lib/html.js";
import { Button } from "./bits.js";
import { complain } from "./toast.js";

const open = signal([]);

/** Open a dialog: `draw(close)` gives its contents. */
export function show(draw) {
  const one = { draw, close: () => { open.value = open.peek().filter((other) => other !== one); } };
  open.value = [...open.peek(), one];
  return one;
}

/** All dialogs that are open, beside the page: this module is fetched when the first of them is. */
function Dialogs() {
  return html`${open.value.map((one, index) => html`<${Opened} key=${index} one=${one} />`)}`;
}

function Opened({ one }) {
  return one.draw(one.close);
}

/**
 * A dialog with a title, a body and its actions. `submit()` may be async: it closes when that ends well; what it raises is shown.
 * `action` is the word on the button that submits (none without it), `kind` its look.
 */
export function Dialog({ title, close, submit, action, kind = "main", wide = false, disabled = false, children, beside }) {
  const ref = useRef(null);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => (before?.isConnected ? before : document.getElementById("page"))?.focus?.();
  }, []);
  useFirst(ref, kind);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (!submit || busy || disabled) return;
    setBusy(true);
    setFault(null);
    try {
      if ((await submit()) !== false) close();
    } catch (error) {
      if (ref.current?.open) setFault(error.detail ?? error.message);
      else complain(error, title); // it was closed meanwhile
    } finally {
      setBusy(false);
    }
  };
  const onClick = (event) => { if (event.target === ref.current && !submit) close(); };
  return html`<dialog class=${`dialog ${wide ? "wide" : ""}`} ref=${ref} aria-label=${title} onClose=${close} onClick=${onClick}>
    <form onSubmit=${onSubmit}>
      <header><h2>${title}</h2><${Button} kind="quiet small" icon="close" label="Close" onClick=${close} /></header>
      <div class="body">${children}</div>
      <footer>
        ${fault && html`<p class="why" role="alert">${fault}</p>`}${beside}
        <${Button} onClick=${close}>${submit ? "Cancel" : "Close"}<//>
        ${submit && html`<button type="submit" class=${`button ${kind}`} disabled=${busy || disabled} aria-busy=${busy || undefined}>${action}</button>`}
      </footer>
    </form>
  </dialog>`;
}

const FIELDS = ".body :is(input, select, textarea, .rows button):not(:disabled)";

/** The focus begins in the first field, also where that comes later; without one on what submits, but never on what destroys. */
function useFirst(ref, kind) {
  const given = useRef(null);
  useEffect(() => {
    const at = document.activeElement;
    if (given.current ? at !== given.current : !at?.closest("header")) return; // the reader has moved on, or the dialog has a place of its own
    const field = [...ref.current.querySelectorAll(FIELDS)].find((one) => one.checkVisibility());
    const [beside, submits] = ref.current.querySelectorAll("footer > .button:not(:disabled)");
    given.current = field ?? (kind.includes("danger") ? beside : submits ?? beside);
    given.current?.focus();
  });
}

/** Ask before something is done: says what will happen, in numbers where there are any. */
export function confirm({ title, text, action, kind = "main", run }) {
  show((close) => html`<${Dialog} title=${title} close=${close} submit=${run} action=${action} kind=${kind}><p>${text}</p><//>`);
}

render(html`<${Dialogs} />`, document.body.appendChild(document.createElement("div")));
