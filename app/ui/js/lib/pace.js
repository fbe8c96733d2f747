// Not too often: for what follows from events that may come by the thousand.

/**
 * `run` (async) some `delay` ms after it is first wanted, then again as long as it is wanted: never twice at a time, and with a
 * pause of at least `pause` ms or five times of what it took. Answers a function with `.stop()`.
 */
export function paced(run, pause, delay = 0) {
  let timer = 0;
  let busy = false;
  let wanted = false;
  let stopped = false;

  async function go() {
    timer = 0;
    wanted = false;
    busy = true;
    const begun = performance.now();
    try {
      await run();
    } finally {
      busy = false;
      if (!stopped) timer = setTimeout(rest, Math.max(pause, 5 * (performance.now() - begun)));
    }
  }

  function rest() {
    timer = 0;
    if (wanted) go();
  }

  function call() {
    if (stopped) return;
    wanted = true;
    if (!busy && !timer) timer = setTimeout(go, delay);
  }

  call.stop = () => {
    stopped = true;
    clearTimeout(timer);
  };
  return call;
}
