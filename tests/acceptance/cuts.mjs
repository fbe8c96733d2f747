// The JavaScript of the examples against a service that breaks: what it prints is what it has seen. `node cuts.mjs`.
import {createServer} from 'node:http';
import {events} from '../../examples/javascript/backstitch.mjs';
import {watch} from '../../examples/javascript/page/watch.js';

const frame = (seq, event, data = {}) =>
  `${seq ? `id: ${seq}\n` : ''}event: ${event}\ndata: ${JSON.stringify({seq, event, step_id: 'talk', attempt: 1, data})}\n\n`;
const EVENTS = {'content-type': 'text/event-stream'};
const asked = [];
const server = createServer((request, response) => {
  asked.push(request.headers['last-event-id'] ?? '');
  if (asked.length === 2) return response.writeHead(503).end();
  response.writeHead(200, EVENTS);
  if (asked.length === 1) response.write(frame(1, 'step_complete', 'a\u2028b'), () => response.destroy());
  else response.end(frame(2, 'workflow_complete'));
}).listen(0, '127.0.0.1');
await new Promise((ready) => server.once('listening', ready));
for await (const {seq, data} of events(`http://127.0.0.1:${server.address().port}`, 't')) console.log(seq, data.length);
console.log('asked after', asked.join(','));
server.close();

// As a browser does it: what is answered 502 is given up.
const opened = [];
globalThis.EventSource = class extends EventTarget {
  static CLOSED = 2;

  constructor(url) {
    super();
    opened.push(this);
    console.log(url);
  }

  close() {}

  tell(name, body) {
    this.dispatchEvent(Object.assign(new Event(name), {data: JSON.stringify({event: name, step_id: 'talk', attempt: 1, ...body})}));
  }
};
globalThis.fetch = async () => new Response(JSON.stringify({status: 'running', last_seq: 2}));
const wait = setTimeout;
globalThis.setTimeout = (run, pause, ...more) => wait(run, pause === 1000 ? 0 : pause, ...more);
watch('http://service', 't', {
  onStatus: () => {},
  onEvent: ({event}) => console.log(event),
  onText: (step, text) => console.log(step, text),
  onEnd: ({event}) => console.log('end', event),
});
const [first] = opened;
first.tell('step_start', {seq: 2});
first.tell('step_chunk', {data: {text: 'one '}});
first.readyState = 2;
first.dispatchEvent(new Event('error'));
while (opened.length < 2) await new Promise((wake) => setImmediate(wake));
opened[1].tell('snapshot', {});
opened[1].tell('step_chunk', {data: {text: 'one two '}});
opened[1].tell('step_chunk', {data: {text: 'three'}});
opened[1].tell('attempt_discarded', {seq: 3, data: {}});
opened[1].tell('workflow_failed', {seq: 4});
