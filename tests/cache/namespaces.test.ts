import { Client, MemcacheError, MemcacheIllegalInputError, type Executor } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { Fleet } from './support/fleet';

function keysOf(list: readonly unknown[]): string[] {
  return list.map(String).sort();
}

describe('namespaces', () => {
  it.each([undefined, 'shop'])('an entry may be called as a tag is, and as its version: none is another\'s, with the namespace %s', async (namespace) => {
    const client = new EmbeddedClient();
    const cache = new ReadThroughCache(client, { expire: 60, tagMaxAge: 0, ...(namespace !== undefined && { namespace }) });
    const keys = ['tag:news', 'news', 'version', 'shop:version', 'shop:tag:news', '~news'];
    const read = async (of: string): Promise<unknown[]> => Promise.all(keys.map((key) => cache.get(key, () => `${of} ${key}`, { tags: ['news'] })));
    const first = keys.map((key) => `first ${key}`);
    expect(await read('first')).toEqual(first);
    expect(await read('another')).toEqual(first);
    await cache.invalidateTags('news');
    expect(await read('second')).toEqual(keys.map((key) => `second ${key}`));
    await cache.close();
  });

  it('what only counters may be called is no key', async () => {
    const client = new EmbeddedClient(undefined, { keyPrefix: 'p:' });
    const cache = new ReadThroughCache(client, { expire: 60 });
    const load = jest.fn(() => 'v');
    for (const key of ['~tag:news', Buffer.from('~tag:news'), ['r', '~tag:news'] as const]) {
      await expect(cache.get(key, load)).rejects.toThrow('key must not begin with "~tag:"');
    }
    expect(load).not.toHaveBeenCalled();
    expect(await cache.get('a~tag:news', load)).toBe('v');
    // There all keys are in the namespace.
    expect(await new ReadThroughCache(client, { namespace: 'n' }).get('~tag:news', load)).toBe('v');
    await cache.close();
  });

  it('invalidateNamespace', async () => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    await fleet.herd(2, 'k');
    expect(fleet.database.loads).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(fleet.processes[0]!.cache.invalidateNamespace());
    expect(await fleet.clock.until(fleet.processes[0]!.get('k'))).toBe('k@1');
    await fleet.clock.pass(1100);
    expect(await fleet.clock.until(fleet.processes[1]!.get('k'))).toBe('k@1');
    expect(fleet.database.loads).toBe(2);
    expect(keysOf([...fleet.store.items()].map(({ key }) => key))).toEqual([expect.stringMatching(/^shop:[0-9a-z]+:k$/), expect.stringMatching(/^shop:[0-9a-z]+:k$/), 'shop:version']);
    const plain = new Fleet(1, 0);
    await expect(plain.processes[0]!.cache.invalidateNamespace()).rejects.toThrow(MemcacheIllegalInputError);
  });

  it.each(['delete', 'invalidate', 'set', 'change'] as const)('a %s is seen by those who know a newer namespace than the process that makes it', async (write) => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    const [late, early] = fleet.processes;
    await fleet.herd(2, 'k');
    await fleet.clock.until(early!.cache.invalidateNamespace());
    expect(await fleet.clock.until(early!.get('k'))).toBe('k@0');
    // `late` believes for another second that the namespace is as it was.
    fleet.database.write('k');
    const { cache } = late!;
    const writes = { delete: () => cache.delete('k'), invalidate: () => cache.invalidate('k'), set: () => cache.set('k', 'k@1'), change: () => cache.change('k', () => true) };
    expect(await fleet.clock.until(writes[write]())).toBe(true);
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@1', 'k@1', 'k@1', 'k@1']);
  });

  it.each([
    [undefined, 250],
    ['shop', 250 - 'shop:zzzzzzzzzzz:'.length],
  ])('a change takes the longest keys, and writes nothing for longer ones, with the namespace %s', async (namespace, longest) => {
    const fleet = new Fleet(1, 0, { namespace });
    const { cache } = fleet.processes[0]!;
    const write = jest.fn(() => 'written');
    expect(await fleet.clock.until(cache.change('k'.repeat(longest), write))).toBe('written');
    await expect(fleet.clock.until(cache.change('k'.repeat(longest + 1), write))).rejects.toThrow(MemcacheIllegalInputError);
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('every method refuses a key that is too long with some version of the namespace', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient(), { namespace: 'shop' });
    const load = jest.fn(() => 'loaded');
    const longest = 250 - 'shop:zzzzzzzzzzz:'.length;
    const key = 'k'.repeat(longest + 1);
    const calls = [cache.get(key, load), cache.getMany(['k', key], load as never), cache.peek(key), cache.set(key, 'v'), cache.delete(key), cache.invalidate(key)];
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_ILLEGAL_INPUT' } });
    expect(load).not.toHaveBeenCalled();
    expect((await cache.getMany(['k'.repeat(longest)], () => ['loaded'])).size).toBe(1);
    await cache.close();
  });

  it.each([
    ['', undefined, 150],
    ['p'.repeat(100), undefined, 145],
    ['', 'n'.repeat(100), 145],
    ['p'.repeat(50), 'n'.repeat(50), 145],
  ])('a tag whose counter would have too long a key is refused before anything is done, with the prefix "%s" and the namespace %s', async (keyPrefix, namespace, longest) => {
    const client = new EmbeddedClient(undefined, { keyPrefix });
    const options = { expire: 600, ...(namespace !== undefined && { namespace }) };
    const cache = new ReadThroughCache(client, options);
    const load = jest.fn(() => 'tagged');
    const tags = ['t', 't'.repeat(longest + 1)];
    const refusal = longest < 150 ? `a tag must be at most ${longest} characters long here` : 'tags must be';
    const tagged = [cache.get('k', load, { tags }), cache.getMany(['k'], load as never, { tags }), cache.set('k', 'v', { tags }), cache.invalidate('k', { tags })];
    // Whoever asks in the same tick is not concerned.
    expect(await cache.get('k', () => 'plain')).toBe('plain');
    for (const outcome of await Promise.allSettled(tagged)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_ILLEGAL_INPUT', message: expect.stringContaining(refusal) as unknown } });
    }
    expect(load).not.toHaveBeenCalled();
    expect(() => cache.wrap(load, { key: () => 'k', tags })).toThrow(refusal);
    expect(() => new ReadThroughCache(client, { ...options, tags })).toThrow(refusal);
    expect(await cache.get('long', load, { tags: ['t'.repeat(longest)] })).toBe('tagged');
    await cache.invalidateTags('t'.repeat(longest));
    expect(await cache.peek('long')).toBeUndefined();
    await cache.close();
    await client.close();
  });

  it('a process sees its own set also when the answer to an earlier question for the version comes after it', async () => {
    const fleet = new Fleet(2, 0, { namespace: 'n', expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.clock.until(a!.get('other'));
    await fleet.clock.pass(1100);
    a!.line.onCommand = ({ verb }) => (verb === 'ma' ? fleet.clock.sleep(50) : undefined);
    const reading = a!.get('other');
    await fleet.clock.pass(10);
    a!.line.onCommand = () => undefined;
    await fleet.clock.until(b!.cache.invalidateNamespace());
    await fleet.clock.until(a!.cache.set('k', 'set'));
    await fleet.clock.until(reading);
    await fleet.clock.pass(100);
    expect(await fleet.clock.until(a!.get('k'))).toBe('set');
  });

  it('nothing is read or stored while the version of the namespace cannot be had: it could not be invalidated', async () => {
    const fleet = new Fleet(1, 10, { namespace: 'shop', expire: 0 });
    const [well] = fleet.processes;
    const outage = async (): Promise<unknown[]> => {
      const process = fleet.process('in trouble');
      process.line.onCommand = ({ verb }) => (verb === 'ma' ? Promise.reject(new Error('the server of the counter is down')) : undefined);
      const single = await fleet.clock.until(Promise.all([process.get('k'), process.get('k')]));
      const many = await fleet.clock.until(process.cache.getMany(['k'], () => [fleet.database.versions.get('k') ?? 0]));
      expect(await fleet.clock.until(process.cache.peek('k'))).toBeUndefined();
      expect(process.cache.stats()).toMatchObject({ load: 2, joined: 1, stored: 0 });
      await fleet.clock.pass(10);
      return [...single, ...many.values()];
    };
    fleet.database.write('k');
    expect(await outage()).toEqual(['k@1', 'k@1', 1]);
    expect(fleet.store.find('shop:-:k')).toBeUndefined();
    fleet.database.write('k');
    await fleet.clock.until(well!.cache.delete('k'));
    await fleet.clock.until(well!.cache.invalidateNamespace());
    expect(await fleet.clock.until(well!.get('k'))).toBe('k@2');
    expect(await outage()).toEqual(['k@2', 'k@2', 2]);
  });

  it('a counter that is not a number fails no read on servers without meta commands either', async () => {
    await using client = new EmbeddedClient();
    const old: Executor = {
      execute: (command, options) => (command.verb === 'version' ? Promise.resolve(new Map([['old', '1.5.22']]) as never) : client.executor.execute(command, options)),
      close: () => client.close(),
    };
    await client.set('shop:version', 'abc');
    const cache = new ReadThroughCache(new Client(old, client.options), { namespace: 'shop' });
    for (let i = 0; i < 2; i++) expect(await cache.get('k', () => i)).toBe(i);
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
  });

  it('a change is seen by those who learned of a newer namespace while it was written', async () => {
    const fleet = new Fleet(2, 10, { namespace: 'shop', expire: 600 });
    const [late, early] = fleet.processes;
    await fleet.herd(2, 'k');
    const change = late!.cache.change('k', async () => {
      await early!.cache.invalidateNamespace();
      await early!.get('k');
      fleet.database.write('k');
    });
    await fleet.clock.until(change);
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@1', 'k@1', 'k@1', 'k@1']);
  });
});

describe('a namespace', () => {
  const options = { namespace: 'n', expire: 600, tagMaxAge: 1000 };

  it('costs nothing while the circuit is open', async () => {
    const fleet = new Fleet(1, 50, options);
    await fleet.herd(1, 'warm');
    fleet.processes[0]!.line.state = 'blackHole';
    await fleet.clock.pass(2000);
    const times: number[] = [];
    for (let i = 0; i < 15; i++) times.push(Math.max(...(await fleet.herd(1, `k${i}`)).times));
    expect(Math.max(...times)).toBeLessThanOrEqual(160);
    expect(Math.max(...times.slice(5))).toBeLessThanOrEqual(60);
  });

  it('costs no trip of its own for those who read all the time', async () => {
    const fleet = new Fleet(2, 0, options);
    const [process, other] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    process!.line.delay = 8;
    const times: number[] = [];
    for (let i = 0; i < 100; i++) {
      const before = fleet.clock.now();
      await fleet.clock.until(process!.get('k'));
      times.push(fleet.clock.now() - before);
      await fleet.clock.pass(50);
    }
    expect(Math.max(...times)).toBe(8);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.invalidateNamespace());
    await fleet.clock.pass(1010);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@1');
  });
});
