// What the reader has chosen, kept in this browser; where nothing may be stored it holds until the page is closed.
import { signal } from "./html.js";

const { chosen: before } = document.documentElement.dataset;
export const theme = signal(before === "light" || before === "dark" ? before : "system");

/** Light, dark, or as the system has it. */
export function chooseTheme(chosen) {
  document.documentElement.dataset.chosen = chosen;
  dispatchEvent(new Event("theme")); // theme.js shows it
  theme.value = chosen;
  keep("theme", chosen === "system" ? null : chosen);
}

/** What was kept under a name, or `otherwise`: also where it is of another kind, for whoever shares this address may write there. */
export function kept(name, otherwise, fits = (value) => typeof value === typeof otherwise) {
  try {
    const found = JSON.parse(localStorage.getItem(`backstitch.${name}.json`));
    return found !== null && fits(found) ? found : otherwise;
  } catch {
    return otherwise;
  }
}

/** Keep a small JSON value. */
export function keepValue(name, value) {
  keep(`${name}.json`, JSON.stringify(value));
}

function keep(name, text) {
  try {
    if (text === null) localStorage.removeItem(`backstitch.${name}`);
    else localStorage.setItem(`backstitch.${name}`, text);
  } catch { /* full or forbidden */ }
}
