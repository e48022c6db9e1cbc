import { getEventListeners } from 'node:events';
import { Client, HashClient, PooledClient, type Connect } from '../../src';
import { onAbort } from '../../src/client/abort';
import { GetCommand } from '../../src/client/commands/retrieval';
import { MemcachedServer } from '../../src/server';
import { freePort } from '../support/memcached';

it('many calls that follow one signal are one listener, which goes with the last of them', async () => {
  const server = await MemcachedServer.start();
  const client = new Client(server.address);
  const warnings: unknown[] = [];
  const onWarning = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on('warning', onWarning);
  const { signal } = new AbortController();
  const calls = Array.from({ length: 100 }, (_, i) => client.set(`k${i}`, i, { signal }));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await Promise.all(calls);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  await client.close();
  await server.close();
});

it('tells everyone who still waits, once', () => {
  const abort = new AbortController();
  const told: string[] = [];
  const ends = ['a', 'b', 'c', 'd'].map((name) => onAbort(abort.signal, () => told.push(name)));
  ends[1]?.();
  ends[1]?.();
  // One that is told may end the waiting of another.
  onAbort(abort.signal, () => ends[3]?.());
  abort.abort();
  abort.abort();
  for (const end of ends) end();
  expect(told).toEqual(['a', 'c', 'd']);
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
});

it('the second end of one does not end the waiting of others', () => {
  const abort = new AbortController();
  const told: string[] = [];
  const end = onAbort(abort.signal, () => told.push('first'));
  end();
  onAbort(abort.signal, () => told.push('second'));
  end();
  abort.abort();
  expect(told).toEqual(['second']);
});

it.each(['get', 'gets', 'gat', 'gats'] as const)('a %s that is aborted when it is written does no harm to the calls around it', async (verb) => {
  const server = await MemcachedServer.start();
  const client = new Client(server.address);
  await client.setMany([['a', 1], ['b', 2]]);
  const abort = new AbortController();
  const read = (key: string, signal?: AbortSignal): Promise<unknown> =>
    verb === 'gat' || verb === 'gats' ? client[verb](key, 100, { signal }) : client[verb](key, { signal });
  const calls = [read('a', abort.signal), read('a'), read('b', abort.signal), read('a', abort.signal), read('none', abort.signal), client.set('c', 3)];
  // The end of this tick writes them; their reply is read later.
  process.nextTick(() => { abort.abort(new Error('enough')); });
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled']);
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ message: 'enough' });
  expect(await client.get('c')).toBe(3);
  const metrics = client.metrics().get(server.address);
  expect(metrics).toMatchObject({ connects: 1, disconnects: 0, errors: {}, aborted: 4, hits: 2 });
  await client.close();
  await server.close();
});

const refusing: [string, (address: string) => Client, aborted: number][] = [
  ['Client with a retryTimeout', (address) => new Client(address, { retryTimeout: 60_000 }), 6],
  ['PooledClient with a retryTimeout', (address) => new PooledClient(address, { retryTimeout: 60_000 }), 6],
  ['HashClient whose server is failing', (address) => new HashClient([address], { retryTimeout: 60_000 }), 6],
  // Only what is for the server itself reaches it.
  ['HashClient whose servers are dead', (address) => new HashClient([address], { retryAttempts: 0 }), 1],
  ['HashClient with ignoreErrors', (address) => new HashClient([address], { retryAttempts: 0, ignoreErrors: true }), 1],
];

it.each(refusing)('a call that is aborted already rejects with the reason, also by a %s', async (_, make, aborted) => {
  const address = `127.0.0.1:${await freePort()}`;
  const client = make(address);
  await client.set('a', 1).catch(() => undefined);
  const reason = new Error('not wanted');
  const options = { signal: AbortSignal.abort(reason) };
  const calls = [
    client.get('a', options),
    client.set('a', 1, options),
    client.getMany(['a'], options),
    client.setMany({ a: 1 }, options),
    client.metaGet('a', options),
    client.version(options),
  ];
  expect(await Promise.allSettled(calls)).toEqual(calls.map(() => ({ status: 'rejected', reason })));
  expect(client.metrics().get(address)).toMatchObject({ aborted, errors: { MEMCACHE_CONNECT: 1 } });
  await client.close();
});

it('calls that were aborted and are not answered are not looked at again for each call made later', async () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let end = (): void => undefined;
  const connect: Connect = (_address, _options, handler) => {
    handler.onOpen();
    end = () => { handler.onClose(undefined); };
    return { write: () => undefined, cork: () => undefined, uncork: () => undefined, backlog: 0, destroy: () => { setImmediate(end); }, ref: () => undefined, unref: () => undefined };
  };
  const client = new Client('silent', { connect, timeout: 0 });
  const abort = new AbortController();
  const given = Array.from({ length: 5000 }, (_, i) => client.get(`k${i}`, { signal: abort.signal }));
  await turn();
  abort.abort();
  await Promise.allSettled(given);
  await turn();
  const looks = jest.spyOn(GetCommand.prototype, 'ofCaller', 'get');
  const later: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    later.push(client.get('k'));
    await turn();
  }
  // A few for each of them, not one for each that was aborted.
  expect(looks.mock.calls.length).toBeGreaterThan(0);
  expect(looks.mock.calls.length).toBeLessThan(10_000);
  looks.mockRestore();
  end();
  await Promise.allSettled(later);
  await client.close();
});
