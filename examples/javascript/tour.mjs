// Start a workflow, watch it fail, resume it and watch it complete: `node tour.mjs`, against BACKSTITCH_URL.
import {ask, events, start} from './backstitch.mjs';

const url = process.env.BACKSTITCH_URL ?? 'http://127.0.0.1:8000';
const tour = {
  name: 'javascript-tour',
  steps: [
    {id: 'work', sleep: '200ms'},
    {id: 'read', agent: 'collector', input: {paths: '{input.paths}'}},
    {id: 'links', agent: 'link-checker', input: {collection: '{read.output}'}},
  ],
  output: {pages: '{size(read.output.pages)}'},
};

const {thread_id: thread} = await start(url, tour, {paths: ['/no/such/folder']});
console.log('started', thread);

let last = 0;
for await (const event of events(url, thread)) {
  console.log(event.seq ?? '-', event.event, event.step_id ?? '', event.data?.error?.message ?? '');
  last = event.seq ?? last;
}

await ask(url, `/api/invoke/resume/${thread}`, {overrides: {read: {input: {paths: []}}}});
for await (const event of events(url, thread, last)) console.log(event.seq ?? '-', event.event, event.step_id ?? '');

const {status, output, steps} = await ask(url, `/api/invoke/status/${thread}`);
console.log(status, output, 'kept from before:', steps.filter((step) => step.reused).map((step) => step.id));
