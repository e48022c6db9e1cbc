import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { CHANNELS, ManualClock, RetryingClient, type CacheMessage, type LoadMessage } from '../../src';
import { ReadThroughCache, type CacheEvent } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { MemoryStore } from '../../src/server';
import { BoundStore } from '../observe/bound-store';
import { illegal } from '../support/contract';
import { toPrometheus } from '../../src/telemetry/prometheus';
import { lint, valueOf } from '../telemetry/exposition';

it('the channels tell what happens, without keys', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { namespace: 'shop' });
  const heard: unknown[] = [];
  const storage = new AsyncLocalStorage<string>();
  const contexts: unknown[] = [];
  const hear = (message: unknown): void => {
    heard.push({ ...(message as object) });
  };
  const ends: unknown[] = [];
  const endLoad = (message: unknown): void => {
    hear(message);
    ends.push((message as { outcome: unknown }).outcome);
  };
  const traces = { start: () => contexts.push(storage.getStore()), end: () => undefined, asyncStart: () => undefined, asyncEnd: endLoad, error: () => undefined };
  subscribe(CHANNELS.cache, hear);
  tracingChannel(CHANNELS.load).subscribe(traces);
  try {
    await storage.run('request', () => cache.get('secret', () => 'value'));
    await cache.get('secret', () => 'value');
    await cache.get('broken', () => Promise.reject(new Error('the words of a database'))).catch(() => undefined);
  } finally {
    unsubscribe(CHANNELS.cache, hear);
    tracingChannel(CHANNELS.load).unsubscribe(traces);
  }
  expect(contexts).toEqual(['request', undefined]);
  expect(ends).toEqual(['loaded', 'load-error']);
  const text = JSON.stringify(heard);
  expect(text).toContain('"outcome":"hit"');
  expect(text).toContain('"outcome":"load-error"');
  expect(text).not.toMatch(/secret|value|words of a database/);
  expect(heard).toContainEqual({ clientId: expect.any(Number) as number, name: 'shop', outcome: 'stored' });
  await client.close();
});

it('what is bound to the start of a load is there in the loader and at its end', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client);
  const { storage, seen, stop } = new BoundStore(CHANNELS.load);
  try {
    await cache.get('a', () => {
      seen.push(storage.getStore() !== undefined);
      return Promise.resolve(1);
    });
    await cache.get('b', () => Promise.reject(new Error('no'))).catch(() => undefined);
  } finally {
    stop();
  }
  expect(seen).toEqual(new Array<boolean>(10).fill(true));
  expect(storage.getStore()).toBeUndefined();
  await client.close();
});

it('each load that has begun ends, and no part of a batch begins that is given up before its turn', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { maxLoads: 1, loadTimeout: 50 });
  const begun = new Set<unknown>();
  let starts = 0;
  const start = (message: unknown): void => {
    starts++;
    begun.add(message);
  };
  const asyncEnd = (message: unknown): void => { begun.delete(message); };
  const ignore = (): void => undefined;
  const traces = { start, end: ignore, asyncStart: ignore, asyncEnd, error: ignore };
  tracingChannel(CHANNELS.load).subscribe(traces);
  let finish: (value: string) => void = ignore;
  const first = cache.get('first', () => new Promise<string>((resolve) => { finish = resolve; }), { loadTimeout: 0 });
  const controller = new AbortController();
  const gone = cache.getMany(['a', 'b'], (keys) => [...keys], { signal: controller.signal });
  setTimeout(() => { controller.abort(new Error('gone')); }, 20);
  await expect(gone).rejects.toThrow('gone');
  expect(starts).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  // They have left the queue, and do not end only when their turn comes.
  expect(begun.size).toBe(1);
  finish('value');
  await first;
  await cache.close();
  tracingChannel(CHANNELS.load).unsubscribe(traces);
  expect(begun.size).toBe(0);
  await client.close();
});

it('a loader may throw what throws when it is looked at: the caller gets it, and the load has its end', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client);
  const thrown = Object.defineProperty(new Error('a'), 'name', { get: () => { throw new Error('no name'); } });
  const outcomes: unknown[] = [];
  const listen = (message: unknown): void => { outcomes.push((message as LoadMessage).outcome, (message as LoadMessage).error?.code); };
  subscribe(`tracing:${CHANNELS.load}:asyncEnd`, listen);
  const reason = await cache.get('a', () => { throw thrown; }).catch((error: unknown) => error);
  unsubscribe(`tracing:${CHANNELS.load}:asyncEnd`, listen);
  expect(reason === thrown).toBe(true);
  expect(outcomes).toEqual(['load-error', 'ERROR']);
  await cache.close();
  await client.close();
});

it('a load whose loader never ends has its end when it is given up, in its own context', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { loadTimeout: 20, closeTimeout: 20, earlyRefresh: 0 });
  const { storage, seen, stop } = new BoundStore(CHANNELS.load);
  const ends: (string | undefined)[] = [];
  const asyncEnd = (message: unknown): void => { ends.push((message as LoadMessage).error?.code); };
  subscribe(`tracing:${CHANNELS.load}:asyncEnd`, asyncEnd);
  const never = (): Promise<number> => new Promise(() => undefined);
  let late: (value: number) => void = () => undefined;
  try {
    await expect(cache.get('a', never)).rejects.toThrow('loadTimeout');
    await expect(cache.get('b', () => new Promise<number>((resolve) => { late = resolve; }))).rejects.toThrow('loadTimeout');
    late(1);
    const controller = new AbortController();
    const given = cache.get('c', never, { signal: controller.signal, abortUnused: true, loadTimeout: 0 });
    while (cache.stats().load < 3) await new Promise((resolve) => setImmediate(resolve));
    storage.run(undefined, () => { controller.abort(); });
    await expect(given).rejects.toThrow();
    const closed = cache.get('d', never, { loadTimeout: 0 });
    while (cache.stats().load < 4) await new Promise((resolve) => setImmediate(resolve));
    await cache.close();
    await expect(closed).rejects.toThrow('closed');
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    unsubscribe(`tracing:${CHANNELS.load}:asyncEnd`, asyncEnd);
    stop();
  }
  expect(ends).toEqual(['MEMCACHE_LOAD_TIMEOUT', 'MEMCACHE_LOAD_TIMEOUT', 'ABORTED', 'ABORTED']);
  expect(cache.stats()['late-load']).toBe(1);
  expect(seen).not.toContain(false);
  await client.close();
});

