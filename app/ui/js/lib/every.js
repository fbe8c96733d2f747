// Asking again while somebody looks: for what no event tells of.
import { useEffect } from "./html.js";

/** `run` every `pause` ms while the page is visible, and at once when it is seen again after longer than that. */
export function useEvery(pause, run, deps = []) {
  useEffect(() => {
    let last = performance.now(); // the clock may be set back
    const turn = () => {
      if (document.hidden) return;
      last = performance.now();
      run();
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
