import { Client } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { MemoryStore } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { SimulatedClock } from '../support/simulated-clock';
import { Before } from './support/executors';
import { Database, Process } from './support/fleet';

it.each([false, true])('a server without CAS numbers keeps nobody waiting, and nothing that was loaded; proxy: %s', async (proxy) => {
  const server = await MemcachedServer.start({ cas: false });
  const verbs = new Set<string>();
  const caches = [1, 2].map(() => {
    const client = new Client(server.address, { proxy });
    const seen = new Before(client.executor, (command, go) => {
      verbs.add(command.verb);
      return go();
    });
    return new ReadThroughCache(new Client(seen, client.options), { lease: 3600, leaseWait: 600_000 });
  });
  const [first, second] = caches as [ReadThroughCache, ReadThroughCache];
  const load = first.get('k', async () => {
    // Another process reads and writes meanwhile.
    expect(await second.get('k', () => Promise.resolve('b'))).toBe('b');
    await second.set('k', 'new');
    return 'old';
  });
  expect(await load).toBe('old');
  await first.close();
  for (const cache of caches) expect(await cache.get('k', () => Promise.resolve('loaded'))).toBe('new');
  for (const cache of caches) expect(await cache.get('l', () => Promise.resolve('loaded'))).toBe('loaded');
  // memcached before 1.6 would accept it, whatever stands there.
  expect([...verbs]).not.toContain('cas');
  await Promise.all(caches.map((cache) => cache.close()));
  await server.close();
});

it('what a server without CAS numbers gives too late, or to nobody, takes nothing away and loads nothing', async () => {
  const clock = new SimulatedClock();
  const store = new MemoryStore({ clock, cas: false });
  const [slow, other] = ['slow', 'other'].map((name, i) => new Process(name, store, clock, new Database(clock, 0), {}, i)) as [Process, Process];
  await clock.until(slow.get('first'));
  slow.line.delay = 500;
  const late = slow.get('k');
  await clock.pass(10);
  await clock.until(other.cache.set('k', 'new'));
  expect(await clock.until(late)).toBe('k@0');
  await clock.pass(2000);
  expect(await clock.until(other.cache.peek('k'))).toBe('new');
  slow.line.delay = 20;
  const controller = new AbortController();
  const load = jest.fn(() => 'loaded');
  const gone = slow.cache.get('l', load, { signal: controller.signal }).catch(() => 'gone');
  await clock.pass(10);
  controller.abort();
  await clock.until(other.cache.set('l', 'new'));
  await clock.pass(2000);
  expect(await clock.until(gone)).toBe('gone');
  expect(load).not.toHaveBeenCalled();
  expect(await clock.until(other.get('l'))).toBe('new');
});
