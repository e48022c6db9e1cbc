import { Client, CompressedSerde, HashClient, JsonSerde, ManualClock, MemcacheConnectError, MemcacheIllegalInputError, StructuredSerde, TypedSerde, VersionedSerde } from '../../src';
import { createCacheHandler, type Durations, type UseCacheEntry } from '../../src/adapters/next';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { systemClock, type Clock } from '../../src/runtime/clock';
import { MemcachedServer } from '../../src/server';
import { deadClient, describeOverCaches } from './clients';

function entryOf(text: string, tags: string[] = [], more: Partial<UseCacheEntry> = {}): Promise<UseCacheEntry> {
  return Promise.resolve({ value: new Blob([text]).stream(), tags, stale: 30, timestamp: Date.now(), expire: 3600, revalidate: 60, ...more });
}

async function textOf(entry: UseCacheEntry | undefined): Promise<string | undefined> {
  return entry === undefined ? undefined : new Response(entry.value).text();
}

describeOverCaches('createCacheHandler', (cache) => {
  it('use cache: an entry comes back as it went in, as often as it is asked for', async () => {
    const [one, two] = [createCacheHandler(cache.client()), createCacheHandler(cache.client())];
    expect(await one.get('["a key",{}]', ['soft'])).toBeUndefined();
    const entry = await entryOf('röndered', ['t']);
    const { tags, stale, timestamp, expire, revalidate } = entry;
    await one.set('["a key",{}]', Promise.resolve(entry));
    for (const handler of [one, two, two]) {
      const found = await handler.get('["a key",{}]', ['soft']);
      expect(found).toMatchObject({ tags, stale, timestamp, expire, revalidate });
      expect(await textOf(found)).toBe('röndered');
    }
  });

  it('use cache: a tag, or a soft tag, that one server revalidates holds for the other at once', async () => {
    const [one, two] = [createCacheHandler(cache.client()), createCacheHandler(cache.client())];
    for (let round = 0; round < 20; round++) {
      await one.get('tagged', ['_N_T_/page']);
      await one.set('tagged', entryOf('v', ['posts']));
      expect(await textOf(await two.get('tagged', ['_N_T_/page']))).toBe('v');
      if (round % 2 === 0) await two.updateTags(['posts']);
      else await two.expireTags('_N_T_/page');
      expect(await one.get('tagged', ['_N_T_/page'])).toBeUndefined();
    }
    expect(await one.getExpiration(['posts'])).toBe(Infinity);
  });

  it('use cache: what is only stale is served once more, until its time is up', async () => {
    let ahead = 0;
    const now = Date.now();
    const handler = createCacheHandler(cache.client({ clock: { ...systemClock, time: () => now + ahead } }));
    await handler.get('swr', []);
    await handler.set('swr', entryOf('v', ['swr'], { timestamp: now - 1000 }));
    await handler.updateTags(['swr'], { expire: 2 });
    expect(await handler.get('swr', [])).toMatchObject({ revalidate: -1 });
    ahead = 1950;
    expect(await handler.get('swr', [])).toMatchObject({ revalidate: -1 });
    ahead = 2050;
    expect(await handler.get('swr', [])).toBeUndefined();
  });

  it('what has expired does not come back as stale by a later revalidation', async () => {
    const client = cache.client();
    const handler = createCacheHandler(client);
    const ends: readonly [string, () => Promise<unknown>][] = [
      ['at once', () => handler.updateTags(['at once'])],
      ['after no time', () => handler.updateTags(['after no time'], { expire: 0 })],
      ['lost', () => client.delete('next:t:lost')],
    ];
    for (const [how, end] of ends) {
      await handler.set(how, entryOf('outdated', [how], { timestamp: Date.now() - 1000 }));
      await end();
      expect([how, await handler.get(how)]).toEqual([how, undefined]);
      for (let round = 0; round < 2; round++) {
        await handler.updateTags([how], { expire: 100 });
        expect([how, await handler.get(how)]).toEqual([how, undefined]);
      }
      await handler.set(how, entryOf('new', [how]));
      expect(await textOf(await handler.get(how))).toBe('new');
    }
  });

  it('a tag that expires at once does so also for a server whose clock is behind', async () => {
    const behind: Clock = { ...systemClock, time: () => Date.now() - 60_000 };
    const [one, two] = [createCacheHandler(cache.client()), createCacheHandler(cache.client({ clock: behind }))];
    for (const [tag, durations, left] of [['now', undefined, false], ['zero', { expire: 0 }, false], ['later', { expire: 10 }, true]] as const) {
      await one.set(tag, entryOf('v', [tag]));
      await one.updateTags([tag], durations);
      expect([tag, (await two.get(tag))?.revalidate]).toEqual([tag, left ? -1 : undefined]);
    }
  });

  /** A handler whose wall clock may be set, and how it serves a fetch: `hit 1`, or `made 2` when it had to be made. */
  function settable(): { set: (ahead: number) => void; has: (key: string) => Promise<boolean>; tell: (key: string, version: number) => Promise<string>; revalidate: (tag: string, durations?: Durations) => Promise<void> } {
    let ahead = 0;
    const Handler = createCacheHandler(cache.client({ clock: { ...systemClock, time: () => systemClock.time() + ahead } }));
    return {
      set: (milliseconds) => (ahead = milliseconds),
      has: async (key) => (await new Handler().get(key, { tags: [key] })) !== null,
      tell: async (key, version) => {
        const request = new Handler();
        const found = await request.get(key, { tags: [key] });
        if (found !== null && found.lastModified !== -1) {
          // Next.js compares it with the time of day: an entry from the future would not be made anew in time.
          expect(found.lastModified).toBeLessThanOrEqual(Date.now());
          return `hit ${(found.value as { version: number }).version}`;
        }
        await request.set(key, { kind: 'FETCH', version }, { tags: [key] });
        return `made ${version}`;
      },
      revalidate: (tag, durations) => new Handler().revalidateTag(tag, durations),
    };
  }

  it.each([[undefined], [{ expire: 60 }]])('what is revalidated after the clock was set back is made anew, once: %j', async (durations) => {
    const [one, two] = [settable(), settable()];
    const key = `set back ${durations?.expire}`;
    expect([await one.tell(key, 1), await one.tell(key, 2), await two.tell(key, 3)]).toEqual(['made 1', 'hit 1', 'hit 1']);
    for (const [server, version] of [[one, 4], [two, 5], [one, 6]] as const) {
      server.set(-3_600_000 - version);
      await server.revalidate(key, durations);
      expect([await server.tell(key, version), await one.tell(key, 9), await two.tell(key, 9)]).toEqual([`made ${version}`, `hit ${version}`, `hit ${version}`]);
    }
  });

  it('after a clock that was ahead has revalidated a tag, what bears it is made once, and not at each request until that time', async () => {
    const [one, two] = [settable(), settable()];
    one.set(3_600_000);
    await one.revalidate('ahead');
    one.set(0);
    expect([await two.tell('ahead', 1), await one.tell('ahead', 2), await two.tell('ahead', 3)]).toEqual(['made 1', 'hit 1', 'hit 1']);
    await two.revalidate('ahead');
    expect([await two.tell('ahead', 4), await one.tell('ahead', 5)]).toEqual(['made 4', 'hit 4']);
  });

  it('what has expired does not come back as stale by a later revalidation after the clock was set back', async () => {
    let ahead = 3_600_000;
    const handler = createCacheHandler(cache.client({ clock: { ...systemClock, time: () => systemClock.time() + ahead } }));
    await handler.set('set back', entryOf('outdated', ['set back'], { timestamp: Date.now() + ahead - 1000 }));
    await handler.updateTags(['set back']);
    ahead = 0;
    await handler.updateTags(['set back'], { expire: 0 });
    expect(await handler.get('set back')).toBeUndefined();
  });

  it('a tag that is lost after the clock was set back expires what bears it', async () => {
    const server = settable();
    expect(await server.tell('lost-then', 1)).toBe('made 1');
    server.set(-3_600_000);
    await cache.client().delete('next:t:lost-then');
    expect([await server.has('lost-then'), await server.has('lost-then')]).toEqual([false, false]);
    expect([await server.tell('lost-then', 2), await server.tell('lost-then', 3)]).toEqual(['made 2', 'hit 2']);
  });

  it('use cache: who asks while an entry is made waits for it; a stream that fails leaves nothing', async () => {
    const handler = createCacheHandler(cache.client());
    let ready: (entry: UseCacheEntry) => void = () => undefined;
    const set = handler.set('slow', new Promise((resolve) => (ready = resolve)));
    const get = handler.get('slow', []);
    ready(await entryOf('v'));
    expect(await textOf(await get)).toBe('v');
    await set;
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('the connection was lost'));
      },
    });
    await handler.set('broken', entryOf('', [], { value: broken }));
    expect(await handler.get('broken', [])).toBeUndefined();
    await handler.set('dynamic', entryOf('v', [], { expire: 0 }));
    expect(await handler.get('dynamic', [])).toBeUndefined();
  });

  it('the incremental cache: bytes and maps of bytes come back as such, with the lifetime of the entry', async () => {
    const Handler = createCacheHandler(cache.client());
    const [one, two] = [new Handler({ dev: false }), new Handler()];
    const page = {
      kind: 'APP_PAGE',
      html: '<p>ö</p>',
      rscData: Buffer.from([0, 255, 128]),
      segmentData: new Map([['/_tree', Buffer.from('tree')], ['/page', Buffer.from([200])]]),
      headers: { 'x-next-cache-tags': 'posts,_N_T_/blog' },
      status: 200,
    };
    await one.set('/blog', page, { cacheControl: { revalidate: 60, expire: 3600 } });
    expect(await two.get('/blog', { kind: 'APP_PAGE' })).toEqual({ value: page, lastModified: expect.closeTo(Date.now(), -4) as number, cacheControl: { revalidate: 60, expire: 3600 } });
    await two.revalidateTag('_N_T_/blog');
    expect(await one.get('/blog', { kind: 'APP_PAGE' })).toBeNull();
    await one.set('/gone', null, {});
    expect(await two.get('/gone')).toMatchObject({ value: null });
  });

  it('the incremental cache: a fetch is judged by its own tags and those of the page', async () => {
    const Handler = createCacheHandler(cache.client());
    const two = new Handler();
    const value = { kind: 'FETCH', data: { headers: {}, body: 'Ym9keQ==', url: 'https://example.com' }, revalidate: 60 };
    const context = { kind: 'FETCH', tags: ['users'], softTags: ['_N_T_/users'] };
    for (const tag of ['users', '_N_T_/users']) {
      // Next.js makes a handler for each request.
      const one = new Handler();
      await one.get('fetched', context);
      await one.set('fetched', value, { fetchCache: true, tags: ['users'] });
      expect(await two.get('fetched', context)).toMatchObject({ value });
      await two.revalidateTag([tag]);
      expect(await new Handler().get('fetched', context)).toBeNull();
    }
    await new Handler().set('fetched', value, { fetchCache: true, tags: ['users'] });
    await two.revalidateTag(['users'], {});
    expect(await new Handler().get('fetched', context)).toMatchObject({ lastModified: -1 });
  });

  it.each(['missing', 'stale', 'old'])('the incremental cache: what is revalidated while it is made, since it was %s, is not kept', async (state) => {
    const Handler = createCacheHandler(cache.client());
    const page = (html: string): object => ({ kind: 'APP_PAGE', html, headers: { 'x-next-cache-tags': `tag-${state}` } });
    const fetched = (html: string): object => ({ kind: 'FETCH', data: { body: html } });
    const [one, two] = [new Handler(), new Handler()];
    for (const [key, make] of [[`/${state}`, page], [`fetch-${state}`, fetched]] as const) {
      const [tag, tags] = [`tag-${state}`, make === page ? [] : [`tag-${state}`]];
      if (state !== 'missing') await new Handler().set(key, make('first'), { tags });
      if (state === 'stale') await two.revalidateTag(tag, {});
      const before = await one.get(key, { tags });
      expect(before?.lastModified === -1 ? 'stale' : before === null ? 'missing' : 'old').toBe(state);
      await two.revalidateTag(tag);
      await one.set(key, make('outdated'), { tags });
      expect(await two.get(key, { tags })).toBeNull();
      await two.set(key, make('new'), { tags });
      expect(await new Handler().get(key, { tags })).toMatchObject({ value: make('new') });
    }
  });

  it.each(['missing', 'old'])('the incremental cache: what two parts of a request make at the same time, since it was %s, is not kept if it is revalidated meanwhile', async (state) => {
    const Handler = createCacheHandler(cache.client());
    const key = `twice-${state}`;
    const context = { kind: 'FETCH', tags: [key] };
    const value = (body: string): object => ({ kind: 'FETCH', data: { body } });
    if (state === 'old') await new Handler().set(key, value('first'), context);
    const request = new Handler();
    await Promise.all([request.get(key, context), request.get(key, context)]);
    await new Handler().revalidateTag(key);
    for (const body of ['outdated', 'outdated too']) {
      await request.set(key, value(body), context);
      expect(await new Handler().get(key, context)).toBeNull();
    }
    // A request that goes on, as after a server action, is not in its own way.
    expect(await request.get(key, context)).toBeNull();
    await request.set(key, value('new'), context);
    expect(await new Handler().get(key, context)).toMatchObject({ value: value('new') });
  });

  it('an entry larger than an item is cut into pieces, and is a miss when one of them is lost', async () => {
    const client = cache.client({ maxValueSize: 4096 });
    const handler = createCacheHandler(client);
    const text = Array.from({ length: 3000 }, (__, index) => '𝄞ö€a'[index % 5] ?? '').join('');
    const Handler = handler;
    await new Handler().set('large', { kind: 'APP_ROUTE', text, body: Buffer.alloc(20_000, 'ö') });
    expect(await new Handler().get('large')).toMatchObject({ value: { text, body: Buffer.alloc(20_000, 'ö') } });
    const manifest = await client.get<string>('next:e:i:large');
    expect(manifest).toMatch(/^[\w-]{12}:\d+$/);
    await client.delete(`next:e:${manifest?.split(':')[0]}:3`);
    expect(await new Handler().get('large')).toBeNull();
  });

  it('a tag that was lost expires what bears it', async () => {
    const client = cache.client();
    const handler = createCacheHandler(client);
    await handler.get('k', ['lost']);
    await handler.set('k', entryOf('v'));
    expect(await handler.get('k', ['lost'])).toBeDefined();
    expect(await client.delete('next:t:lost')).toBe(true);
    expect(await handler.get('k', ['lost'])).toBeUndefined();
  });
});

