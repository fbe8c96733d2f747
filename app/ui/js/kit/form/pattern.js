// Patterns of a schema, tried only where that cannot take long: a regular expression may stop a page for years. The service decides.

const COST = 1e7; // steps that a try may take at worst

/** Whether a text fits a pattern: null where this browser cannot tell, or not soon enough. */
export function fits(pattern, text) {
  try {
    return worst(pattern, text.length) > COST ? null : new RegExp(pattern, "u").test(text);
  } catch {
    return null; // another dialect
  }
}

/** How many steps a try could take: what is repeated within what is repeated has no bound. */
function worst(pattern, length) {
  const bare = pattern.replace(/\\./gsu, "x").replace(/\[[^\]]*\]/gu, "x").replace(/\(\?(<?[=!:]|<\w+>)/gu, "(");
  if (/\)([*+]|\{(?!0?,?1\}))/u.test(bare)) return Infinity;
  const many = bare.match(/[*+{]/gu)?.length ?? 0;
  const either = bare.match(/[?|]/gu)?.length ?? 0;
  return 2 ** either * (length + 1) ** (many + (pattern.startsWith("^") ? 0 : 1));
}
