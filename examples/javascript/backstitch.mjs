// What the service needs of a client, in plain JavaScript: for node 20 or newer, Deno, Bun and browsers. No packages.

/** The JSON answer of a route; throws an Error with `status` and `problem` for a refusal. */
export async function ask(url, path, body, headers = {}) {
  const answer = await fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? headers : {'Content-Type': 'application/json', ...headers},
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const found = await answer.json().catch(() => ({title: `HTTP ${answer.status}`, detail: 'not an answer of Backstitch'}));
  if (!answer.ok) throw Object.assign(new Error(`${found.title}: ${found.detail}`), {status: answer.status, problem: found});
  return found;
}

/** Start a workflow. A start that was cut off can be sent again with the same key: it starts one thread. */
export const start = (url, workflow, input, key = crypto.randomUUID()) =>
  ask(url, '/api/invoke/async', {workflow, input}, {'Idempotency-Key': key});

const ENDS = new Set(['workflow_complete', 'workflow_failed', 'workflow_cancelled', 'workflow_interrupted']);
const PASSING = new Set([429, 502, 503, 504]);

const SILENCE = 45_000; // milliseconds: three heartbeats that did not come

/**
 * The thread's events after `after`, each once, until it has ended; a cut connection is taken up again where it was. With each
 * connection come a snapshot and, as a step_chunk, the text so far of every step that streams.
 */
export async function* events(url, thread, after = 0) {
  while (true) {
    let last = '';
    try {
      const headers = {Accept: 'text/event-stream', ...(after ? {'Last-Event-ID': String(after)} : {})};
      const silence = new AbortController();
      const answer = await fetch(`${url}/api/invoke/stream/${encodeURIComponent(thread)}`, {headers, signal: silence.signal});
      if (answer.status === 204) return; // nothing is after that event, and nothing will come
      if (!answer.ok) throw Object.assign(new Error(await answer.text()), {status: answer.status});
      for await (const {id, event, data} of messages(answer.body, silence)) {
        if (id !== undefined) [after, last] = [Number(id), event];
        yield {event, ...JSON.parse(data)};
      }
      if (ENDS.has(last)) return;
    } catch (error) {
      if (error.status && !PASSING.has(error.status)) throw error; // without a status it is a connection that was cut
    }
    await new Promise((wake) => setTimeout(wake, 500 + Math.random() * 500));
  }
}

/** The messages of a text/event-stream. Not every browser can go through a stream with `for await`, so this reads it. */
async function* messages(body, silence) {
  const reader = body.getReader(), decoder = new TextDecoder();
  let rest = '', message = {}, alarm;
  try {
    while (true) {
      alarm = setTimeout(() => silence.abort(), SILENCE);
      const {done, value} = await reader.read();
      clearTimeout(alarm);
      if (done) return;
      const lines = (rest + decoder.decode(value, {stream: true})).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (line === '') {
          if (message.data !== undefined) yield message;
          message = {};
        } else if (name) {
          message[name] = value; // the service writes the data of an event on one line
        }
      }
    }
  } finally {
    clearTimeout(alarm);
    silence.abort(); // whoever leaves early lets go of the connection
  }
}
