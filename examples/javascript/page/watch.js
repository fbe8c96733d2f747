// Follows a thread with the browser's own EventSource, which reconnects by itself and asks for what it has missed.

export const NAMES = [
  'workflow_start', 'workflow_resumed', 'workflow_rolled_back', 'workflow_paused', 'workflow_complete', 'workflow_failed',
  'workflow_cancelled', 'workflow_interrupted', 'workflow_migrated', 'state_quarantined', 'step_start', 'step_progress',
  'step_retry', 'step_complete', 'step_failed', 'step_skipped', 'item_failed', 'attempt_discarded', 'gate_waiting',
  'gate_answered', 'message_waiting', 'message_received', 'gap',
];
const ENDS = new Set(['workflow_complete', 'workflow_failed', 'workflow_cancelled', 'workflow_interrupted']);
const ENDED = new Set(['completed', 'failed', 'cancelled', 'interrupted']);
const PAUSE = 1000; // milliseconds

/** Start a workflow; the answer has its `thread_id`. */
export async function start(url, workflow, input) {
  const answer = await fetch(`${url}/api/invoke/async`, {
    method: 'POST',
    headers: {'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID()},
    body: JSON.stringify({workflow, input}),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(`${found.title}: ${found.detail}`);
  return found;
}

/**
 * Call `onStatus` with the status document first (and after each reconnect), `onEvent` with every event once, `onText` with a
 * step's id and all that it has streamed so far, `onEnd` with the last event, or the status document of a thread that is over
 * or gone. Gives a function that ends it earlier.
 */
export function watch(url, thread, {onStatus, onEvent, onText, onEnd}) {
  const where = (what) => `${url}/api/invoke/${what}/${encodeURIComponent(thread)}`;
  const texts = new Texts(onText);
  let source, last = 0, over = false;

  function stop() {
    over = true;
    source.close();
  }

  function end(told) {
    stop();
    onEnd(told);
  }

  function open() {
    source = new EventSource(`${where('stream')}?after=${last}`);
    source.addEventListener('snapshot', (message) => {
      texts.reconnected();
      onStatus(JSON.parse(message.data));
    });
    source.addEventListener('step_chunk', (message) => texts.add(JSON.parse(message.data)));
    for (const name of NAMES) source.addEventListener(name, (message) => told(JSON.parse(message.data)));
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED && !over) setTimeout(again, PAUSE);
    });
  }

  function told(event) {
    last = event.seq ?? last;
    if (event.event === 'attempt_discarded') texts.discard(event);
    onEvent(event);
    if (ENDS.has(event.event)) end(event);
  }

  // A browser gives up for good when it is answered anything but a stream: 502 by a proxy while the service restarts, or 204.
  async function again() {
    if (over) return;
    try {
      const answer = await fetch(where('status'));
      const status = answer.ok ? await answer.json() : {status: 'gone', last_seq: last};
      if (answer.status === 404 || (ENDED.has(status.status) && status.last_seq <= last)) return end(status);
    } catch {
      // It is away: the stream will be, too.
    }
    open();
  }

  open();
  return stop;
}

/** What steps stream: pieces, of which the first after a reconnect is the text so far. */
class Texts {
  constructor(show) {
    this.show = show;
    this.all = new Map();
    this.stale = new Set();
  }

  reconnected() {
    this.stale = new Set(this.all.keys());
  }

  add({step_id, attempt, data: {text, index}}) {
    const place = JSON.stringify([step_id, index, attempt]);
    this.all.set(place, this.stale.delete(place) ? text : (this.all.get(place) ?? '') + text);
    this.show(step_id, this.all.get(place));
  }

  discard({step_id, attempt, data: {index}}) {
    this.all.delete(JSON.stringify([step_id, index, attempt]));
    this.show(step_id, '');
  }
}
