import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CHANNELS, Client, PooledClient } from '../../src';
import { failure, rejection } from '../support/contract';
import { ScriptedServer } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

let server: ScriptedServer;
beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(() => server.close());

it('more calls than maxPending are refused at once, and unsent; the others are answered', async () => {
  const client = new Client(server.address, { maxPending: 100 });
  const calls = Array.from({ length: 150 }, (_, i) => client.set(`k${i}`, i));
  const outcomes = await Promise.allSettled(calls);
  for (const [i, outcome] of outcomes.entries()) {
    if (i < 100) expect(outcome).toEqual({ status: 'fulfilled', value: true });
    else expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_OVERLOADED', certainty: 'notSent', command: 'set' } });
  }
  expect(await client.get('k7')).toBe(7);
  expect(await client.get('k120')).toBeUndefined();
  await client.close();
});

it('what close() lets finish takes no place of the calls that are made since', async () => {
  server.next((connection) => connection.hold());
  const client = new Client(server.address, { maxPending: 1, timeout: 0 });
  const abort = new AbortController();
  const first = rejection(client.get('a', { signal: abort.signal }));
  const closed = client.close();
  expect(await client.get('b')).toBeUndefined();
  abort.abort();
  expect(await first).toMatchObject({ name: 'AbortError' });
  await Promise.all([closed, client.close()]);
});

it('each refusal is told on its channel, with what the limits were', async () => {
  const heard: unknown[] = [];
  const listen = (message: unknown): unknown => heard.push(message);
  subscribe(CHANNELS.overload, listen);
  const client = new Client(server.address, { maxPending: 1, timeout: 300 });
  const pool = new PooledClient(server.address, { maxPoolSize: 1, maxWaiting: 1, timeout: 400 });
  await Promise.allSettled([client.get('a'), client.getMany(['a', 'b']), pool.set('a', 1), pool.delete('a')]);
  unsubscribe(CHANNELS.overload, listen);
  expect(heard).toEqual([
    { clientId: client.clientId, server: server.address, command: 'get', pending: 1, limitMs: 300 },
    { clientId: pool.clientId, server: server.address, command: 'delete', pending: 1, limitMs: 400 },
  ]);
  await Promise.all([client.close(), pool.close()]);
});

it('a server that reads nothing holds up no more than a little: the rest waits, and can be withdrawn', async () => {
  server.next((connection) => {
    connection.pause();
    return connection.hold();
  });
  const clock = new VirtualClock();
  const client = new Client(server.address, { clock, timeout: 1000 });
  const value = Buffer.alloc(1_000_000, 'x');
  const before = process.memoryUsage();
  const abort = new AbortController();
  const calls = Array.from({ length: 500 }, (_, i) => client.set(`k${i}`, value, i === 499 ? { signal: abort.signal } : {}));
  const outcomes = Promise.allSettled(calls);
  await turns(200);
  abort.abort(new Error('no longer wanted'));
  const during = process.memoryUsage();
  expect(during.arrayBuffers + during.external - before.arrayBuffers - before.external).toBeLessThan(20_000_000);
  await clock.advance(1001);
  const certainties = new Map<unknown, number>();
  for (const [i, outcome] of (await outcomes).entries()) {
    if (outcome.status === 'fulfilled') throw new Error('nobody answered');
    const { code, certainty, message } = outcome.reason as { code?: string; certainty?: string; message: string };
    if (i === 499) expect(message).toBe('no longer wanted');
    else expect(code).toBe('MEMCACHE_TIMEOUT');
    certainties.set(certainty, (certainties.get(certainty) ?? 0) + 1);
  }
  // What never left is known to have had no effect.
  expect(certainties.get('notSent')).toBeGreaterThan(450);
  expect(certainties.get('maybeExecuted')).toBeGreaterThan(0);
  await client.close();
});

it('calls that wait on a slow server get through when it reads again', async () => {
  server.next(async (connection) => {
    connection.pause();
    await turns(50);
    connection.resume();
  });
  const client = new Client(server.address, { timeout: 10_000 });
  const value = Buffer.alloc(200_000, 'y');
  const calls = Array.from({ length: 100 }, (_, i) => client.set(`k${i}`, value));
  expect(await Promise.all(calls)).toEqual(calls.map(() => true));
  expect(value.equals((await client.get<Buffer>('k99')) ?? Buffer.alloc(0))).toBe(true);
  await client.close();
});

it('a pool refuses what is beyond maxWaiting', async () => {
  server.next((connection) => connection.hold());
  const clock = new VirtualClock();
  const client = new PooledClient(server.address, { clock, maxPoolSize: 1, maxPending: 1, maxWaiting: 5 });
  const calls = Array.from({ length: 20 }, (_, i) => failure(client.get(`k${i}`)));
  await turns();
  await clock.advance(6000);
  const codes = (await Promise.all(calls)).map(({ code }) => code);
  expect(codes).toContain('MEMCACHE_OVERLOADED');
  expect(codes.filter((code) => code !== 'MEMCACHE_OVERLOADED').length).toBeLessThanOrEqual(7);
  await client.close();
});

it.each([32_768, 100])('a loop that awaits its commands without answer is slowed down, not refused, with maxPending %d', async (maxPending) => {
  const client = new Client(server.address, { maxPending });
  for (let i = 0; i < 40_000; i++) await client.set('k', i, { noreply: true });
  expect(await client.get('k')).toBe(39_999);
  await client.close();
});

it.each([[2, 1], [32_768, 1024]])('calls that were withdrawn before they were sent hold up none without an answer, with maxPending %d', async (maxPending, withdrawn) => {
  const client = new Client(server.address, { maxPending, timeout: 0 });
  await client.set('k', 'old');
  const abort = new AbortController();
  const gets = Array.from({ length: withdrawn }, (_, i) => client.get(`k${i}`, { signal: abort.signal }).catch(() => 'aborted'));
  abort.abort();
  expect(await client.set('k', 'new', { noreply: true })).toBe(true);
  expect(new Set(await Promise.all(gets))).toEqual(new Set(['aborted']));
  expect(await client.get('k')).toBe('new');
  await client.close();
});
