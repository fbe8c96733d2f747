// As much of a browser as examples/javascript/page/watch.js needs: EventSource on fetch. `node browser.mjs URL`.
import {start, watch} from '../../examples/javascript/page/watch.js';
import {events} from '../../examples/javascript/backstitch.mjs';

let reading;
globalThis.EventSource = class extends EventTarget {
  constructor(url) {
    super();
    const [, base, thread] = /^(.*)\/api\/invoke\/stream\/(.*)\?after=0$/.exec(url);
    reading = this.read(base, thread);
  }

  async read(base, thread) {
    for await (const {event, ...data} of events(base, thread)) {
      this.dispatchEvent(Object.assign(new Event(event), {data: JSON.stringify({event, ...data})}));
    }
  }

  close() {
    console.log('closed');
  }
};

const url = process.argv[2];
const workflow = {name: 'page', steps: [{id: 'talk', agent: 'talker', input: {topic: 'pages', pause: 0.02}}]};
const {thread_id: thread} = await start(url, workflow, {});
let text = '';
watch(url, thread, {
  onStatus: ({thread_id}) => console.log('status', thread_id === thread),
  onEvent: ({event, step_id}) => console.log(event, step_id ?? ''),
  onText: (step, streamed) => { text = streamed; },
  onEnd: ({data}) => console.log('ended', data.status, text),
});
await reading;
await start(url, 'nothing', {}).catch((error) => console.log(error.message));
