// A windowed list: of thousands of rows only those that can be seen are drawn. All rows have one height.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";

const BEYOND = 8; // rows drawn above and below what is seen, so that scrolling finds them ready
const ITEM = { list: "listitem", listbox: "option", tree: "treeitem" };

/**
 * `rows` drawn by `draw(row, {index, selected})`, each with `keyOf(row)`; `height` in px. The page scrolls, not the list, unless
 * `inner` (its height in px) is given. `onEnd` is called when the end comes near, `onTop(bool)` when the top is or is not in view, `onRange()` when other rows may be.
 * `role` is list, listbox or tree; `itemProps(row, index)` are further attributes of a row, all else that is given is for the list.
 */
export function List({ rows, draw, keyOf, height, label, selected = -1, inner = null, onEnd, onTop, onRange, role = "list", itemProps, ...rest }) {
  const ref = useRef(null);
  const [range, setRange] = useState([0, 40]);
  const top = useRef(true);

  const look = () => {
    const node = ref.current;
    if (!node) return;
    const offset = inner ? node.scrollTop : -node.getBoundingClientRect().top;
    const seen = inner ?? innerHeight;
    const first = Math.max(0, Math.floor(offset / height) - BEYOND);
    const last = Math.min(rows.length, Math.ceil((offset + seen) / height) + BEYOND);
    setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
    onRange?.();
    if (onTop && top.current !== offset < height) onTop((top.current = offset < height));
    if (onEnd && last >= rows.length - BEYOND) onEnd();
  };

  useLayoutEffect(look, [rows.length, height, inner]);
  useEffect(() => {
    const node = inner ? ref.current : window;
    let frame = 0;
    const later = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(look);
    };
    node.addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      cancelAnimationFrame(frame);
      node.removeEventListener("scroll", later);
      removeEventListener("resize", later);
    };
  }, [rows.length, height, inner, onEnd, onTop]);
  // Once it is chosen, not whenever rows that come before it move it.
  const chosen = selected < 0 || selected >= rows.length ? null : keyOf(rows[selected]);
  useEffect(() => {
    if (chosen === null || !ref.current) return;
    const node = ref.current;
    if (inner) {
      const y = selected * height;
      if (y < node.scrollTop) node.scrollTop = y;
      else if (y + height > node.scrollTop + inner) node.scrollTop = y + height - inner;
      return;
    }
    const y = node.getBoundingClientRect().top + selected * height;
    if (y < 104) scrollBy(0, y - 104);
    else if (y + height > innerHeight - 64) scrollBy(0, y + height - innerHeight + 64);
  }, [chosen]);

  const drawn = [];
  for (let index = range[0]; index < Math.min(range[1], rows.length); index += 1) {
    const row = rows[index];
    drawn.push(html`<div class="item" role=${ITEM[role]} key=${keyOf(row)} data-index=${index}
      aria-setsize=${rows.length} aria-posinset=${index + 1} aria-selected=${role === "listbox" ? index === selected : undefined}
      data-selected=${index === selected || undefined} style=${{ top: `${index * height}px`, height: `${height}px` }}
      ...${itemProps?.(row, index)}>${draw(row, { index, selected: index === selected })}</div>`);
  }
  const size = { height: `${inner ? Math.min(inner, rows.length * height) : rows.length * height}px`, overflow: inner ? "auto" : undefined };
  const body = inner ? html`<div style=${{ height: `${rows.length * height}px`, position: "relative" }}>${drawn}</div>` : drawn;
  return html`<div class="list" ref=${ref} role=${role} aria-label=${label} tabindex=${inner ? 0 : undefined} style=${size} ...${rest}>${body}</div>`;
}
