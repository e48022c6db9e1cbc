import { MemcacheIllegalInputError } from '../../src';
import { ReadThroughCache, type LoadContext } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { Fleet } from './support/fleet';

describe('scopes', () => {
  it('tell keys apart that are no text, and know one that is both', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient(undefined, { allowUnicodeKeys: true }));
    const scope = cache.scope();
    const keys = [0xff, 0xfe, 0xfd].map((byte) => Buffer.from([byte]));
    expect(await scope.get(keys[0]!, () => 0)).toBe(0);
    expect(await scope.get(keys[1]!, () => 1)).toBe(1);
    expect([...(await scope.getMany(keys, (wanted) => wanted.map(() => 2))).values()]).toEqual([0, 1, 2]);
    expect(await scope.get('é', () => 'text')).toBe('text');
    expect(await scope.get(Buffer.from('é'), () => 'bytes')).toBe('text');
    expect(await scope.peek(['route', 'é'])).toBe('text');
    await cache.close();
  });

  it('refuse what the cache refuses, by rejecting, and remember nothing of it', async () => {
    const cache = new ReadThroughCache(new EmbeddedClient());
    const scope = cache.scope();
    const load = jest.fn(() => 'x');
    for (const key of [undefined, null, 5, {}]) {
      await expect(scope.get(key as never, load)).rejects.toThrow(MemcacheIllegalInputError);
      await expect(scope.peek(key as never)).rejects.toThrow(MemcacheIllegalInputError);
    }
    await expect(scope.getMany('abc' as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(scope.getMany(undefined as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    expect(load).not.toHaveBeenCalled();
    await expect(scope.get('k', load, { bad: 1 } as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(scope.getMany(['l', 'il legal'], (keys) => keys.map(() => 'y'))).rejects.toThrow(MemcacheIllegalInputError);
    expect([await scope.get('k', load), await scope.get('l', load)]).toEqual(['x', 'x']);
  });

  it('remember nothing of a read that its signal has ended', async () => {
    const scope = new ReadThroughCache(new EmbeddedClient()).scope();
    const controller = new AbortController();
    const never = (): Promise<never> => new Promise(() => undefined);
    const reads = [scope.get('k', never, { signal: controller.signal }), scope.getMany(['l'], never, { signal: controller.signal })];
    controller.abort('gone');
    for (const read of reads) await expect(read).rejects.toBe('gone');
    expect([await scope.get('k', () => 'k'), await scope.peek('l')]).toEqual(['k', undefined]);
  });
});

describe('wrap, scope and change', () => {
  it('wrap caches a function by its arguments', async () => {
    const fleet = new Fleet(1, 0);
    const add = jest.fn((a: number, b: number) => Promise.resolve(a + b));
    const cached = fleet.processes[0]!.cache.wrap(add, { key: (a, b) => `sum:${a}:${b}`, expire: 10 });
    const sum: number = await fleet.clock.until(cached(1, 2));
    expect([sum, await fleet.clock.until(cached(1, 2)), await fleet.clock.until(cached(2, 2))]).toEqual([3, 3, 4]);
    expect(add).toHaveBeenCalledTimes(2);
  });

  it('a scope reads each key once, and remembers rejections', async () => {
    const fleet = new Fleet(1, 0);
    const { cache, line } = fleet.processes[0]!;
    const scope = cache.scope();
    const load = jest.fn(({ key }: LoadContext<string>) => `${String(key)}!`);
    const first = await fleet.clock.until(scope.get('a', load));
    const sent = line.sent.length;
    expect(await fleet.clock.until(scope.get('a', load))).toBe(first);
    expect(line.sent).toHaveLength(sent);
    expect([...(await fleet.clock.until(scope.getMany(['b', 'a'], (keys) => keys.map((key) => `${key}?`))))]).toEqual([['b', 'b?'], ['a', 'a!']]);
    const error = new Error('no');
    const fail = jest.fn(() => Promise.reject(error));
    for (let i = 0; i < 2; i++) expect(await fleet.clock.until(scope.get('e', fail).catch((reason: unknown) => reason))).toBe(error);
    expect(fail).toHaveBeenCalledTimes(1);
    expect(await fleet.clock.until(scope.peek('a'))).toBe('a!');
  });

  it('a signal takes away from a scope only the caller that has given it, and all of them the load', async () => {
    const fleet = new Fleet(1, 0);
    const { cache } = fleet.processes[0]!;
    const scope = cache.scope();
    const reason = new Error('gone');
    const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);
    const slow = jest.fn(() => fleet.clock.sleep(200).then(() => 'v'));
    const many = (keys: readonly string[]): Promise<string[]> => fleet.clock.sleep(200).then(() => keys.map((key) => `${key}!`));
    for (const [key, others] of [['first', 'second'], ['one-of-many', 'one']] as const) {
      const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
      const calls = [
        key === 'first' ? scope.get(key, slow, { signal: first.signal }) : scope.getMany([key, others], many, { signal: first.signal }),
        scope.get(key, slow, { signal: second.signal }),
        scope.get(key, slow),
        scope.peek(key, { signal: third.signal }),
      ].map(outcome);
      await fleet.clock.pass(50);
      for (const controller of [first, third]) controller.abort(reason);
      expect(await fleet.clock.until(Promise.all([calls[0], calls[3]]))).toEqual([reason, reason]);
      const value = key === 'first' ? 'v' : `${key}!`;
      expect(await fleet.clock.until(Promise.all([calls[1], calls[2]]))).toEqual([value, value]);
      expect(await outcome(scope.get(key, slow, { signal: first.signal }))).toBe(reason);
    }
    expect(slow).toHaveBeenCalledTimes(1);

    const aborted: unknown[] = [];
    const load = jest.fn(({ signal }: LoadContext<string>) => new Promise<string>((resolve) => {
      signal.addEventListener('abort', () => { aborted.push(signal.reason); });
      void fleet.clock.sleep(100).then(() => { resolve('loaded'); });
    }));
    const leaving = [1, 2].map(() => new AbortController());
    const left = leaving.map(({ signal }) => outcome(scope.get('left', load, { signal, abortUnused: true })));
    await fleet.clock.pass(10);
    leaving[0]!.abort(reason);
    await fleet.clock.pass(10);
    expect(aborted).toEqual([]);
    leaving[1]!.abort(reason);
    expect(await fleet.clock.until(Promise.all(left))).toEqual([reason, reason]);
    expect(aborted).toHaveLength(1);
    expect(await fleet.clock.until(scope.get('left', load))).toBe('loaded');
    expect(load).toHaveBeenCalledTimes(2);

    // What is refused is no result of its key.
    for (const illegal of [{ expires: 1 }, { signal: {} }]) {
      for (let i = 0; i < 2; i++) await expect(scope.get('refused', load, illegal as never)).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
    }
    expect(await fleet.clock.until(scope.get('refused', load))).toBe('loaded');
    await expect(scope.get('refused', load, { expires: 1 } as never)).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  });

  it('change: the entries end soon, then are gone, whatever happens between', async () => {
    const fleet = new Fleet(2, 20);
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    const changed = a!.cache.change(['k'], async () => {
      await fleet.clock.sleep(50);
      expect(fleet.store.secondsLeft(fleet.store.find('k')!)).toBeLessThanOrEqual(5);
      fleet.database.write('k');
      return 'written';
    });
    expect(await fleet.clock.until(changed)).toBe('written');
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    const error = new Error('write failed');
    expect(await fleet.clock.until(a!.cache.change('k', () => Promise.reject(error)).catch((reason: unknown) => reason))).toBe(error);
    await fleet.clock.pass(5100);
    expect(fleet.store.find('k')).toBeUndefined();
  });
});

describe('a scope', () => {
  it('remembers for each key of a batch what became of that key', async () => {
    const fleet = new Fleet(1, 0);
    const scope = fleet.processes[0]!.cache.scope();
    const broken = new Error('broken');
    const batch = scope.getMany(['a', 'b'], () => ['A', broken]).catch((error: unknown) => error);
    expect(await fleet.clock.until(batch)).toBe(broken);
    const never = jest.fn(() => 'again');
    expect(await fleet.clock.until(scope.get('a', never))).toBe('A');
    expect(await fleet.clock.until(scope.get('b', never).catch((error: unknown) => error))).toBe(broken);
    expect(never).not.toHaveBeenCalled();
  });
});
