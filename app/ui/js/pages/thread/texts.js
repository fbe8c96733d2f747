// The text that agents stream while they work: a signal for each step, and for each item of one; drawn at most once a frame.
//
// A long text is held in blocks: those that are full never change again, so that the page lays out only the last one anew.
import { signal } from "../../lib/html.js";

const BLOCK = 8_000; // characters of a block; it ends with a line where there is one
const AT_MOST = 50; // blocks kept of one text: its end
const IN_ALL = 40_000_000; // characters of all texts together
const NOTHING = { blocks: [], last: "", gone: 0, first: 0 };
const keyOf = (step, index) => (index === undefined || index === null ? step : `${step}#${index}`);

export function texts() {
  const all = new Map(); // key: {text: signal, waiting: pieces that are not drawn yet, step, index}
  const parts = new Map(); // step: signal of the indexes of its items that have said something
  let frame = 0;
  let shedAt = 0; // when it is next looked whether they are too much

  const of = (step, index) => {
    const key = keyOf(step, index);
    if (!all.has(key)) {
      all.set(key, { text: signal(NOTHING), waiting: [], step });
      if (key !== step) partsOf(step).value = [...partsOf(step).peek(), index].sort((one, other) => one - other);
    }
    return all.get(key);
  };
  const partsOf = (step) => {
    if (!parts.has(step)) parts.set(step, signal([]));
    return parts.get(step);
  };

  function draw() {
    frame = 0;
    for (const one of all.values()) {
      if (!one.waiting.length) continue;
      one.text.value = longer(one.text.peek(), one.waiting.join(""));
      one.waiting = [];
    }
    shed();
  }

  /** Thousands of items may each say a lot: the texts that began first are let go. */
  function shed() {
    if (performance.now() < shedAt) return;
    shedAt = performance.now() + 1000;
    let total = 0;
    for (const { text } of all.values()) total += sizeOf(text.peek());
    for (const { text } of all.values()) {
      if (total <= IN_ALL) return;
      const before = text.peek();
      total -= sizeOf(before);
      text.value = { ...NOTHING, gone: before.gone + sizeOf(before), first: before.first + before.blocks.length };
    }
  }

  function empty(one) {
    one.waiting = [];
    one.text.value = NOTHING;
  }

  return {
    /** The text so far of a step, or of one of its items: a signal of `{blocks, last, gone, first}`, where `gone` counts the
     * characters before the first block and `first` is its number. */
    of: (step, index) => of(step, index).text,
    /** The indexes of the step's items that have said something: a signal. */
    parts: (step) => partsOf(step),
    add({ step_id: step, data }) {
      of(step, data.index).waiting.push(data.text);
      // A page that nobody sees gets no frames.
      frame ||= document.hidden ? setTimeout(draw, 500) : requestAnimationFrame(draw);
    },
    /** The attempt's text is void. */
    drop: ({ step_id: step, data }) => empty(of(step, data.index)),
    /** A step begins anew: so do its items. */
    begin(step) {
      for (const one of all.values()) if (one.step === step) empty(one);
    },
    clear() {
      for (const one of all.values()) empty(one);
    },
  };
}

function sizeOf({ blocks, last }) {
  let size = last.length;
  for (const block of blocks) size += block.length;
  return size;
}

/** A text with more at its end. */
export function longer(text, more) {
  let { gone, first } = text;
  let last = text.last + more;
  if (last.length <= BLOCK) return { ...text, last };
  const blocks = [...text.blocks];
  while (last.length > BLOCK) {
    const line = last.lastIndexOf("\n", BLOCK);
    const end = line > 0 ? line + 1 : Math.max(last.lastIndexOf(" ", BLOCK) + 1, 0) || BLOCK;
    blocks.push(last.slice(0, end));
    last = last.slice(end);
  }
  while (blocks.length > AT_MOST) {
    gone += blocks.shift().length;
    first += 1;
  }
  return { blocks, last, gone, first };
}
