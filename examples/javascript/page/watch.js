// Follows a thread with the browser's own EventSource, which reconnects by itself and asks for what it has missed.

const NAMES = [
  'workflow_start', 'workflow_resumed', 'workflow_rolled_back', 'workflow_paused', 'workflow_complete', 'workflow_failed',
  'workflow_cancelled', 'workflow_interrupted', 'step_start', 'step_progress', 'step_retry', 'step_complete', 'step_failed',
  'step_skipped', 'gate_waiting', 'gate_answered',
];
const ENDS = new Set(['workflow_complete', 'workflow_failed', 'workflow_cancelled', 'workflow_interrupted']);

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
 * Call `onStatus` with the status document first (and after each reconnect), `onEvent` with every event once, `onText` with
 * what steps stream, `onEnd` with the last event. Gives the EventSource, to close it earlier.
 */
export function watch(url, thread, {onStatus, onEvent, onText, onEnd}) {
  const source = new EventSource(`${url}/api/invoke/stream/${encodeURIComponent(thread)}`);
  source.addEventListener('snapshot', (message) => onStatus(JSON.parse(message.data)));
  source.addEventListener('step_chunk', (message) => onText(JSON.parse(message.data)));
  for (const name of NAMES) {
    source.addEventListener(name, (message) => {
      const event = JSON.parse(message.data);
      onEvent(event);
      if (ENDS.has(name)) {
        source.close();
        onEnd(event);
      }
    });
  }
  return source;
}
