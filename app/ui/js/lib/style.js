// The style sheets of single pages, fetched with them; a page is drawn once its own is there, so that nothing jumps.
import { signal, useLayoutEffect } from "./html.js";

const base = new URL("../../css/", import.meta.url).href;
const sheets = new Map();

/** Whether the sheet of that name is in force; asks for it the first time. It is only while somebody uses it: pages share words for classes. */
export function useStyle(name) {
  if (!sheets.has(name)) sheets.set(name, fetched(name));
  const sheet = sheets.get(name);
  force(sheet, true); // at once: what is drawn within may measure itself
  useLayoutEffect(() => {
    sheet.users += 1;
    return () => {
      sheet.users -= 1;
      force(sheet, sheet.users > 0);
    };
  }, [sheet]);
  return sheet.ready.value;
}

function fetched(name) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${base}${name}.css` });
  const sheet = { link, users: 0, ready: signal(false) };
  link.addEventListener("load", () => {
    sheet.ready.value = true;
    force(sheet, sheet.users > 0);
  });
  link.addEventListener("error", () => { sheet.ready.value = true; });
  document.head.append(link);
  return sheet;
}

function force({ link }, is) {
  if (link.sheet && link.sheet.disabled === is) link.sheet.disabled = !is;
}
