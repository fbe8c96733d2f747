// Asking again while somebody looks: for what no event tells of.
import { useEffect } from "./html.js";

/**
 * `run` (may be async) every `pause` ms while the page is visible, and at once when it is seen again after longer than that. Never before
 * the last run has ended: where an answer takes longer than `pause`, asking anew each time would never let one come.
 */
export function useEvery(pause, run, deps = []) {
  useEffect(() => {
    let last = performance.now(); // the clock may be set back
    let busy = false;
    const turn = async () => {
      if (busy || document.hidden) return;
      last = performance.now();
      busy = true;
      try {
        await run();
      } finally {
        busy = false;
      }
    };
    const seen = () => { if (performance.now() - last >= pause) turn(); };
    const timer = setInterval(turn, pause);
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, deps);
}
