// The text that agents stream while they work: a signal for each step, and for each item of one; drawn at most once a frame.
import { signal } from "../../lib/html.js";

const AT_MOST = 400_000; // characters kept of one text: its end
const keyOf = (step, index) => (index === undefined || index === null ? step : `${step}#${index}`);

export function texts() {
  const all = new Map(); // key: {signal, waiting: pieces that are not drawn yet}
  let frame = 0;

  const of = (key) => {
    if (!all.has(key)) all.set(key, { text: signal(""), waiting: [] });
    return all.get(key);
  };

  function draw() {
    frame = 0;
    for (const one of all.values()) {
      if (!one.waiting.length) continue;
      const whole = one.text.peek() + one.waiting.join("");
      one.waiting = [];
      one.text.value = whole.length > AT_MOST ? whole.slice(-AT_MOST) : whole;
    }
  }

  return {
    /** The text so far of a step, or of one of its items: a signal. */
    of: (step, index) => of(keyOf(step, index)).text,
    add({ step_id: step, data }) {
      of(keyOf(step, data.index)).waiting.push(data.text);
      // A page that nobody sees gets no frames.
      frame ||= document.hidden ? setTimeout(draw, 500) : requestAnimationFrame(draw);
    },
    /** The attempt's text is void. */
    drop({ step_id: step, data }) {
      const one = of(keyOf(step, data.index));
      one.waiting = [];
      one.text.value = "";
    },
    clear() {
      for (const one of all.values()) {
        one.waiting = [];
        one.text.value = "";
      }
    },
  };
}
