// Receive the webhooks of a service and check their signatures (Standard Webhooks), with nothing but node: `node receiver.mjs`.
// WEBHOOK_SECRET is the endpoint's secret (whsec_...), PORT where this listens.
import {createHmac, timingSafeEqual} from 'node:crypto';
import {createServer} from 'node:http';
import {pathToFileURL} from 'node:url';

const TOLERANCE = 5 * 60; // seconds

/** The event, if it was signed with the secret in the last five minutes; throws otherwise. */
export function verify(secret, headers, body, now = Date.now() / 1000) {
  const {'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = ''} = headers;
  if (!id || !/^\d+$/.test(at ?? '') || Math.abs(now - Number(at)) > TOLERANCE) throw new Error('no delivery of now');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const wanted = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest();
  // While a secret is changed there are two, separated by a space.
  const genuine = signatures.split(' ').some((signature) => {
    const [version, given] = signature.split(',');
    const bytes = Buffer.from(given ?? '', 'base64');
    return version === 'v1' && bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
  });
  if (!genuine) throw new Error('the signature does not fit');
  return JSON.parse(body);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const seen = new Set(); // delivery is at least once: keep ids where they outlive this process
  createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const event = verify(process.env.WEBHOOK_SECRET, request.headers, Buffer.concat(parts));
      const id = request.headers['webhook-id'];
      if (!seen.has(id)) console.log(id, JSON.stringify(event));
      seen.add(id);
      response.writeHead(204).end();
    } catch (error) {
      console.log('refused:', error.message);
      response.writeHead(400).end();
    }
  }).listen(Number(process.env.PORT ?? 8080), '127.0.0.1');
}