it('an entry without a lifetime of its own has that of the option', async () => {
  await using client = new EmbeddedClient(undefined, { clock: new ManualClock() });
  const handler = new (createCacheHandler(client, { ttl: 100_000 }))();
  await handler.set('/brief', null, {});
  await handler.set('/own', null, { cacheControl: { revalidate: 60, expire: 300 } });
  for (const [key, ttl] of [['/brief', 100], ['/own', 300]] as const) expect((await client.metaGet(`next:e:i:${key}`, { ttl: true }))?.ttl).toBe(ttl);
});

it('where a server of a cluster does not take its pieces, the entry before them stays, also with a client that ignores errors', async () => {
  await using first = await MemcachedServer.start();
  await using second = await MemcachedServer.start();
  for (const ignoreErrors of [false, true]) {
    await using client = new HashClient([first.address, second.address], { maxValueSize: 1000, ignoreErrors });
    const handler = new (createCacheHandler(client, { prefix: `pieces-${ignoreErrors}:` }))();
    await handler.set('page', { kind: 'FETCH', text: 'before' });
    for (const server of [first, second]) server.faults = ({ verb, line }) => (verb === 'set' && line.includes(':1 ') ? { reply: 'SERVER_ERROR out of memory storing object' } : undefined);
    await handler.set('page', { kind: 'FETCH', text: 'after'.repeat(1000) });
    for (const server of [first, second]) server.faults = undefined;
    expect(await handler.get('page')).toMatchObject({ value: { text: 'before' } });
  }
});

