import { AsyncLocalStorage } from 'node:async_hooks';
import { MemcacheIllegalInputError, TypedSerde, VersionedSerde } from '../../src';
import { ReadThroughCache, type CacheEvent } from '../../src/cache';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { turns } from '../support/virtual-clock';
import { Fleet } from './support/fleet';

describe('context and listeners', () => {
  it('a load in front belongs to its caller, a refresh to none', async () => {
    const storage = new AsyncLocalStorage<string>();
    const fleet = new Fleet(1, 0, { expire: 5, stale: 60, earlyRefresh: 0 });
    const { cache } = fleet.processes[0]!;
    const seen: unknown[] = [];
    const load = (): string => {
      seen.push(storage.getStore());
      return 'v';
    };
    await fleet.clock.until(storage.run('first', () => cache.get('k', load)));
    await fleet.clock.pass(7000);
    await fleet.clock.until(storage.run('second', () => cache.get('k', load)));
    await fleet.clock.pass(10);
    expect(seen).toEqual(['first', undefined]);
  });

  it('loads that another process has given up belong each to the call that waited for it', async () => {
    const storage = new AsyncLocalStorage<string>();
    const store = new MemoryStore();
    const [failing, waiting] = [1, 2].map(() => new ReadThroughCache(new EmbeddedClient(store)));
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    let giveUp: (error: Error) => void = () => undefined;
    const load = new Promise<never>((_, reject) => (giveUp = reject));
    const failed = keys.map((key) => failing!.get(key, () => load).catch(() => 'failed'));
    while (failing!.stats().load < keys.length) await turns(1);
    const seen = keys.map((key) => storage.run(key, () => waiting!.get(key, () => storage.getStore() ?? 'none')));
    while (waiting!.stats()['lease-lost'] < keys.length) await turns(1);
    giveUp(new Error('the database is down'));
    expect(await Promise.all(seen)).toEqual(keys);
    await Promise.all(failed);
  });

  it('an observer that throws harms nobody', async () => {
    const fleet = new Fleet(1, 0, {
      observe: () => {
        throw new Error('mine');
      },
    });
    expect((await fleet.herd(1, 'k')).values).toEqual(['k@0']);
  });

  it('a value of another version is a miss, and no error', async () => {
    const store = new MemoryStore();
    const caches = [1, 2].map((version) => new ReadThroughCache(new EmbeddedClient(store, { serde: new VersionedSerde(new TypedSerde(), version) })));
    for (const cache of caches) {
      expect(await cache.get('k', () => 'value')).toBe('value');
      await cache.close();
    }
    expect(caches[1]!.stats()).toMatchObject({ miss: 1, load: 1, stored: 1, 'decode-error': 0 });
  });

  it.each(['expire', 'tags'] as const)('a function %s that throws is named where it is heard of', async (name) => {
    const events: CacheEvent[] = [];
    const cache = new ReadThroughCache(new EmbeddedClient(), { observe: (event) => events.push(event) });
    const cause = new TypeError("cannot read properties of undefined (reading 'x')");
    const options = { [name]: () => { throw cause; } };
    expect(await cache.get('k', () => 'value', options)).toBe('value');
    await cache.close();
    const said = expect.objectContaining({ message: `the function ${name} has thrown; see cause`, cause }) as unknown;
    expect(events.filter(({ error }) => error !== undefined)).toEqual([{ type: 'store-error', key: 'k', error: said }]);
    const set = cache.set('k', 'value', options);
    await expect(set).rejects.toEqual(said);
    await expect(set).rejects.toBeInstanceOf(MemcacheIllegalInputError);
  });
});
