// What is wrong with a JSON text that somebody has typed, and where.
import { parse } from "./json.js";

/** Its value: `{value}` or `{fault}` with the line of the mistake. */
export function typed(text) {
  try {
    return { value: parse(text) };
  } catch (error) {
    const at = /position (\d+)/.exec(error.message)?.[1];
    const line = at === undefined ? null : text.slice(0, Number(at)).split("\n").length;
    return { fault: `This is no JSON${line ? ` in line ${line}` : ""}: ${error.message.replace(/ in JSON at position.*| \(line.*/, "")}.` };
  }
}
