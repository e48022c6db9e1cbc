import { RawSerde } from '../../src';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import type { Serde } from '../../src/serde';

/** A client whose connection is open, so that a `get` is answered at once where nothing waits. */
async function opened<Out, In>(client: EmbeddedClient<Out, In>): Promise<EmbeddedClient<Out, In>> {
  await client.get('nothing');
  return client;
}

/** What the client has done over its connection, which a direct read does not use. */
const bytes = (client: EmbeddedClient<unknown, never>): number => client.metrics().get('embedded')?.bytesWritten ?? NaN;

it('answers a get without the connection, and counts it as ever', async () => {
  const client = await opened(new EmbeddedClient());
  await client.set('k', 'v');
  const before = bytes(client);
  expect(await client.get('k')).toBe('v');
  expect(await client.get('none')).toBeUndefined();
  expect(bytes(client)).toBe(before);
  const metrics = client.metrics().get('embedded');
  expect(metrics).toMatchObject({ calls: { get: 3, set: 1 }, hits: 1, misses: 2, pending: 0, connections: 1 });
  expect(metrics?.latency.count).toBe(4);
  expect(client.store.stats).toMatchObject({ cmdGet: 3, getHits: 1, getMisses: 2 });
  await client.close();
  expect(await client.get('k')).toBe('v');
  await client.close();
});

it('never overtakes a call that was made before', async () => {
  const client = await opened(new EmbeddedClient());
  const calls = [client.set('k', 1), client.get('k'), client.set('k', 2, { noreply: true }), client.get('k'), client.delete('k', { noreply: true }), client.get('k')];
  expect(await Promise.all(calls)).toEqual([true, 1, true, 2, true, undefined]);
  await client.set('k', 3, { noreply: true });
  expect(await client.get('k')).toBe(3);
  await client.close();
});

it('is never settled before the caller has gone on', async () => {
  const client = await opened(new EmbeddedClient());
  const seen: string[] = [];
  const read = client.get('k').then(() => seen.push('read'));
  seen.push('went on');
  await read;
  expect(seen).toEqual(['went on', 'read']);
  await client.close();
});

it('gives a copy of the value', async () => {
  const client = await opened(new EmbeddedClient(undefined, { serde: new RawSerde() }));
  for (const length of [5, 1023, 1024, 5000]) {
    await client.set('k', Buffer.alloc(length, 7));
    const value = await client.get('k');
    value?.fill(0);
    expect(await client.get('k')).toEqual(Buffer.alloc(length, 7));
  }
  await client.close();
});

it('leaves errors, values that are too large and serdes that read the cache to the session', async () => {
  const store = new MemoryStore();
  let inner: Promise<unknown> | undefined;
  const serde: Serde<string> = {
    serialize: (value) => ({ data: value, flags: 0 }),
    deserialize: (data, _flags, key) => {
      if (key === 'broken') throw new Error('broken');
      if (key === 'outer') inner = client.get('inner');
      return data.toString();
    },
  };
  const client = await opened(new EmbeddedClient(store, { serde, maxValueSize: 100 }));
  await client.setMany({ broken: 'b', outer: 'the outer value', inner: 'in' });
  await expect(client.get('broken')).rejects.toMatchObject({ code: 'MEMCACHE_SERDE', server: 'embedded', command: 'get', certainty: 'executed' });
  expect(client.metrics().get('embedded')).toMatchObject({ errors: { MEMCACHE_SERDE: 1 } });
  expect(await client.get('outer')).toBe('the outer value');
  expect(await inner).toBe('in');
  const other = new EmbeddedClient(store);
  await other.set('large', 'x'.repeat(200));
  await expect(client.get('large')).rejects.toThrow('maxValueSize');
  await Promise.all([client.close(), other.close()]);
});

it('a serde that reads in place, and reads the cache itself meanwhile, reads what it was given', async () => {
  let inner: Promise<unknown> | undefined;
  const serde: Serde<string> = {
    serialize: (value) => ({ data: value, flags: 0 }),
    deserialize: (data) => data.toString(),
    deserializeInPlace: (buffer, start, end, _flags, key) => {
      if (key === 'outer') inner = client.get('inner');
      return buffer.toString('latin1', start, end);
    },
  };
  const client = await opened(new EmbeddedClient(undefined, { serde }));
  await client.setMany({ outer: 'the outer value', inner: 'the inner value' });
  expect([await client.get('outer'), await inner]).toEqual(['the outer value', 'the inner value']);
  await client.close();
});

it('may delete what it reads: the store stays whole', async () => {
  const store = new MemoryStore();
  const serde: Serde<string> = {
    serialize: (value) => ({ data: value, flags: 0 }),
    deserialize: (data, _flags, key) => {
      if (key === 'bad') store.delete(key);
      return data.toString();
    },
  };
  const client = await opened(new EmbeddedClient(store, { serde }));
  for (const key of ['first', 'bad', 'last']) await client.set(key, 'v');
  expect(await client.get('bad')).toBe('v');
  expect(Array.from(store.items(), ({ key }) => key)).toEqual(['first', 'last']);
  await client.close();
});

it('follows a signal', async () => {
  const client = await opened(new EmbeddedClient());
  await expect(client.get('k', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  await client.close();
});

it('takes a hit for a use of the item', async () => {
  const client = new EmbeddedClient();
  await client.set('a', 1);
  await client.set('b', 1);
  expect(await client.get('a')).toBe(1);
  expect(Array.from(client.store.items(), ({ key }) => key)).toEqual(['b', 'a']);
  await client.close();
});
