// JSON without loss: integers beyond 2^53 become BigInt, and are written again digit by digit.

const LONG = /(?<![\d.])\d{16}/; // not the digits of a fraction, which are many and lose nothing

/** The value of a JSON text. Throws SyntaxError. */
export function parse(text) {
  if (!LONG.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, context) => {
    const exact = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "");
    return exact ? BigInt(context.source) : value;
  });
}

/** The JSON text of a value; `space` as for JSON.stringify. */
export function stringify(value, space) {
  try {
    return JSON.stringify(value, null, space); // without a function for each value it is several times as fast
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const written = (_key, one) => {
    if (typeof one !== "bigint") return one;
    return JSON.rawJSON ? JSON.rawJSON(one.toString()) : Number(one);
  };
  return JSON.stringify(value, written, space);
}
