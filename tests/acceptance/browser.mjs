// As much of a browser as examples/javascript/page/watch.js needs: EventSource on fetch. `node browser.mjs URL`.
import {start, watch} from '../../examples/javascript/page/watch.js';
import {events} from '../../examples/javascript/backstitch.mjs';

globalThis.EventSource = class extends EventTarget {
  constructor(url) {
    super();
    const [, base, thread] = /^(.*)\/api\/invoke\/stream\/(.*)$/.exec(url);
    this.reading = this.read(base, thread);
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
const source = watch(url, thread, {
  onStatus: ({thread_id}) => console.log('status', thread_id === thread),
  onEvent: ({event, step_id}) => console.log(event, step_id ?? ''),
  onText: ({data}) => { text += data.text; },
  onEnd: ({data}) => console.log('ended', data.status, text),
});
await source.reading;
await start(url, 'nothing', {}).catch((error) => console.log(error.message));
