import { inspect } from 'node:util';
import {
  CHANNELS,
  Client,
  FallbackClient,
  HashClient,
  JsonSerde,
  MemcacheError,
  PooledClient,
  RetryingClient,
  type CacheValue,
  type ClientOptions,
  type ServerMetrics,
} from '../../src';
import { KEY, PASSWORD, VALUE } from '../support/confidential';
import { ScriptedServer, type Script } from '../support/scripted-server';
import { Recorder } from './recorder';
import { sumsAgree } from './sums';


/** What a server may do with a connection, as in the table of faults. */
const FAULTS: readonly (readonly [name: string, script: Script])[] = [
  ['silence', (c) => c.hold()],
  ['FIN at once', (c) => c.fin()],
  ['RST at once', (c) => c.rst()],
  ['FIN after the request', async (c) => { await c.expectMatch(/\r\n/); await c.fin(); }],
  ['RST after the request', async (c) => { await c.expectMatch(/\r\n/); await c.rst(); }],
  ['half a hit, then FIN', async (c) => { await c.expectMatch(/\r\n/); await c.send(`VALUE ${KEY} 16 12\r\nc0nf`); await c.fin(); }],
  ['half a hit, then silence', async (c) => { await c.expectMatch(/\r\n/); await c.send(`VALUE ${KEY} 16 12\r\nc0nf`); await c.hold(); }],
  ['the value of another key', async (c) => { await c.expectMatch(/\r\n/); await c.send(`VALUE other 16 12\r\n${VALUE}\r\nEND\r\n`); await c.hold(); }],
  ['bytes that mean nothing', async (c) => { await c.expectMatch(/\r\n/); await c.send(`${VALUE} ${KEY}\r\n`); await c.hold(); }],
  ['a SERVER_ERROR that repeats key and value', async (c) => { await c.expectMatch(/\r\n/); await c.send(`SERVER_ERROR no room for ${KEY} ${VALUE}\r\n`); }],
  ['a CLIENT_ERROR that repeats key and value', async (c) => { await c.expectMatch(/\r\n/); await c.send(`CLIENT_ERROR bad ${KEY} ${VALUE}\r\n`); }],
  ['ERROR', async (c) => { await c.expectMatch(/\r\n/); await c.send('ERROR\r\n'); }],
  ['a value that its serde cannot read', async (c) => { await c.expectMatch(/\r\n/); await c.send(`VALUE ${KEY} 64 12\r\n${VALUE}\r\nEND\r\n`); }],
  ['something before anything was asked', async (c) => { await c.send('END\r\n'); await c.hold(); }],
  ['a right answer', () => undefined],
];

const CALLS: readonly (readonly [name: string, call: (client: Client) => Promise<unknown>])[] = [
  ['get', (c) => c.get(KEY)],
  ['a get for each of three keys', (c) => Promise.allSettled([c.get(KEY), c.get(`${KEY}-2`), c.get(`${KEY}-3`)])],
  ['gets', (c) => c.gets(KEY)],
  ['gat', (c) => c.gat(KEY, 60)],
  ['getMany', (c) => c.getMany([KEY, `${KEY}-2`, `${KEY}-3`])],
  ['set', (c) => c.set(KEY, VALUE)],
  ['a set without an answer, and a get', (c) => Promise.allSettled([c.set(KEY, VALUE, { noreply: true }), c.get(KEY)])],
  ['setMany', (c) => c.setMany({ [KEY]: VALUE, [`${KEY}-2`]: VALUE })],
  ['delete', (c) => c.delete(KEY)],
  ['deleteMany', (c) => c.deleteMany([KEY, `${KEY}-2`])],
  ['incr', (c) => c.incr(KEY)],
  ['metaGet', (c) => c.metaGet(KEY)],
  ['metaSet', (c) => c.metaSet(KEY, VALUE)],
  ['version', (c) => c.version()],
  ['stats', (c) => c.stats()],
  ['a get that is aborted', (c) => {
    const controller = new AbortController();
    setImmediate(() => { controller.abort(new Error(`nobody wants ${KEY}`)); });
    return c.get(KEY, { signal: controller.signal });
  }],
  ['a get that was aborted before', (c) => c.get(KEY, { signal: AbortSignal.abort() })],
  ['close, with a get under way', (c) => Promise.allSettled([c.get(KEY), c.close()])],
];

const options: ClientOptions = { timeout: 60, connectTimeout: 60, serde: new JsonSerde<CacheValue>() };

