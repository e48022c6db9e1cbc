import { setTimeout as wait } from 'node:timers/promises';
import { Client, HashClient, PooledClient, RetryingClient, type ClientOptions } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { ScriptedServer } from '../support/scripted-server';
import { MemcachedServer } from '../../src/server';
import { turns, VirtualClock } from '../support/virtual-clock';

const kinds: [name: string, make: (address: string, options?: ClientOptions) => Client][] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
  ['HashClient of pools', (address, options) => new HashClient([address], { ...options, usePooling: true })],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
];

describe.each(kinds)('close() of a %s', (_, make) => {
  it.concurrent.each([0, 2 ** 31 - 1])('lets what is in flight finish when timeout is %i', async (timeout) => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout, connectTimeout: timeout === 0 ? 100 : timeout });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 300 });
    const value = client.get('k');
    await wait(20);
    const closed = client.close();
    expect(await value).toBe('v');
    await closed;
  });

  it.concurrent('what it lets finish is pending until then, and so is what was called since', async () => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout: 20_000 });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 1000 });
    const pending = (): number[] => [...client.metrics().values()].map((metrics) => metrics.pending);
    const before = [client.get('k'), client.get('k')];
    await wait(20);
    const closed = client.close();
    expect(pending()).toEqual([2]);
    const since = client.get('k');
    await wait(20);
    expect(pending()).toEqual([3]);
    if (client instanceof HashClient) expect(client.servers()).toMatchObject([{ inFlight: 3 }]);
    await Promise.all([...before, since, closed]);
    await client.close();
    expect(pending()).toEqual([0]);
  });

  it.concurrent('ends when the one that was called first has ended', async () => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout: 20_000 });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 200 });
    let settled = false;
    const value = client.get('k').finally(() => (settled = true));
    await wait(20);
    const seen = [client.close(), client.close()].map((closing) => closing.then(() => settled));
    expect(await Promise.all(seen)).toEqual([true, true]);
    expect(await value).toBe('v');
    // And it can be used again.
    server.faults = undefined;
    expect(await client.get('k')).toBe('v');
    await client.close();
  });

  it.concurrent.each<[string, (client: Client) => Promise<void>]>([
    ['close', (client) => client.close()],
    ['quit', (client) => client.quit()],
  ])('%s() lets calls finish whose connection ends before they are written', async (name, end) => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout: 20_000 });
    await client.set('k', 'v');
    // Nothing is written after a raw command until it is answered, and an error ends its connection, as quit does.
    const ended = name === 'quit' ? end(client) : undefined;
    let settled = 0;
    const calls = [client.raw('nonsense'), client.get('k'), client.set('a', 1), client.raw('nonsense'), client.get('a'), client.delete('k')].map((call) =>
      call.catch((error: unknown) => error).finally(() => settled++),
    );
    await (ended ?? end(client));
    expect(settled).toBe(calls.length);
    const refused = { code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'executed' };
    expect(await Promise.all(calls)).toMatchObject([refused, 'v', true, refused, 1, true]);
    expect([...client.metrics().values()]).toMatchObject([{ pending: 0 }]);
    await client.close();
  });

  it.concurrent.each(['before', 'after'])('does not wait for an answer that nobody waits for: calls aborted %s it', async (when) => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout: 0, connectTimeout: 100 });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 100_000 });
    const abort = new AbortController();
    // More than the connections of a pool carry, so that some wait for a connection.
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      calls.push(...Array.from({ length: 2000 }, () => client.get('k', { signal: abort.signal }).catch((error: unknown) => error)));
      await wait(1);
    }
    let closed: Promise<void> | undefined;
    if (when === 'after') closed = client.close();
    await wait(20);
    abort.abort();
    closed ??= client.close();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([abort.signal.reason]));
    await closed;
    server.faults = undefined;
    expect(await client.get('k')).toBe('v');
    await client.close();
  });

  it.concurrent('waits for the others when some are aborted', async () => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout: 0, connectTimeout: 100 });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 200 });
    const abort = new AbortController();
    const aborted = client.get('k', { signal: abort.signal }).catch((error: unknown) => error);
    const [value, stored] = [client.get('k'), client.set('l', 'of l', { noreply: true })];
    await wait(20);
    const closed = client.close();
    abort.abort();
    expect(await Promise.all([aborted, value, stored])).toEqual([abort.signal.reason, 'v', true]);
    await closed;
    server.faults = undefined;
    expect(await client.get('l')).toBe('of l');
    await client.close();
  });
});

it('a call that is made while it waits has a connection of its own, and is not waited for', async () => {
  const server = await ScriptedServer.start(async (connection) => {
    await connection.expect('get a\r\n');
    await connection.send('END\r\n');
    await connection.closed;
  });
  const client = new Client(server.address);
  const before = client.get('a');
  const closed = client.close();
  const after = client.set('b', 1);
  expect(await Promise.all([before, closed, after])).toEqual([undefined, undefined, true]);
  expect(server.connections).toHaveLength(2);
  await client.close();
  await server.close();
  expect(server.failures).toEqual([]);
});

it('an EmbeddedClient closes any number of times', async () => {
  const client = new EmbeddedClient();
  await client.set('k', 'v');
  await Promise.all([client.close(), client.close()]);
  expect(await client.get('k')).toBe('v');
  await client.close();
});

it('no new socket is left behind when it comes during a retry delay', async () => {
  const server = await ScriptedServer.start();
  let opened = 0;
  let open = 0;
  const connect: Connect = (address, options, handler) => {
    opened++;
    open++;
    return connectSocket(address, options, {
      ...handler,
      onOpen: () => { handler.onOpen(); },
      onData: (buffer, length) => { handler.onData(buffer, length); },
      onDrain: () => { handler.onDrain(); },
      onClose: (cause) => {
        open--;
        handler.onClose(cause);
      },
    });
  };
  server.next(async (connection) => {
    await connection.expect('get k\r\n');
    await connection.fin();
  });
  const clock = new VirtualClock();
  const client = new RetryingClient(new Client(server.address, { clock, connect }), { attempts: 5, retryDelay: 100 });
  const outcome = client.get('k').catch((error: unknown) => error);
  while (opened === 0 || open > 0) await turns(1);
  await clock.advance(50);
  await client.close();
  expect(await outcome).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE' });
  await clock.advance(250);
  expect([opened, open]).toEqual([1, 0]);
  await server.close();
});
