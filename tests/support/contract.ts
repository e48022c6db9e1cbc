import {
  MemcacheClientError,
  MemcacheError,
  MemcacheIllegalInputError,
  MemcacheInexactNumberError,
  MetaCommand,
  RawSerde,
  StringSerde,
  type Client,
  type ClientOptions,
  type Key,
} from '../../src';

/** What the contract needs of whoever is held to it. */
export interface Subject {
  /** Makes a client of the same kind over the same servers. */
  client<Out, In>(options: ClientOptions<Out, In>): Client<Out, In>;
  stop(): Promise<void>;
}

/** How far the contract goes. */
export interface ContractOptions {
  /** Whether the clients reach one server only: some commands make no sense for several. @default true */
  single?: boolean;
  /** Whether a call sees what a noreply call before it did: not so when they may take different connections. @default true */
  ordered?: boolean;
}

/** What every client does, whichever class it is and whichever server it talks to. */
export function describeContract(name: string, start: () => Promise<Subject>, { single = true, ordered = true }: ContractOptions = {}): void {
  describe(name, () => {
    let subject: Subject;
    let client: Client;

    beforeAll(async () => {
      subject = await start();
    });
    beforeEach(async () => {
      client = subject.client({ timeout: 5000 });
      await client.flushAll();
    });
    afterEach(() => client.close());
    afterAll(() => subject.stop());

    describe('reading', () => {
      it('get gives the value, undefined on a miss', async () => {
        await client.set('k', 'value');
        expect(await client.get('k')).toBe('value');
        expect(await client.get('none')).toBeUndefined();
      });

      it('gets gives the value and its cas, two undefineds on a miss', async () => {
        await client.set('k', 'value');
        const [value, cas] = await client.gets('k');
        expect(value).toBe('value');
        expect(cas).toMatch(/^[0-9]+$/);
        expect(await client.gets('none')).toEqual([undefined, undefined]);
      });

      it('gat and gats give the value and set the time to live', async () => {
        await client.set('k', 'value');
        expect(await client.gat('k', 100)).toBe('value');
        expect((await client.metaGet('k', { ttl: true }))?.ttl).toBeGreaterThan(90);
        expect((await client.gats('k', -1))[0]).toBe('value');
        expect(await client.gat('k', 0)).toBeUndefined();
        expect(await client.gats('k', 0)).toEqual([undefined, undefined]);
      });

      it('getMany gives the hits by the keys that were given, in their order', async () => {
        const bytes = Buffer.from('c');
        await client.setMany({ a: 'A', b: 'B', c: 'C' });
        const found = await client.getMany<Key>(['b', 'none', bytes, 'a']);
        expect([...found].filter(([key]) => key === bytes || typeof key === 'string')).toHaveLength(3);
        expect(found.get('a')).toBe('A');
        expect(found.get('b')).toBe('B');
        expect(found.get(bytes)).toBe('C');
        if (single) expect([...found.keys()]).toEqual(['b', bytes, 'a']);
      });

      it('getMany takes any iterable, keys twice, and none at all', async () => {
        await client.set('a', 'A');
        expect(await client.getMany(new Set(['a', 'b']))).toEqual(new Map([['a', 'A']]));
        expect(await client.getMany(['a', 'a', 'b', 'a'])).toEqual(new Map([['a', 'A']]));
        expect(await client.getMany([])).toEqual(new Map());
      });

      it('getsMany gives each hit with its cas', async () => {
        await client.setMany({ a: 'A', b: 'B' });
        const found = await client.getsMany(['a', 'b', 'none']);
        expect([...found.keys()].sort()).toEqual(['a', 'b']);
        const [value, cas] = found.get('a') ?? ['', ''];
        expect(value).toBe('A');
        expect(await client.cas('a', 'changed', cas)).toBe(true);
      });

      it('getMany of thousands of keys takes them all', async () => {
        const keys = Array.from({ length: 3000 }, (_, i) => `a-rather-long-key-${i}`);
        expect(await client.setMany(keys.map((key) => [key, key] as const))).toEqual([]);
        const found = await client.getMany([...keys, 'none']);
        expect(found.size).toBe(3000);
        for (const [key, value] of found) expect(value).toBe(key);
      });
    });

    describe('storing', () => {
      it('set stores and says so', async () => {
        expect(await client.set('k', 'one')).toBe(true);
        expect(await client.set('k', 'two')).toBe(true);
        expect(await client.get('k')).toBe('two');
      });

      it('add stores only what is not there, replace only what is', async () => {
        expect(await client.replace('k', 'one')).toBe(false);
        expect(await client.add('k', 'one')).toBe(true);
        expect(await client.add('k', 'two')).toBe(false);
        expect(await client.replace('k', 'three')).toBe(true);
        expect(await client.get('k')).toBe('three');
      });

      it('append and prepend add to what is there', async () => {
        expect(await client.append('k', 'x')).toBe(false);
        expect(await client.prepend('k', 'x')).toBe(false);
        await client.set('k', 'b');
        expect(await client.append('k', 'c')).toBe(true);
        expect(await client.prepend('k', 'a')).toBe(true);
        expect(await client.get('k')).toBe('abc');
      });

      it('cas stores once: true, then false, and undefined without the key', async () => {
        await client.set('k', 'one');
        const [, cas = ''] = await client.gets('k');
        expect(await client.cas('k', 'two', cas)).toBe(true);
        expect(await client.cas('k', 'three', cas)).toBe(false);
        expect(await client.get('k')).toBe('two');
        expect(await client.cas('none', 'x', cas)).toBeUndefined();
      });

      it('of many who cas at once, one wins', async () => {
        await client.set('k', 0);
        const [, cas = ''] = await client.gets('k');
        const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => client.cas('k', i, cas)));
        expect(outcomes.filter((stored) => stored)).toHaveLength(1);
      });

      it('setMany takes a Map, pairs and an object, and names the keys that were not stored', async () => {
        expect(await client.setMany(new Map([['a', 1]]))).toEqual([]);
        expect(await client.setMany([['b', 2], [Buffer.from('c'), 3]])).toEqual([]);
        expect(await client.setMany({ d: 4 })).toEqual([]);
        expect(await client.setMany({})).toEqual([]);
        expect(await client.getMany(['a', 'b', 'c', 'd'])).toEqual(new Map([['a', 1], ['b', 2], ['c', 3], ['d', 4]]));
      });

      it('flags given win over those of the serde', async () => {
        const raw = subject.client({ serde: new RawSerde() });
        await raw.set('k', 'x', { flags: 4294967295 });
        expect((await raw.metaGet('k', { flags: true }))?.flags).toBe(4294967295);
        await raw.close();
      });

      it('noreply tells success, and the next call gets its own answer', async () => {
        const reads = async (key: string, value: unknown): Promise<void> => {
          const read = await client.get(key);
          if (ordered) expect(read).toBe(value);
          else expect([undefined, 'v', 'A']).toContain(read);
        };
        expect(await client.set('k', 'v', { noreply: true })).toBe(true);
        await reads('k', 'v');
        expect(await client.add('k', 'other', { noreply: true })).toBe(true);
        expect(await client.setMany({ a: 'A' }, { noreply: true })).toEqual([]);
        await reads('a', 'A');
        expect(await client.touch('a', 10, { noreply: true })).toBe(true);
        expect(await client.incr('a', 1, { noreply: true })).toBeUndefined();
        expect(await client.delete('k', { noreply: true })).toBe(true);
        await reads('k', undefined);
        expect(await client.deleteMany(['a', 'b'], { noreply: true })).toBe(2);
        await reads('a', undefined);
      });

      it('defaultNoreply holds for writes that do not say, and not for cas, incr and decr', async () => {
        const quiet = subject.client({ defaultNoreply: true });
        await client.set('k', 'v');
        expect(await quiet.add('k', 'w')).toBe(true);
        expect(await quiet.add('k', 'w', { noreply: false })).toBe(false);
        expect(await quiet.cas('none', 'w', '1')).toBeUndefined();
        expect(await quiet.incr('none')).toBeUndefined();
        await quiet.close();
      });
    });

    describe('values', () => {
      it('what goes in comes out', async () => {
        const values = ['', 'text', 'ünïcödé 🎉', 0, -1, 1.5, NaN, -Infinity, 2n ** 70n, true, false, null, { a: [1, 'x', null] }, [1]];
        for (const [i, value] of values.entries()) {
          await client.set(`v${i}`, value);
          expect(await client.get(`v${i}`)).toEqual(value);
        }
      });

      it('bytes come out as bytes, all 256 of them', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        await client.set('k', bytes);
        expect(await client.get('k')).toEqual(bytes);
        await client.set('k', Buffer.alloc(0));
        expect(await client.get('k')).toEqual(Buffer.alloc(0));
      });

      it.each(['END\r\n', 'VALUE x 0 1\r\n', 'VALUE x 0 1\r\ny\r\nEND\r\n', 'ERROR\r\n', 'STORED\r\n', '\r\n', 'a\r\nflush_all\r\n'])(
        'a value that looks like the protocol is a value: %j',
        async (value) => {
          await client.setMany({ before: 1, k: value, after: 2 });
          expect(await client.get('k')).toBe(value);
          expect(await client.getMany(['before', 'k', 'after'])).toEqual(new Map<string, unknown>([['before', 1], ['k', value], ['after', 2]]));
        },
      );

      it('a value of 900 KB comes out as it went in, as text and as bytes', async () => {
        const text = 'abcdefghi'.repeat(100_000);
        await client.set('text', text);
        await client.set('bytes', Buffer.from(text));
        await client.set('wide', 'é'.repeat(450_000));
        expect((await client.get('text')) === text).toBe(true);
        expect((await client.get<Buffer>('bytes'))?.equals(Buffer.from(text))).toBe(true);
        expect((await client.get('wide')) === 'é'.repeat(450_000)).toBe(true);
      });

      it('a value that is too large is refused, and what it was to replace is gone', async () => {
        await client.set('k', 'old');
        await expect(client.set('k', 'x'.repeat(1_048_577))).rejects.toThrow(MemcacheIllegalInputError);
        expect(await client.get('k')).toBeUndefined();
        await client.set('k', 'old');
        await expect(client.append('k', 'x'.repeat(1_048_577))).rejects.toThrow(MemcacheIllegalInputError);
        expect(await client.setMany({ k: 'x'.repeat(1_048_577), l: 'fine' })).toEqual(['k']);
        expect(await client.getMany(['k', 'l'])).toEqual(new Map([['l', 'fine']]));
      });
    });

    describe('keys', () => {
      it('of exactly 250 bytes are fine, of 251 not', async () => {
        await client.set('k'.repeat(250), 'v');
        expect(await client.get('k'.repeat(250))).toBe('v');
        await expect(client.get('k'.repeat(251))).rejects.toThrow('at most 250 bytes');
      });

      it('beyond ASCII need allowUnicodeKeys, and are counted in bytes', async () => {
        await expect(client.get('clé')).rejects.toThrow('allowUnicodeKeys');
        const unicode = subject.client({ allowUnicodeKeys: true });
        await unicode.set('é'.repeat(125), 'v');
        expect(await unicode.get('é'.repeat(125))).toBe('v');
        expect(await unicode.getMany(['é'.repeat(125), '鍵'])).toEqual(new Map([['é'.repeat(125), 'v']]));
        await expect(unicode.get('é'.repeat(126))).rejects.toThrow(MemcacheIllegalInputError);
        await unicode.close();
      });

      it('are told apart from what objects have', async () => {
        await client.setMany([['__proto__', 'p'], ['constructor', 'c'], ['toString', 't']]);
        const found = await client.getMany(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
        expect([...found].sort()).toEqual([['__proto__', 'p'], ['constructor', 'c'], ['toString', 't']]);
        expect(await client.get('valueOf')).toBeUndefined();
      });

      it('have the prefix in front, which results do not show', async () => {
        const prefixed = subject.client({ keyPrefix: 'app:' });
        await prefixed.set('k', 'v');
        expect(await prefixed.getMany(['k'])).toEqual(new Map([['k', 'v']]));
        if (single) expect(await client.get('app:k')).toBe('v');
        await expect(prefixed.get('k'.repeat(247))).rejects.toThrow(MemcacheIllegalInputError);
        await prefixed.close();
      });

      it('are text, bytes, or a pair whose second part they are stored under', async () => {
        await client.set(['route', 'k'], 'v');
        expect(await client.get(['route', Buffer.from('k')])).toBe('v');
        if (single) expect(await client.get('k')).toBe('v');
      });

      it.each<[string, unknown]>([
        ['a blank', 'a b'],
        ['a line end', 'a\r\nflush_all'],
        ['NUL', 'a\0'],
        ['DEL', 'a\x7f'],
        ['nothing', ''],
        ['a lone surrogate', '\ud800'],
        ['a number', 1],
        ['null', null],
        ['bytes with a blank', Buffer.from('a b')],
      ])('with %s are refused before anything is sent', async (_, key) => {
        const bad = key as string;
        const calls = [
          client.get(bad),
          client.gets(bad),
          client.gat(bad, 1),
          client.getMany(['fine', bad]),
          client.set(bad, 'v'),
          client.setMany([['fine', 'v'], [bad, 'v']]),
          client.cas(bad, 'v', '1'),
          client.delete(bad),
          client.deleteMany(['fine', bad]),
          client.touch(bad, 1),
          client.incr(bad),
          client.metaGet(bad),
          client.metaDelete(bad),
        ];
        for (const outcome of await Promise.allSettled(calls)) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_ILLEGAL_INPUT', certainty: 'notSent' } });
          if (outcome.status === 'rejected') expect((outcome.reason as Error).message).toMatch(/key/);
        }
        expect(await client.get('fine')).toBeUndefined();
      });
    });

    describe('items', () => {
      it('delete tells whether there was something', async () => {
        await client.set('k', 'v');
        expect(await client.delete('k')).toBe(true);
        expect(await client.delete('k')).toBe(false);
      });

      it('deleteMany counts', async () => {
        await client.setMany({ a: 1, b: 2 });
        expect(await client.deleteMany(['a', 'none', 'b'])).toBe(2);
        expect(await client.deleteMany([])).toBe(0);
      });

      it('touch sets the time to live and tells whether the key was there', async () => {
        await client.set('k', 'v');
        expect(await client.touch('k', 100)).toBe(true);
        expect((await client.metaGet('k', { ttl: true }))?.ttl).toBeGreaterThan(90);
        expect(await client.touch('k', -1)).toBe(true);
        expect(await client.get('k')).toBeUndefined();
        expect(await client.touch('k', 1)).toBe(false);
      });

      it.each<[string, number | Date, (ttl: number | undefined) => void]>([
        ['0 is for ever', 0, (ttl) => { expect(ttl).toBe(-1); }],
        ['seconds', 100, (ttl) => { expect(ttl).toBeGreaterThan(95); }],
        ['45 days are 45 days', 45 * 86400, (ttl) => { expect(ttl).toBeGreaterThan(45 * 86400 - 10); }],
        ['a Date', new Date(Date.now() + 1e6), (ttl) => { expect(ttl).toBeGreaterThan(800); }],
        ['negative is at once', -1, (ttl) => { expect(ttl).toBeUndefined(); }],
        ['a Date in the past is at once', new Date(0), (ttl) => { expect(ttl).toBeUndefined(); }],
      ])('expire: %s', async (_, expire, check) => {
        await client.set('k', 'v', { expire });
        check((await client.metaGet('k', { ttl: true }))?.ttl);
      });

      it('incr and decr count in the type of delta', async () => {
        expect(await client.incr('n')).toBeUndefined();
        expect(await client.decr('n', 1n)).toBeUndefined();
        await client.set('n', 10);
        expect(await client.incr('n')).toBe(11);
        expect(await client.incr('n', 5)).toBe(16);
        expect(await client.incr('n', 4n)).toBe(20n);
        expect(await client.decr('n', 19)).toBe(1);
        expect(await client.decr('n', 5)).toBe(0);
        expect(await client.get('n')).toBe(0);
      });

      it('counts beyond 2^53 are exact as bigint, and no number pretends to be', async () => {
        await client.set('n', String(2n ** 53n - 1n), { flags: 2 });
        expect(await client.incr('n', 0)).toBe(Number.MAX_SAFE_INTEGER);
        const error = await client.incr('n', 2).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MemcacheInexactNumberError);
        expect((error as MemcacheInexactNumberError).exact).toBe(2n ** 53n + 1n);
        expect(await client.incr('n', 1n)).toBe(2n ** 53n + 2n);
        await client.set('n', String(2n ** 64n - 1n));
        expect(await client.incr('n', 1n)).toBe(0n);
      });

      it('counting what is no number is an error, after which all is well', async () => {
        await client.set('k', 'text');
        const error: unknown = await client.incr('k').catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MemcacheClientError);
        expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', command: 'incr', certainty: 'executed' });
        expect(await client.get('k')).toBe('text');
      });
    });

    describe('servers', () => {
      it('version and stats give a Map by server', async () => {
        const versions = await client.version();
        expect(versions.size).toBeGreaterThan(0);
        for (const version of versions.values()) expect(version).toMatch(/^1\.\d/);
        const stats = await client.stats();
        expect([...stats.keys()].sort()).toEqual([...versions.keys()].sort());
        for (const ofServer of stats.values()) expect(ofServer.get('pid')).toMatch(/^\d+$/);
        expect((await client.stats('settings')).size).toBe(versions.size);
        expect((await client.stats('reset')).size).toBe(versions.size);
      });

      it('flushAll empties them, at once', async () => {
        await client.setMany({ a: 1, b: 2 });
        expect(await client.flushAll()).toBeUndefined();
        expect(await client.getMany(['a', 'b'])).toEqual(new Map());
      });

      it('verbosity, cacheMemlimit and metaNoop are done', async () => {
        expect(await client.verbosity(0)).toBeUndefined();
        expect(await client.cacheMemlimit(64)).toBeUndefined();
        expect(await client.metaNoop()).toBeUndefined();
      });

      it('shutdown is refused where it is not enabled, quit leaves a client that may be used again', async () => {
        await expect(client.shutdown()).rejects.toThrow(MemcacheError);
        await client.set('k', 'v');
        await client.quit();
        expect(await client.get('k')).toBe('v');
      });

      if (single) {
        it('raw sends a line and gives back what comes', async () => {
          await client.set('k', 'v');
          expect((await client.raw('version')).toString()).toMatch(/^VERSION 1\./);
          expect((await client.raw('get k', 'END\r\n')).toString()).toBe('VALUE k 16 1\r\nv\r\n');
          await expect(client.raw('nonsense')).rejects.toThrow(MemcacheClientError);
          const mixed = await Promise.all([client.get('k'), client.raw('get none'), client.get('k'), client.raw('mn')]);
          expect(mixed.map(String)).toEqual(['v', 'END', 'v', 'MN']);
        });
      }
    });

    describe('meta commands', () => {
      it('metaGet gives what is asked for', async () => {
        await client.set('k', 'value', { expire: 100 });
        const all = { cas: true, ttl: true, size: true, flags: true, hitBefore: true, lastAccess: true };
        expect(await client.metaGet('k', all)).toMatchObject({ value: 'value', flags: 16, size: 5, hitBefore: false, won: false, stale: false });
        expect(await client.metaGet('k', all)).toMatchObject({ hitBefore: true, lastAccess: 0 });
        expect(await client.metaGet('k', { value: false, ttl: true, expire: 50 })).toMatchObject({ value: undefined, ttl: 50 });
        expect(await client.metaGet('none', all)).toBeUndefined();
      });

      it('metaSet stores by its mode', async () => {
        expect(await client.metaSet('k', 'v', { mode: 'add', returnCas: true })).toMatchObject({ status: 'done' });
        expect(await client.metaSet('k', 'v', { mode: 'add' })).toMatchObject({ status: 'notStored' });
        expect(await client.metaSet('k', 'w', { mode: 'append' })).toMatchObject({ status: 'done' });
        expect(await client.metaSet('k', 'x', { cas: '1' })).toMatchObject({ status: 'exists' });
        expect(await client.metaSet('none', 'x', { cas: '1' })).toMatchObject({ status: 'notFound' });
        expect(await client.get('k')).toBe('vw');
      });

      it('of those who miss with vivify one wins, and a stale item has one refresher', async () => {
        expect(await client.metaGet('k', { vivify: 30 })).toMatchObject({ won: true, value: undefined });
        expect(await client.metaGet('k', { vivify: 30 })).toMatchObject({ won: false, recaching: true, value: undefined });
        await client.metaSet('k', 'v');
        expect(await client.metaDelete('k', { invalidate: true, expire: 30 })).toMatchObject({ status: 'done' });
        expect(await client.metaGet('k')).toMatchObject({ value: 'v', stale: true, won: true });
        expect(await client.metaGet('k')).toMatchObject({ value: 'v', stale: true, won: false, recaching: true });
      });

      it('metaArithmetic creates and counts', async () => {
        expect(await client.metaArithmetic('n')).toMatchObject({ status: 'notFound', value: undefined });
        expect(await client.metaArithmetic('n', { vivify: 0, initial: 7 })).toMatchObject({ status: 'done', value: 7 });
        expect(await client.metaArithmetic('n', { delta: 3n, returnTtl: true })).toMatchObject({ value: 10n, ttl: -1 });
        expect(await client.metaArithmetic('n', { mode: 'decr', delta: 100 })).toMatchObject({ value: 0 });
      });

      it('metaDelete and metaDebug tell what they found', async () => {
        await client.set('k', 'v');
        expect((await client.metaDebug('k'))?.get('exp')).toBe('-1');
        expect(await client.metaDelete('k')).toMatchObject({ status: 'done' });
        expect(await client.metaDelete('k')).toMatchObject({ status: 'notFound' });
        expect(await client.metaDebug('k')).toBeUndefined();
      });

      it('keys of any bytes travel in base64', async () => {
        const key = Buffer.from('a key\r\nof any \0 bytes é');
        expect(await client.metaSet(key, 'v', { base64: true })).toMatchObject({ status: 'done' });
        expect(await client.metaGet(key, { base64: true })).toMatchObject({ value: 'v' });
        await expect(client.metaGet('k'.repeat(187), { base64: true })).rejects.toThrow('186');
      });

      it('executeMeta takes any command, with a value of no bytes and quietly', async () => {
        expect(await client.executeMeta(new MetaCommand('ms', 'k', ['T100'], ''))).toMatchObject({ code: 'HD' });
        expect(await client.executeMeta(new MetaCommand('mg', 'k', ['v', 'k', 's', 'Oabc']))).toMatchObject({
          code: 'VA',
          size: 0,
          flags: ['kk', 's0', 'Oabc'],
          value: Buffer.alloc(0),
        });
        expect(await client.executeMeta(new MetaCommand('mg', 'none', ['v', 'q']))).toMatchObject({ code: 'EN' });
        expect(await client.executeMeta(new MetaCommand('md', 'k', ['q']))).toMatchObject({ code: 'HD' });
        expect(await client.executeMeta(new MetaCommand('md', 'k', ['q']))).toMatchObject({ code: 'NF' });
        expect(await client.executeMeta(new MetaCommand('mn'))).toMatchObject({ code: 'MN' });
        await expect(client.executeMeta(new MetaCommand('mg', 'k', ['!'.replace('!', 'y')]))).rejects.toThrow(MemcacheClientError);
        expect(await client.get('k')).toBeUndefined();
      });
    });

    describe('calls', () => {
      it('10 000 at once are answered each with its own', async () => {
        const many = Array.from({ length: 10_000 }, (_, i) => i);
        await Promise.all(many.map((i) => client.set(`k${i}`, `value of ${i}`)));
        const order: number[] = [];
        const values = await Promise.all(
          many.map(async (i) => {
            const value = await client.get(i % 3 === 0 ? `none${i}` : `k${i}`);
            order.push(i);
            return value;
          }),
        );
        values.forEach((value, i) => { expect(value).toBe(i % 3 === 0 ? undefined : `value of ${i}`); });
        if (single) expect(order).toHaveLength(10_000);
      });

      it('of all kinds, mixed, are answered each with its own', async () => {
        await client.setMany({ n: 5, s: 'text' });
        const results = await Promise.all([
          client.get('s'), client.incr('n'), client.get('none'), client.set('x', 1, { noreply: true }), client.gets('none'),
          client.add('s', 'no'), client.getMany(['s', 'x']), client.delete('none'), client.get('s'), client.incr('s').catch(() => 'refused'), client.get('n'),
        ]);
        expect(results).toEqual(['text', 6, undefined, true, [undefined, undefined], false, new Map<string, unknown>([['s', 'text'], ['x', 1]]), false, 'text', 'refused', 6]);
      });

      it('are aborted before, while waiting, and after they were sent; the others are not', async () => {
        await client.set('k', 'v');
        const reason = new Error('changed my mind');
        await expect(client.get('k', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
        const controller = new AbortController();
        const waiting = client.get('k', { signal: controller.signal });
        const other = client.get('k');
        controller.abort(reason);
        await expect(waiting).rejects.toBe(reason);
        expect(await other).toBe('v');
        const later = new AbortController();
        const sent = client.set('k', 'w', { signal: later.signal });
        const behind = client.get('k');
        setImmediate(() => { later.abort(reason); });
        await sent.catch((error: unknown) => { expect(error).toBe(reason); });
        expect(['v', 'w']).toContain(await behind);
      });

      it('close is done once, twice, and the client may be used again', async () => {
        const pending = client.set('k', 'v');
        await Promise.all([client.close(), client.close()]);
        expect(await pending).toBe(true);
        expect(await client.get('k')).toBe('v');
        await client[Symbol.asyncDispose]();
      });

      it('a serde that throws harms nobody else', async () => {
        const picky = subject.client({ serde: new StringSerde() });
        await client.set('k', 'v');
        const [bad, good] = await Promise.allSettled([picky.set('x', 1 as unknown as string), picky.get('k')]);
        expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'MEMCACHE_SERDE', certainty: 'notSent' } });
        expect(good).toMatchObject({ value: 'v' });
        const reader = subject.client<string, string>({
          serde: { serialize: (data) => ({ data, flags: 0 }), deserialize: () => { throw new Error('cannot read'); } },
        });
        const outcomes = await Promise.allSettled([reader.get('k'), reader.set('y', 'z'), reader.getMany(['k', 'none']), reader.get('none')]);
        expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
        await picky.close();
        await reader.close();
      });
    });

    it.each<[string, RegExp, (client: Client) => Promise<unknown>]>([
      ['expire', /expire/, (c) => c.set('k', 'v', { expire: 1.5 })],
      ['expire', /expire/, (c) => c.set('k', 'v', { expire: '60' as unknown as number })],
      ['expire in milliseconds', /milliseconds/, (c) => c.set('k', 'v', { expire: Date.now() })],
      ['expire of touch', /expire/, (c) => c.touch('k', NaN)],
      ['expire of gat', /expire/, (c) => c.gat('k', undefined as unknown as number)],
      ['flags', /flags/, (c) => c.set('k', 'v', { flags: -1 })],
      ['flags', /flags/, (c) => c.set('k', 'v', { flags: 2 ** 32 })],
      ['noreply', /noreply/, (c) => c.set('k', 'v', { noreply: 1 as unknown as boolean })],
      ['options', /options/, (c) => c.set('k', 'v', 60 as unknown as object)],
      ['signal', /signal/, (c) => c.get('k', { signal: {} as unknown as AbortSignal })],
      ['cas', /cas/, (c) => c.cas('k', 'v', '1\r\nflush_all')],
      ['cas', /cas/, (c) => c.cas('k', 'v', 1 as unknown as string)],
      ['delta', /delta/, (c) => c.incr('k', -1)],
      ['delta', /delta/, (c) => c.incr('k', 1.5)],
      ['delta', /delta/, (c) => c.decr('k', 2n ** 64n)],
      ['keys', /keys/, (c) => c.getMany('abc')],
      ['keys', /keys/, (c) => c.deleteMany(null as unknown as string[])],
      ['entries', /entries/, (c) => c.setMany('abc' as unknown as object as Record<string, string>)],
      ['entries', /entries/, (c) => c.setMany([['a']] as unknown as [string, string][])],
      ['stats argument', /stats/, (c) => c.stats('a\r\nb')],
      ['delay', /delay/, (c) => c.flushAll(-1)],
      ['megabytes', /megabytes/, (c) => c.cacheMemlimit(0)],
      ['level', /level/, (c) => c.verbosity('1' as unknown as number)],
      ['command of raw', /command/, (c) => c.raw('version\r\nflush_all')],
      ['endToken of raw', /endToken/, (c) => c.raw('version', '')],
      ['opaque', /opaque/, (c) => c.metaGet('k', { opaque: 'a b' })],
      ['mode', /mode/, (c) => c.metaSet('k', 'v', { mode: 'S T0' as 'set' })],
      ['vivify', /vivify/, (c) => c.metaGet('k', { vivify: -1 })],
      ['command of executeMeta', /command/, (c) => c.executeMeta({} as MetaCommand)],
    ])('refuses an illegal %s before anything is sent', async (_, message, call) => {
      const error: unknown = await call(client).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MemcacheIllegalInputError);
      expect(error).toMatchObject({ certainty: 'notSent' });
      expect((error as Error).message).toMatch(message);
      expect(await client.get('k')).toBeUndefined();
    });
  });
}
