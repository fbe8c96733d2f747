// The service's clock, as far as its answers tell: that of the browser may be minutes away from it.
import { signal } from "./html.js";

const LATE = 2_000; // ms that the date of an answer may be behind: it has whole seconds, and is not made for each

/** ms that the service's clock is ahead of this browser's. */
export const ahead = signal(0);

/** Now, by the service's clock. */
export const serviceNow = () => Date.now() + ahead.peek();

/** An answer that was asked for at `sent`, by this browser's clock, bears this `date`. */
export function dated(date, sent) {
  const at = Date.parse(date ?? "");
  if (Number.isNaN(at)) return;
  const least = at - Date.now();
  const most = at + LATE - sent;
  if (ahead.peek() >= least && ahead.peek() <= most) return;
  ahead.value = least <= 0 && most >= 0 ? 0 : (least + most) / 2;
}
