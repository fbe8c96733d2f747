// Asking again while somebody looks: for what no event tells of.
import { useEffect } from "./html.js";

/**
 * `run` (may be async) every `pause` ms while the page is visible, and at once when it is seen again after longer than that. Never before
 * the last run has ended: where an answer takes longer than `pause`, asking anew each time would never let one come.
 */
export function useEvery(pause, run, deps = []) {
  useEffect(() => {
    let last = Date.now();
    let busy = false;
    const turn = async () => {
      if (busy || document.hidden || Date.now() - last < pause - 50) return;
      last = Date.now();
      busy = true;
      try {
        await run();
      } finally {
        busy = false;
      }
    };
    const timer = setInterval(turn, pause);
    document.addEventListener("visibilitychange", turn);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turn);
    };
  }, deps);
}