const CLASSES: readonly (readonly [name: string, make: (address: string) => Client])[] = [
  ['Client', (address) => new Client(address, options)],
  ['Client with retryTimeout', (address) => new Client(address, { ...options, retryTimeout: 40 })],
  ['Client with ignoreErrors', (address) => new Client(address, { ...options, ignoreErrors: () => { throw new Error('a listener that throws'); } })],
  ['PooledClient', (address) => new PooledClient(address, { ...options, maxPoolSize: 2 })],
  ['HashClient', (address) => new HashClient([address], { ...options, retryTimeout: 40 })],
  ['RetryingClient', (address) => new RetryingClient(new Client(address, options), { attempts: 3 })],
  ['FallbackClient', (address) => new FallbackClient([new Client(address, options), new HashClient([address], options)])],
];

const all = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

function only(client: Client): ServerMetrics {
  const [metrics] = client.metrics().values();
  if (metrics === undefined) throw new Error('no server is listed');
  return metrics;
}

describe.each(FAULTS)('%s', (fault, script) => {
  it.each(CLASSES)('%s: every start has one end, the sums agree, and no message has a key or a value', async (kind, make) => {
    const recorder = new Recorder();
    // All at once: each has a server of its own, whose name tells what was heard of it.
    const done = CALLS.map(async ([name, call]) => {
      const server = await ScriptedServer.start(script, script, script);
      const { address } = server;
      const client = make(address);
      expect(only(client)).toMatchObject({ state: 'healthy', calls: {}, connections: 0, pending: 0 });
      const outcome: unknown = await call(client).catch((error: unknown) => error);
      await client.get('next').catch(() => undefined);
      await client.close();
      await server.close();
      return { where: `${fault}, ${kind}, ${name}`, address, metrics: only(client), outcome };
    });
    const results = await Promise.all(done);
    recorder.stop();
    for (const channel of [CHANNELS.command, CHANNELS.connect] as const) expect(recorder.unbalanced(channel)).toEqual([]);
    expect(recorder.of(CHANNELS.command).length).toBeGreaterThanOrEqual(2 * CALLS.length);
    for (const { where, address, metrics, outcome } of results) {
      expect([where, sumsAgree(metrics), metrics]).toEqual([where, true, metrics]);
      expect([where, metrics.pending, metrics.connections]).toEqual([where, 0, 0]);
      const told = (name: 'tsmemcache:connection:ready' | 'tsmemcache:connection:closed') => recorder.of(name).filter(({ server }) => server === address).length;
      expect([where, metrics.connects, metrics.disconnects]).toEqual([where, told(CHANNELS.connectionReady), told(CHANNELS.connectionClosed)]);
      expect(metrics.connects).toBe(metrics.disconnects);
      expect(metrics.ignored).toBeLessThanOrEqual(all(metrics.errors));
      if (outcome instanceof MemcacheError && outcome.code !== 'MEMCACHE_PARTIAL') {
        expect([where, typeof outcome.server, typeof outcome.command]).toEqual([where, 'string', 'string']);
      }
    }
    for (const { copy, name } of recorder.heard) {
      const text = `${inspect(copy, { depth: 12, showHidden: true })} ${JSON.stringify(copy)}`;
      for (const secret of [KEY, VALUE, 'c0nf', 'next']) if (text.includes(secret)) throw new Error(`${fault}, ${kind}: ${name} tells ${text}`);
    }
  });
});

it('no password is told, nor by inspect', async () => {
  const server = await ScriptedServer.start(async (c) => {
    await c.expectMatch(/\r\n.*\r\n/);
    await c.send(`CLIENT_ERROR authentication failure of ${PASSWORD}\r\n`);
  });
  const recorder = new Recorder();
  const client = new Client(`memcached://user:${PASSWORD}@${server.address}`, { ...options, tls: false, auth: { username: 'user', password: PASSWORD } });
  await client.get(KEY).catch(() => undefined);
  recorder.stop();
  expect(inspect(recorder.heard, { depth: 12, showHidden: true })).not.toContain(PASSWORD);
  expect(recorder.of(CHANNELS.connect)).toMatchObject([{ error: { code: 'MEMCACHE_AUTHENTICATION' } }]);
  expect(only(client)).toMatchObject({ connects: 0, connectFailures: 1, errors: { MEMCACHE_AUTHENTICATION: 1 }, state: 'failing' });
  expect(inspect(client)).not.toContain(PASSWORD);
  await client.close();
  await server.close();
});
