// The text of an agent while it writes: with a caret, followed to its end until the reader scrolls up.
import { html, useLayoutEffect, useRef, useState } from "../../../lib/html.js";
import { number } from "../../../lib/words.js";
import { Button } from "../../../kit/bits.js";

const NEAR = 24; // px from the end that still count as its end
const SETTLED = 400; // ms

/** `text` is a signal as `texts().of()` gives it; `going` while more may come. */
export function StreamText({ text, going, label, height = 400 }) {
  const { blocks, last, gone, first } = text.value;
  const box = useRef(null);
  const [follows, setFollows] = useState(true);
  useLayoutEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text.value, follows]);
  // Text that comes fast would win over the reader's wheel: the wish to go up counts, not where it has led so far.
  const before = useRef(0);
  const stopped = useRef(-SETTLED);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    const own = performance.now() - stopped.current > SETTLED; // and no scrolling of ours that is told late
    if (own && scrollTop > before.current && scrollHeight - scrollTop - clientHeight < NEAR) setFollows(true);
    before.current = scrollTop;
  };
  const stop = () => {
    stopped.current = performance.now();
    setFollows(false);
  };
  const onKeyDown = (event) => { if (["ArrowUp", "PageUp", "Home"].includes(event.key)) stop(); };
  const onWheel = (event) => { if (event.deltaY < 0) stop(); };
  const onPointerDown = (event) => { if (event.target === box.current) stop(); }; // its scroll bar
  const toEnd = () => {
    setFollows(true);
    box.current.scrollTop = box.current.scrollHeight;
  };
  return html`<div class="streaming" data-going=${going || undefined}>
    <div class="text" ref=${box} tabindex="0" role="log" aria-live="off" aria-label=${label} style=${{ maxHeight: `${height}px` }} onScroll=${onScroll} onWheel=${onWheel} onTouchMove=${stop} onKeyDown=${onKeyDown} onPointerDown=${onPointerDown}>
      ${gone > 0 && html`<p class="faint">${number(gone)} characters stand before this.</p>`}
      ${blocks.map((block, index) => html`<${Block} key=${first + index} text=${block} />`)}<div>${last}${going && html`<span class="caret" aria-hidden="true"></span>`}</div>
    </div>
    ${going && !follows && html`<${Button} kind="small" icon="down" onClick=${toEnd}>Follow the end<//>`}
  </div>`;
}

function Block({ text }) {
  return html`<div class="block">${text}</div>`;
}
