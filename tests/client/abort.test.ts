import { getEventListeners } from 'node:events';
import { Client, type Connect } from '../../src';
import { onAbort } from '../../src/client/abort';
import { MemcachedServer } from '../../src/server';

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

it('calls made later cost no more because thousands before them were aborted and are not answered', async () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  /** Microseconds for calls that are each made in a turn of their own. */
  const cpuAfter = async (aborted: number): Promise<number> => {
    let end = (): void => undefined;
    const connect: Connect = (_address, _options, handler) => {
      handler.onOpen();
      end = () => { handler.onClose(undefined); };
      return { write: () => undefined, cork: () => undefined, uncork: () => undefined, backlog: 0, destroy: () => { setImmediate(end); }, ref: () => undefined, unref: () => undefined };
    };
    const client = new Client('silent', { connect, timeout: 0 });
    const abort = new AbortController();
    const given = Array.from({ length: aborted }, (_, i) => client.get(`k${i}`, { signal: abort.signal }));
    await turn();
    abort.abort();
    await Promise.allSettled(given);
    const before = process.cpuUsage();
    const later: Promise<unknown>[] = [];
    for (let i = 0; i < 1500; i++) {
      later.push(client.get('k'));
      await turn();
    }
    const { user, system } = process.cpuUsage(before);
    end();
    await Promise.allSettled(later);
    return user + system;
  };
  await cpuAfter(0);
  const cpu = await cpuAfter(0);
  // Were each of them to look at 30 000 calls, that would be three quarters of a second more.
  expect(await cpuAfter(30_000)).toBeLessThan(4 * cpu + 100_000);
});
