import { Client, MemcacheConnectError } from '../../src';
import { ReadThroughCache, type CacheOptions } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { Fleet } from './support/fleet';

describe('values in pieces', () => {
  const large = { text: 'y'.repeat(3000) };
  /** Items of at most 1000 bytes. */
  const small = (client: Client): Client => new Client(client.executor, { ...client.options, maxValueSize: 1000 });
  const options: CacheOptions = { chunk: { maxValue: 5000 }, expire: 600 };

  it('a value larger than an item is stored once and read by all, each with an object of its own', async () => {
    const fleet = new Fleet(2, 10, options, small);
    fleet.database.value = () => large;
    await fleet.herd(3, 'k');
    await fleet.clock.pass(10);
    const { values } = await fleet.herd(3, 'k');
    expect(values).toEqual(Array(6).fill(large));
    expect(new Set(values).size).toBe(6);
    expect(fleet.database.loads).toBe(1);
    expect(fleet.count('hit')).toBeGreaterThanOrEqual(6);
    expect(await fleet.clock.until(fleet.processes[1]!.cache.peek('k'))).toEqual(large);
    for (const item of fleet.store.items()) expect(fleet.store.secondsLeft(item)).toBeGreaterThan(500);
    await fleet.clock.until(fleet.processes[0]!.cache.set('s', large));
    expect(await fleet.clock.until(fleet.processes[1]!.get('s'))).toEqual(large);
    expect(fleet.database.loads).toBe(1);
  });

  it('with tags, and with a near cache', async () => {
    const fleet = new Fleet(2, 0, { ...options, tags: ['t'], l1: { admit: 'all' } }, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    for (let i = 0; i < 3; i++) expect((await fleet.herd(2, 'k')).values).toEqual(Array(4).fill(large));
    expect(fleet.database.loads).toBe(1);
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateTags('t'));
    await fleet.clock.until(fleet.processes[0]!.get('k'));
    expect(fleet.database.loads).toBe(2);
  });

  it.each([
    ['as large as an item, whose key and head leave no room for it', {}, 1024 * 1024],
    ['a little smaller than that', {}, 1024 * 1024 - 200],
    ['of which the envelope makes that', { tags: ['t'.repeat(150)] }, 1024 * 1024 - 300],
  ])('a value %s is kept', async (_, more, size) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { chunk: { maxValue: 2_000_000 }, expire: 600, ...more });
    const value = 'x'.repeat(size);
    const load = jest.fn(() => value);
    const key = 'k'.repeat(200);
    for (let i = 0; i < 2; i++) {
      expect((await cache.get(key, load)) === value).toBe(true);
      await cache.close();
    }
    expect(load).toHaveBeenCalledTimes(1);
    expect(await cache.set('set', value)).toBe(true);
    expect((await cache.peek('set')) === value).toBe(true);
    expect(cache.stats()).toMatchObject({ 'store-error': 0, stored: 1 });
  });

  it.each(['1 c\n', '1 c i=a\n', '1 c i=a n=2 b=3 r=1\n', '1 v', '1 z\n'])('what is flagged as an entry and is %j is made anew', async (foreign) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { expire: 60 });
    for (const key of ['get', 'peek']) client.store.store('set', key, foreign, 2 ** 31, 0);
    await cache.peek('peek');
    expect(await cache.get('get', () => 'loaded')).toBe('loaded');
    expect(await cache.get('get', () => 'loaded again')).toBe('loaded');
    expect(cache.stats()).toMatchObject({ 'decode-error': 1, stored: 1, 'store-error': 0, 'cache-error': 0 });
    expect([...client.metrics().values()][0]).toMatchObject({ disconnects: 0, errors: {} });
    await cache.close();
  });

  it('a set that fails leaves no pieces, which would stay for ever', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    const { cache, line } = fleet.processes[0]!;
    line.onCommand = ({ verb }) => {
      if (verb === 'ms') throw new MemcacheConnectError('nobody is there', { server: 'embedded', command: verb });
      return undefined;
    };
    await expect(fleet.clock.until(cache.set('k', large))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(10);
    expect([...fleet.store.items()].map(({ key }) => key)).toEqual([]);
  });

  it('nor does one that is given up, and a piece that cannot be stored is an error', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.peek('k'));
    const controller = new AbortController();
    line.onCommand = () => {
      controller.abort(new Error('given up'));
    };
    await expect(fleet.clock.until(cache.set('k', large, { signal: controller.signal }))).rejects.toThrow('given up');
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
    let pieces = 0;
    line.onCommand = ({ verb }) => {
      if (verb === 'set' && ++pieces === 2) throw new MemcacheConnectError('nobody is there', { server: 'embedded', command: verb });
      return undefined;
    };
    await expect(fleet.clock.until(cache.set('k', large))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(10);
    expect(fleet.store.size).toBe(0);
  });

  it('nor does a load, when its key is deleted while its pieces are being stored', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0 }, small);
    fleet.database.value = () => large;
    const [process] = fleet.processes;
    let deleted: Promise<boolean> | undefined;
    process!.line.onCommand = ({ verb }) => {
      if (verb === 'set') deleted ??= process!.cache.delete('k');
      return undefined;
    };
    expect(await fleet.clock.until(process!.get('k'))).toEqual(large);
    await fleet.clock.pass(10);
    expect(await deleted).toBeDefined();
    expect([...fleet.store.items()].map(({ key }) => key)).toEqual([]);
  });

  it('the pieces of an entry live longer than it does', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 10, jitter: 0 }, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'loaded');
    await fleet.clock.until(fleet.processes[0]!.cache.set('set', large));
    await fleet.clock.pass(10);
    const lives = [...fleet.store.items()].map((item) => [item.key.includes(':'), fleet.store.secondsLeft(item)] as const);
    expect(Math.max(...lives.map(([isPiece, left]) => (isPiece ? 0 : left)))).toBe(10);
    expect(Math.min(...lives.map(([isPiece, left]) => (isPiece ? left : 100)))).toBe(12);
  });

  it('the pieces of an entry that lives for ever do so too, also when others are kept after their end', async () => {
    const fleet = new Fleet(1, 0, { ...options, expire: 0, stale: 60 }, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'loaded');
    await fleet.clock.until(fleet.processes[0]!.cache.set('set', large));
    await fleet.clock.pass(10);
    expect(new Set([...fleet.store.items()].map((item) => fleet.store.secondsLeft(item)))).toEqual(new Set([-1]));
    expect(fleet.store.size).toBeGreaterThan(4);
  });

  it('no more than 9999 pieces are stored, or asked for, whatever an entry says', async () => {
    const fleet = new Fleet(1, 0, { chunk: { maxValue: 2 ** 30 } }, small);
    const [process] = fleet.processes;
    expect(fleet.store.store('set', 'k', '1 c i=a n=999999 b=9999999999 r=1\n', 2 ** 31, 0)).toBe('stored');
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(process!.line.sent.length).toBeLessThan(10);
    await expect(fleet.clock.until(process!.cache.set('k', 'z'.repeat(10_000_000)))).rejects.toThrow(/9999 are the most$/);
  });

  it.each([['missing', 'delete'], ['another one', 'change']])('a piece that is %s makes a miss, which stores it anew', async (_, how) => {
    const fleet = new Fleet(1, 0, options, small);
    fleet.database.value = () => large;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    const piece = [...fleet.store.items()].map(({ key }) => key).find((key) => key.endsWith(':1'))!;
    if (how === 'delete') fleet.store.delete(piece);
    else await fleet.clock.until(fleet.processes[0]!.client.set(piece, 'z'.repeat(500)));
    expect((await fleet.herd(1, 'k')).values).toEqual([large]);
    await fleet.clock.pass(10);
    expect((await fleet.herd(1, 'k')).values).toEqual([large]);
    expect(fleet.database.loads).toBe(2);
    expect(fleet.count('decode-error')).toBe(1);
  });

  it('what is larger than chunk.maxValue, or has lost its lease, leaves nothing behind', async () => {
    const fleet = new Fleet(1, 300, options, small);
    fleet.database.value = (key) => (key === 'huge' ? 'x'.repeat(6000) : large);
    await fleet.herd(1, 'huge');
    const call = fleet.processes[0]!.get('k');
    await fleet.clock.pass(100);
    fleet.store.delete('k');
    expect(await fleet.clock.until(call)).toEqual(large);
    await fleet.clock.pass(100);
    expect(fleet.store.size).toBe(0);
    expect(fleet.count('store-error')).toBe(1);
    expect(fleet.count('dropped')).toBe(1);
  });
});
