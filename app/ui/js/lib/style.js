// The style sheets of single pages, fetched with them; a page is drawn once its own is there, so that nothing jumps.
import { signal } from "./html.js";

const base = new URL("../../css/", import.meta.url).href;
const sheets = new Map();

/** Whether the sheet of that name is in force; asks for it the first time. */
export function useStyle(name) {
  if (!sheets.has(name)) {
    const ready = signal(false);
    sheets.set(name, ready);
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${base}${name}.css` });
    link.addEventListener("load", () => { ready.value = true; });
    link.addEventListener("error", () => { ready.value = true; });
    document.head.append(link);
  }
  return sheets.get(name).value;
}
