// Asking again while somebody looks: for what no event tells of.
import { useEffect } from "./html.js";

/** `run` every `pause` ms while the page is visible, and at once when it is seen again after longer than that. */
export function useEvery(pause, run, deps = []) {
  useEffect(() => {
    let last = Date.now();
    const turn = () => {
      if (document.hidden || Date.now() - last < pause - 50) return;
      last = Date.now();
      run();
    };
    const timer = setInterval(turn, pause);
    document.addEventListener("visibilitychange", turn);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turn);
    };
  }, deps);
}
