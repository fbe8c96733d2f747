// At once, then at most so often: for what follows from events that may come by the thousand.

/** `run` at most once in `pause` ms: the first call at once, the last one never lost. Answers a function with `.stop()`. */
export function throttled(run, pause) {
  let timer = 0;
  let wanted = false;
  const call = () => {
    if (timer) {
      wanted = true;
      return;
    }
    run();
    timer = setTimeout(() => {
      timer = 0;
      if (wanted) {
        wanted = false;
        call();
      }
    }, pause);
  };
  call.stop = () => {
    clearTimeout(timer);
    timer = 0;
    wanted = false;
  };
  return call;
}