it('messages tell how old a value is, as far as its time to live tells', async () => {
  const clock = new ManualClock();
  const client = new EmbeddedClient(new MemoryStore({ clock }), { clock });
  const cache = new ReadThroughCache(client, { clock, expire: 60, stale: 30, jitter: 0, earlyRefresh: 0 });
  const heard: CacheMessage[] = [];
  const loads: LoadMessage[] = [];
  const hear = (message: unknown): void => { heard.push(message as CacheMessage); };
  const hearLoad = (message: unknown): void => { loads.push({ ...(message as LoadMessage) }); };
  subscribe(CHANNELS.cache, hear);
  subscribe(`tracing:${CHANNELS.load}:asyncEnd`, hearLoad);
  const read = async (key: string, expire: number | (() => number)): Promise<void> => {
    await cache.get(key, () => 1, { expire });
    // What it stores, or refreshes, is done by then.
    await cache.close();
  };
  await read('k', 60);
  clock.advance(20_000);
  await read('k', 60);
  clock.advance(50_000);
  await read('k', 60);
  await read('f', () => 60);
  await read('f', () => 60);
  unsubscribe(CHANNELS.cache, hear);
  unsubscribe(`tracing:${CHANNELS.load}:asyncEnd`, hearLoad);
  const ages = (outcome: string): unknown[] => heard.filter((message) => message.outcome === outcome).map(({ ageMs }) => ageMs);
  expect({ hits: ages('hit'), stale: ages('stale-hit'), refresh: ages('refresh') }).toEqual({ hits: [20_000, undefined], stale: [70_000], refresh: [70_000] });
  expect(loads.map(({ ageMs }) => ageMs)).toEqual([undefined, 70_000, undefined]);
  await client.close();
});

it('diagnostics.key shows of a key what it makes of it', async () => {
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { diagnostics: { key: (key) => String(key).split(':')[0] ?? '' } });
  const careless = new ReadThroughCache(client, { diagnostics: { key: (key) => illegal({ key }) } });
  const heard: { key?: string }[] = [];
  const hear = (message: unknown): void => {
    heard.push(message as { key?: string });
  };
  subscribe(CHANNELS.cache, hear);
  await cache.get('user:1', () => 'value');
  await careless.get('user:2', () => 'value');
  unsubscribe(CHANNELS.cache, hear);
  // What is no string is not shown.
  expect([...new Set(heard.map(({ key }) => key))]).toEqual(['user', undefined]);
  await client.close();
});

it('diagnostics.key of the client holds for its cache too, but not against that of the cache', async () => {
  const client = new EmbeddedClient(undefined, { diagnostics: { key: (key) => String(key).split(':')[0] ?? '' } });
  const cache = new ReadThroughCache(client);
  const over = new ReadThroughCache(new RetryingClient(client), { diagnostics: { key: () => 'its own' } });
  const heard: { key?: string }[] = [];
  const hear = (message: unknown): void => {
    heard.push(message as { key?: string });
  };
  const channels = [CHANNELS.cache, `tracing:${CHANNELS.load}:asyncEnd`];
  for (const channel of channels) subscribe(channel, hear);
  await cache.get('user:1', () => 'value');
  await over.get('user:2', () => 'value');
  for (const channel of channels) unsubscribe(channel, hear);
  expect([...new Set(heard.map(({ key }) => key))]).toEqual(['user', 'its own']);
  await client.close();
});

it('observe hears events with their zone, and never a value', async () => {
  const events: CacheEvent[] = [];
  const client = new EmbeddedClient();
  const cache = new ReadThroughCache(client, { observe: (event) => events.push(event) });
  await cache.get('k', () => 'the value itself');
  await cache.get('k', () => 'the value itself');
  await cache.close();
  expect(events.map(({ type }) => type)).toEqual(['miss', 'lease-won', 'load', 'stored', 'hit']);
  expect(events.find(({ type }) => type === 'hit')).toMatchObject({ key: 'k', zone: 'fresh', ms: expect.any(Number) as number });
  expect(JSON.stringify(events)).not.toContain('the value itself');
  await client.close();
});

it('a cache may stand among the clients of toPrometheus', async () => {
  const client = new EmbeddedClient();
  const caches = [new ReadThroughCache(client, { name: 'users' }), new ReadThroughCache(client, { name: 'users' })];
  for (const cache of caches) await cache.get('k', () => 'v');
  const text = toPrometheus([client, ...caches]);
  // Where promtool is missing it has nothing to say.
  expect(lint(text)?.ok).not.toBe(false);
  expect(valueOf(text, 'tsmemcache_cache_events_total', { cache: 'users', event: 'hit' })).toBe(1);
  expect(valueOf(text, 'tsmemcache_cache_events_total', { cache: 'users', event: 'load' })).toBe(1);
  expect(valueOf(text, 'tsmemcache_cache_loads', { cache: 'users' })).toBe(0);
  // What goes up and down is no counter.
  expect(text).not.toMatch(/cache_events_total\{[^}]*event="(?:loads|queued|flights|l1-entries|l1-bytes)"/);
  await client.close();
});