it('errors are misses, but a revalidation that failed rejects', async () => {
  const client = await deadClient();
  const handler = createCacheHandler(client);
  const incremental = new handler();
  expect(await handler.get('k', ['t'])).toBeUndefined();
  expect(await incremental.get('k')).toBeNull();
  await handler.set('k', entryOf('v'));
  await incremental.set('k', null);
  await expect(handler.updateTags(['t'])).rejects.toBeInstanceOf(MemcacheConnectError);
  await expect(incremental.revalidateTag('t')).rejects.toBeInstanceOf(MemcacheConnectError);
  const strict = createCacheHandler(client, { failures: 'throw' });
  for (const call of [strict.get('k'), strict.set('k', entryOf('v')), new strict().get('k'), new strict().set('k', {})]) {
    await expect(call).rejects.toBeInstanceOf(MemcacheConnectError);
  }
});

const foreign = ['{no JSON', '{}', '[]', 'x', 'one-word-of1:300000000', 'one-word-of1:2', ...['{"value":{},"bytes":null}', '{"value":{},"maps":{"a":1}}', '{}'].map((entry) => `{"time":99999999999999,"tags":[],"entry":${entry}}`), '{"time":99999999999999,"tags":[1],"entry":{"value":{},"bytes":""}}'];

it.each(foreign)('what somebody else has stored, such as %s, is a miss, and made anew', async (foreign) => {
  const client = new EmbeddedClient();
  const handler = createCacheHandler(client);
  const incremental = new handler();
  for (const key of ['e:i:page', 'e:u:part', 't:tag']) await client.set(`next:${key}`, foreign);
  expect(await incremental.get('page', { tags: ['tag'] })).toBeNull();
  expect(await handler.get('part', ['tag'])).toBeUndefined();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await incremental.set('page', { kind: 'FETCH' }, { tags: ['tag'] });
  await handler.set('part', entryOf('v', ['tag']));
  expect(await incremental.get('page', { tags: ['tag'] })).toMatchObject({ value: { kind: 'FETCH' } });
  expect(await textOf(await handler.get('part'))).toBe('v');
  await client.set('next:t:tag', foreign);
  await handler.updateTags(['tag'], { expire: 100 });
  // Stale, or gone.
  expect((await incremental.get('page', { tags: ['tag'] }))?.lastModified ?? -1).toBe(-1);
});

