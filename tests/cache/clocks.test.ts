import { Client, type Clock } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { systemClock } from '../../src/runtime/clock';
import { MemcachedServer } from '../../src/server';

const DAY = 86_400;

/** The machine's clock, whose time of day a test may set. */
function settable(): { readonly clock: Clock; set: (milliseconds: number) => void } {
  let ahead = 0;
  return {
    clock: { ...systemClock, time: () => systemClock.time() + ahead },
    set: (milliseconds) => {
      ahead = milliseconds;
    },
  };
}

describe('clocks that are wrong', () => {
  it.each([
    ['stale', 20, 0], ['stale', 40, 300], ['stale', 40, -300],
    ['staleIfError', 20, 0], ['staleIfError', 40, 300], ['staleIfError', 40, -300],
  ] as const)('what is kept by %s for %i days is loaded once, also by a process whose clock is %i s off that of the server', async (option, days, seconds) => {
    await using server = await MemcachedServer.start();
    const { clock, set } = settable();
    set(seconds * 1000);
    await using client = new Client(server.address, { clock });
    const options: CacheOptions = { stale: 0, [option]: days * DAY, jitter: 0, earlyRefresh: 0 };
    let loads = 0;
    for (let process = 0; process < 2; process++) {
      const cache = new ReadThroughCache(client, options);
      for (let read = 0; read < 5; read++) expect(await cache.get('k', () => ++loads)).toBe(1);
      await cache.close();
    }
    expect(loads).toBe(1);
  });

  it('when the time of day is set, what is cached stays so, and what is invalidated does not come back', async () => {
    await using server = await MemcachedServer.start();
    const { clock, set } = settable();
    await using client = new Client(server.address, { clock });
    const cache = new ReadThroughCache(client, { stale: 30, l1: { admit: 'all' }, namespace: 'n', tags: ['tag'] });
    let loads = 0;
    const read = (): Promise<number> => cache.get('k', () => ++loads);
    let expected = 1;
    for (const days of [0, 1, -1, 400, -400, 0]) {
      set(days * DAY * 1000);
      expect(await read()).toBe(expected);
      await cache.delete('k');
      expect(await read()).toBe(++expected);
      await cache.invalidateTags('tag');
      expect(await read()).toBe(++expected);
      await cache.invalidateNamespace();
      expect(await read()).toBe(++expected);
    }
    await cache.close();
  });
});
