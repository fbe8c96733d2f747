// What is fetched: its value, its problem, and whether it is on its way. The last value stays while the next one comes.
import { whenBack } from "./feed.js";
import { batch, signal, useEffect, useMemo } from "./html.js";

const AGAIN = 4_000; // ms

/** `{value, problem, loading, reload}` of signals and one function; `fetcher(abortSignal)` answers a promise. */
export function resource(fetcher) {
  const value = signal(null);
  const problem = signal(null);
  const loading = signal(false);
  let control = null;
  let unlisten = () => {};

  async function reload() {
    control?.abort();
    unlisten();
    const mine = new AbortController();
    control = mine;
    loading.value = true;
    try {
      const found = await fetcher(mine.signal);
      if (control === mine) batch(() => { value.value = found; problem.value = null; loading.value = false; });
    } catch (error) {
      if (control !== mine || mine.signal.aborted) return;
      if (error.status === undefined) console.error(error);
      batch(() => { problem.value = error; loading.value = false; });
      // What could not be had while the service was away is asked for once it is back.
      if (error.passing) unlisten = whenBack(reload, AGAIN);
    }
  }

  function stop() {
    control?.abort();
    control = null;
    unlisten();
  }

  return { value, problem, loading, reload, stop };
}

/** A resource for as long as a component is there, fetched anew when one of `deps` changes (its value is then forgotten). */
export function useResource(fetcher, deps = []) {
  const made = useMemo(() => resource(fetcher), deps);
  useEffect(() => {
    made.reload();
    return made.stop;
  }, [made]);
  return made;
}
