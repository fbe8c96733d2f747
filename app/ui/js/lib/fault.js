// What the API finds wrong with a JSON document, and where.

/** The value of a JSON text that somebody has typed: `{value}` or `{fault}` with the line of the mistake. */
export function typed(text) {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const at = /position (\d+)/.exec(error.message)?.[1];
    const line = at === undefined ? null : text.slice(0, Number(at)).split("\n").length;
    return { fault: `This is no JSON${line ? ` in line ${line}` : ""}: ${error.message.replace(/ in JSON at position.*| \(line.*/, "")}.` };
  }
}
