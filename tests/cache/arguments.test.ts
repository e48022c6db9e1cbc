import { MemcacheIllegalInputError } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { Fleet, type Process } from './support/fleet';

describe('arguments', () => {
  const fleet = new Fleet(1, 0);
  const process = (): Process => fleet.processes[0]!;

  it.each([
    ['an option that does not exist', () => new ReadThroughCache(process().client, { ttl: 5 } as never), /no option "ttl"/],
    ['a client that is none', () => new ReadThroughCache({} as never), /client must be a client/],
    ['expire', () => new ReadThroughCache(process().client, { expire: 1.5 }), /expire must be/],
    ['lease', () => new ReadThroughCache(process().client, { lease: 1 }), /lease must be a whole number from 2/],
    ['jitter', () => new ReadThroughCache(process().client, { jitter: 2 }), /jitter must be a number from 0 to 1/],
    ['chunk without the option that it needs', () => new ReadThroughCache(process().client, { chunk: {} as never }), /chunk must be an object with maxValue/],
    ['an option of l1', () => new ReadThroughCache(process().client, { l1: { ttl: -1 } }), /l1.ttl must be/],
    ['an unknown option of l1', () => new ReadThroughCache(process().client, { l1: { size: 1 } as never }), /no option "size"/],
    ['a namespace with whitespace', () => new ReadThroughCache(process().client, { namespace: 'a b' }), /namespace must be/],
  ])('%s throws', (_, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(MemcacheIllegalInputError);
  });

  it('an illegal key, loader or option rejects before the loader runs', async () => {
    const { cache } = process();
    const load = jest.fn(() => 'x');
    await expect(cache.get('a b', load)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.get('k', load, { ttl: 1 } as never)).rejects.toThrow(/no option "ttl"/);
    await expect(cache.get('k', load, { tags: ['a b'] })).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.get('k', 'x' as never)).rejects.toThrow(/load must be a function/);
    await expect(cache.getMany('k' as never, load as never)).rejects.toThrow(MemcacheIllegalInputError);
    await expect(cache.set('k', undefined as never)).rejects.toThrow(MemcacheIllegalInputError);
    expect(load).not.toHaveBeenCalled();
  });

  it.each(['peek', 'delete', 'invalidate'] as const)('%s refuses an option that does not exist, and a signal that is none; it takes what is for others', async (method) => {
    const cache = new ReadThroughCache(new EmbeddedClient(), { expire: 60 });
    await cache.set('k', 'v');
    await expect(cache[method]('k', { noreply: true } as never)).rejects.toThrow(/no option "noreply"/);
    for (const signal of [{}, new EventTarget()]) await expect(cache[method]('k', { signal } as never)).rejects.toThrow(/signal must be an AbortSignal/);
    await expect(cache[method]('k', 'v' as never)).rejects.toThrow(/options must be an object/);
    expect(await cache.peek('k')).toBe('v');
    const entryOptions = { expire: 5 };
    expect(await cache[method]('k', entryOptions as object)).toBe(method === 'peek' ? 'v' : true);
    await cache.close();
  });
});