it('tags are known again after a change of the version of the serde', async () => {
  const store = new MemoryStore();
  for (const version of [1, 2]) {
    const handler = new (createCacheHandler(new EmbeddedClient(store, { serde: new VersionedSerde(new TypedSerde(), version) })))();
    const pages: unknown[] = [];
    for (let visit = 0; visit < 3; visit++) {
      const page = await handler.get('page', { tags: ['tag'] });
      pages.push(page === null ? null : 'page');
      if (page === null) await handler.set('page', { kind: 'FETCH' }, { tags: ['tag'] });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(pages).toEqual([null, 'page', 'page']);
  }
});

it.each(['miss', 'throw'] as const)('goes on with another serde, which cannot read entries, their pieces and tags, with failures: %s', async (failures) => {
  await using first = await MemcachedServer.start();
  await using second = await MemcachedServer.start();
  for (const serde of [new CompressedSerde(new TypedSerde(), { minLength: 40 }), new TypedSerde(), new JsonSerde<string>(), new StructuredSerde<string>(), new TypedSerde()]) {
    await using client = new HashClient([first.address, second.address], { serde, maxValueSize: 1000 });
    const handler = createCacheHandler(client, { failures });
    const pages = new handler();
    await handler.updateTags(['only marked'], { expire: 100 });
    const tags = Array.from({ length: 8 }, (_, index) => `tag${index}`);
    for (const text of ['short', 'long'.repeat(500)]) {
      const key = text.slice(0, 4);
      expect(await pages.get(key, { tags })).toBeNull();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await pages.set(key, { kind: 'FETCH', text }, { tags });
      expect(await pages.get(key, { tags })).toMatchObject({ value: { text } });
    }
    await handler.updateTags(['tag3'], { expire: 100 });
    expect((await pages.get('long', { tags }))?.lastModified).toBe(-1);
  }
});

it('reads that fail, and are ignored by the client, revalidate a tag for nobody', async () => {
  await using server = await MemcachedServer.start();
  await using lenient = new Client(server.address, { ignoreErrors: true });
  await using client = new Client(server.address);
  const [mine, others] = [lenient, client].map((each) => new (createCacheHandler(each))());
  await others?.set('page', { kind: 'FETCH' }, { tags: ['tag'] });
  server.faults = ({ verb }) => (verb === 'get' ? { reply: 'SERVER_ERROR too busy' } : undefined);
  for (let attempt = 0; attempt < 10; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await mine?.get('page', { tags: ['tag'] })).toBeNull();
  }
  server.faults = undefined;
  expect(await others?.get('page', { tags: ['tag'] })).toMatchObject({ value: { kind: 'FETCH' } });
});

it('with a client that ignores errors, too, tags that cannot be read are known again in the end', async () => {
  const store = new MemoryStore();
  for (const version of [1, 2]) {
    const client = new EmbeddedClient(store, { serde: new VersionedSerde(new TypedSerde(), version), ignoreErrors: true });
    const handler = new (createCacheHandler(client))();
    let page: unknown = null;
    for (let visit = 0; visit < 30 && page === null; visit++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      page = await handler.get('page', { tags: ['tag'] });
      if (page === null) await handler.set('page', { kind: 'FETCH' }, { tags: ['tag'] });
    }
    expect(page).toMatchObject({ value: { kind: 'FETCH' } });
  }
});

it('an entry that would take too many pieces is not stored, nor does the one before it stay', async () => {
  const client = new EmbeddedClient(undefined, { maxValueSize: 600 });
  const handler = new (createCacheHandler(client))();
  await handler.set('page', { kind: 'FETCH', text: 'x'.repeat(1000) });
  expect(await handler.get('page')).toMatchObject({ value: { text: 'x'.repeat(1000) } });
  await handler.set('page', { kind: 'FETCH', text: 'x'.repeat(700_000) });
  expect(await handler.get('page')).toBeNull();
});

it('refuses options that are not legal', async () => {
  const client = await deadClient();
  for (const options of [{ prefix: ' ' }, { ttl: -1 }, { failures: '' }, { buildId: 'x' }] as object[]) {
    expect(() => createCacheHandler(client, options)).toThrow(MemcacheIllegalInputError);
  }
});
