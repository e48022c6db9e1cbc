import {
  MemcacheClientError,
  MemcacheError,
  MemcacheIllegalInputError,
  MemcacheInexactNumberError,
  MemcachePartialError,
  MemcacheSerdeError,
  MemcacheServerError,
  MetaCommand,
  StringSerde,
  type Client,
  type ClientOptions,
} from '../../src';

/** What the contract needs of whoever is held to it. */
export interface Subject {
  /** Makes a client of the same kind over the same servers. */
  client<Out, In>(options: ClientOptions<Out, In>): Client<Out, In>;
  /** Ends the servers. */
  stop(): Promise<void>;
}

/** How a kind of client differs from the others where it may. */
export interface ContractTraits {
  /** How many servers `version` and the like reach. @default 1 */
  readonly servers?: number;
  /** Whether one call sees what an earlier one did with `noreply`: not so over several connections. @default true */
  readonly seesNoreply?: boolean;
  /** The version of the servers, where they may be old. What they lack is skipped. @default the newest */
  readonly version?: string | undefined;
}

/** The first versions of memcached that have them. */
const GAT = '1.5.3';
const META = '1.6.0';

function isOlder(version: string | undefined, than: string): boolean {
  return version !== undefined && version.localeCompare(than, 'en', { numeric: true }) < 0;
}

/** Lets illegal arguments past the type checker. */
export function illegal(value: unknown): never {
  return value as never;
}

/** What a promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`should have rejected, gave ${String(result)}`);
}

/** What a promise rejects with, which must be an error of ours. */
export async function failure(promise: Promise<unknown>): Promise<MemcacheError> {
  const error = await rejection(promise);
  expect(error).toBeInstanceOf(MemcacheError);
  return error as MemcacheError;
}

/** `toEqual` without its time for bytes. */
function expectSame(got: unknown, value: unknown): void {
  if (!(value instanceof Uint8Array)) expect(got).toEqual(value);
  else if (!Buffer.isBuffer(got) || !got.equals(value)) throw new Error('the bytes that came back are others');
}

// Typed, unlike what jest gives.
const aNumber: unknown = expect.any(Number);
const text: unknown = expect.any(String);
const MEBIBYTE = 1024 * 1024;
const DAY = 24 * 60 * 60;

/** What every client does, whichever class it is and whatever server it talks to. */
export function describeContract(
  name: string,
  start: () => Promise<Subject>,
  { servers = 1, seesNoreply = true, version }: ContractTraits = {},
): void {
  describe(name, () => {
    let subject: Subject;
    let client: Client;
    let count = 0;
    /** A key that no other test uses. */
    const fresh = (): string => `key-${++count}`;
    const hasMeta = !isOlder(version, META);

    /** `it`, skipped by name and with the reason where the servers are older. */
    function itSince(needed: string, name: string, test: () => Promise<void>): void {
      if (isOlder(version, needed)) it.skip(`${name} (needs memcached ${needed}, this is ${version ?? ''})`, test);
      else it(name, test);
    }

    beforeAll(async () => {
      subject = await start();
      client = subject.client({ timeout: 5000 });
    });
    afterAll(async () => {
      await client.close();
      await subject.stop();
    });

    /** Another client of the same kind, for one test. */
    async function withOptions<Out, In>(options: ClientOptions<Out, In>, test: (client: Client<Out, In>) => Promise<void>): Promise<void> {
      const other = subject.client({ timeout: 5000, ...options });
      try {
        await test(other);
      } finally {
        await other.close();
      }
    }

    describe('retrieval', () => {
      it('get gives the value, undefined on a miss', async () => {
        const key = fresh();
        expect(await client.get(key)).toBeUndefined();
        await client.set(key, 'value');
        expect(await client.get(key)).toBe('value');
      });

      it('gets gives the value and a decimal token, two undefineds on a miss', async () => {
        const key = fresh();
        expect(await client.gets(key)).toEqual([undefined, undefined]);
        await client.set(key, 'value');
        expect(await client.gets(key)).toEqual(['value', expect.stringMatching(/^[0-9]+$/)]);
      });

      itSince(GAT, 'gat gives the value and sets the time to live', async () => {
        const key = fresh();
        expect(await client.gat(key, 100)).toBeUndefined();
        await client.set(key, 'value');
        expect(await client.gat(key, 100)).toBe('value');
        await expectTtl(key, 90);
        expect(await client.gat(key, -1)).toBe('value');
        expect(await client.get(key)).toBeUndefined();
      });

      itSince(GAT, 'gats gives value and token, and sets the time to live', async () => {
        const key = fresh();
        expect(await client.gats(key, 100)).toEqual([undefined, undefined]);
        await client.set(key, 'value');
        const [, cas] = await client.gets(key);
        expect(await client.gats(key, 100)).toEqual(['value', cas]);
        await expectTtl(key, 90);
      });

      itSince(GAT, 'gats of one tick each get their own value and set their own time to live', async () => {
        const [one, two, gone, missing] = [fresh(), fresh(), fresh(), fresh()];
        await Promise.all([client.set(one, '1'), client.set(two, '2'), client.set(gone, '3')]);
        const results = await Promise.all([
          client.gat(one, 100),
          client.gat(missing, 100),
          client.gat(two, 100),
          client.gats(two, 100),
          client.gat(gone, -1),
          client.gat(gone, -1),
          client.gat(one, 1000),
          client.get(two),
        ]);
        expect(results).toEqual(['1', undefined, '2', ['2', expect.any(String)], '3', undefined, '1', '2']);
        await expectTtl(two, 90);
        await expectTtl(one, 990);
      });

      it('getMany gives the hits by the very keys of the caller', async () => {
        const [hit, miss, other] = [fresh(), fresh(), fresh()];
        const bytes = Buffer.from(fresh());
        await client.setMany([[hit, 1], [other, 'two'], [bytes, 3n]]);
        const found = await client.getMany([other, bytes, miss, hit]);
        expect(found.size).toBe(3);
        expect([found.get(other), found.get(bytes), found.get(hit)]).toEqual(['two', 3n, 1]);
        expect([...(await client.getMany(new Set([hit, miss])))]).toEqual([[hit, 1]]);
      });

      it('getMany and getsMany keep the order of the keys', async () => {
        const keys = Array.from({ length: 40 }, fresh);
        await client.setMany(keys.map((key, i): [string, number] => [key, i]));
        expect([...(await client.getMany(keys)).keys()]).toEqual(keys);
        keys.reverse();
        expect([...(await client.getsMany(keys)).keys()]).toEqual(keys);
      });

      it('getMany takes the same key twice, and no key at all', async () => {
        const key = fresh();
        await client.set(key, 'value');
        expect([...(await client.getMany([key, key, key]))]).toEqual([[key, 'value']]);
        expect([...(await client.getMany([]))]).toEqual([]);
        expect([...(await client.getsMany([]))]).toEqual([]);
      });

      it('getMany of thousands of keys comes back whole', async () => {
        const prefix = fresh();
        const entries = Array.from({ length: 3000 }, (_, i): [string, number] => [`${prefix}-${'x'.repeat(i % 100)}-${i}`, i]);
        expect(await client.setMany(entries)).toEqual([]);
        const found = await client.getMany(entries.map(([key]) => key));
        expect(found.size).toBe(entries.length);
        for (const [key, value] of entries) if (found.get(key) !== value) throw new Error(`${key} came back as another`);
      });

      it('getsMany gives values with tokens that cas takes', async () => {
        const [hit, miss] = [fresh(), fresh()];
        await client.set(hit, 'value');
        const found = await client.getsMany([miss, hit]);
        const [, cas] = await client.gets(hit);
        expect([...found]).toEqual([[hit, ['value', cas]]]);
        expect(await client.cas(hit, 'next', cas ?? '')).toBe(true);
      });
    });

    describe('storage', () => {
      it.each([
        ['set stores whether or not the key is there', 'set', true],
        ['add stores only a new key', 'add', false],
      ] as const)('%s', async (_, method, replaces) => {
        const key = fresh();
        expect(await client[method](key, 'one')).toBe(true);
        expect(await client[method](key, 'two')).toBe(replaces);
        expect(await client.get(key)).toBe(replaces ? 'two' : 'one');
      });

      it('replace stores only what is there', async () => {
        const key = fresh();
        expect(await client.replace(key, 'one')).toBe(false);
        expect(await client.get(key)).toBeUndefined();
        await client.set(key, 'one');
        expect(await client.replace(key, 'two')).toBe(true);
        expect(await client.get(key)).toBe('two');
      });

      it('append and prepend add to what is there and nothing else', async () => {
        const key = fresh();
        expect(await client.append(key, 'end')).toBe(false);
        expect(await client.prepend(key, 'front')).toBe(false);
        expect(await client.get(key)).toBeUndefined();
        await client.set(key, 'middle');
        expect(await client.append(key, ' end')).toBe(true);
        expect(await client.prepend(key, 'front ')).toBe(true);
        expect(await client.get(key)).toBe('front middle end');
      });

      it('cas tells stored, changed and gone apart', async () => {
        const key = fresh();
        expect(await client.cas(key, 'value', '1')).toBeUndefined();
        await client.set(key, 'one');
        const [, cas = ''] = await client.gets(key);
        expect(await client.cas(key, 'two', cas)).toBe(true);
        expect(await client.cas(key, 'three', cas)).toBe(false);
        expect(await client.get(key)).toBe('two');
      });

      it('of many that race with cas exactly one wins each round', async () => {
        const key = fresh();
        await client.set(key, 0);
        for (let round = 1; round <= 5; round++) {
          const [, cas = ''] = await client.gets(key);
          const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => client.cas(key, round * 100 + i, cas)));
          expect(outcomes.filter((outcome) => outcome === true)).toHaveLength(1);
          expect(outcomes.filter((outcome) => outcome === false)).toHaveLength(19);
          expect(await client.get(key)).toBe(round * 100 + outcomes.indexOf(true));
        }
      });

      it('setMany takes a Map, pairs, a generator and an object', async () => {
        const [a, b, c] = [fresh(), fresh(), Buffer.from(fresh())];
        expect(await client.setMany(new Map<string | Buffer, number>([[a, 1], [b, 2], [c, 3]]))).toEqual([]);
        expect(await client.getMany([a, b, c])).toEqual(new Map<unknown, number>([[a, 1], [b, 2], [c, 3]]));
        expect(await client.setMany([[a, 4], [b, 5]])).toEqual([]);
        expect(await client.getMany([a, b])).toEqual(new Map([[a, 4], [b, 5]]));
        function* pairs(): Generator<[string, number]> {
          yield [a, 6];
          yield [b, 7];
        }
        expect(await client.setMany(pairs())).toEqual([]);
        expect(await client.getMany([a, b])).toEqual(new Map([[a, 6], [b, 7]]));
        expect(await client.setMany({ [a]: 8, [b]: 9 })).toEqual([]);
        expect(await client.getMany([a, b])).toEqual(new Map([[a, 8], [b, 9]]));
        expect(await client.setMany({})).toEqual([]);
      });

      it('setMany gives back the keys that were refused and stores the others', async () => {
        const [small, large, old] = [fresh(), fresh(), fresh()];
        await client.set(large, 'old value');
        const refused = await client.setMany([[small, 'x'], [large, Buffer.alloc(MEBIBYTE + 1)], [old, Buffer.alloc(MEBIBYTE)]]);
        expect(refused).toHaveLength(2);
        expect(refused).toEqual(expect.arrayContaining([large, old]));
        expect([...(await client.getMany([small, large, old]))]).toEqual([[small, 'x']]);
      });

      const sizes: Record<string, string | Buffer> = { small: 'x', 'too large': Buffer.alloc(MEBIBYTE + 1), 'refused by the server': Buffer.alloc(MEBIBYTE) };
      const orders = Object.keys(sizes).flatMap((first) => Object.keys(sizes).map((last): [string, string] => [first, last]));
      it.each(orders)('setMany: of a key that is given twice the last value counts: %s, then %s', async (first, last) => {
        for (const noreply of [false, true]) {
          const [key, other] = [fresh(), fresh()];
          await client.set(key, 'old value');
          const refused = await client.setMany([[key, sizes[first] ?? ''], [other, 1], [Buffer.from(key), sizes[last] ?? '']], { noreply });
          const isStored = last === 'small';
          // What the server refuses without a reply cannot be known.
          const isTold = !isStored && !(noreply && last === 'refused by the server');
          expect(refused.map(String)).toEqual(isTold ? [key] : []);
          // Over another connection of a pool the old value may still be seen.
          while (noreply && !seesNoreply && ((await client.get(key)) === 'old value' || (await client.get(other)) === undefined)) await new Promise(setImmediate);
          expect(await client.get(key)).toBe(isStored ? 'x' : undefined);
          expect(await client.get(other)).toBe(1);
        }
      });

      it('setMany sends nothing when one entry is illegal', async () => {
        const key = fresh();
        const error = await failure(client.setMany([[key, 1], ['not legal', 2]]));
        expect(error).toBeInstanceOf(MemcacheIllegalInputError);
        expect(await client.get(key)).toBeUndefined();
      });

      it('flags given win over those of the serde', async () => {
        const key = fresh();
        await client.set(key, 'text', { flags: 4_294_967_295 });
        if (hasMeta) expect((await client.metaGet(key, { value: false, flags: true }))?.flags).toBe(4_294_967_295);
        expect(await failure(client.get(key))).toBeInstanceOf(MemcacheSerdeError);
        await client.set(key, 'text', { flags: 0 });
        expect(await client.get(key)).toEqual(Buffer.from('text'));
      });
    });

    describe('values', () => {
      it.each<[string, string | number | bigint | boolean | object | null]>([
        ['empty text', ''],
        ['empty bytes', Buffer.alloc(0)],
        ['text of all kinds', 'naïve \u{1f600} \0 \r\n'],
        ['END', 'END\r\n'],
        ['a VALUE line', 'VALUE x 0 1\r\nx\r\nEND\r\n'],
        ['commands', '\r\nflush_all\r\nset x 0 0 1\r\nx\r\n'],
        ['a number', -12.5],
        ['a bigint', 2n ** 70n],
        ['false', false],
        ['null', null],
        ['JSON', { list: [1, 'two', null], nested: { yes: true } }],
        ['all bytes', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
        ['900 KB', Buffer.alloc(900_000, 'VALUE x 0 5\r\nEND\r\n')],
      ])('%s comes back as it went in', async (_, value) => {
        const [key, before, behind] = [fresh(), fresh(), fresh()];
        await client.setMany([[before, 'before'], [behind, 'behind']]);
        expect(await client.set(key, value)).toBe(true);
        const [first, got, last] = await Promise.all([client.get(before), client.get(key), client.get(behind)]);
        expect([first, last]).toEqual(['before', 'behind']);
        expectSame(got, value);
        const found = await client.getMany([before, key, behind]);
        expect([found.get(before), found.get(behind)]).toEqual(['before', 'behind']);
        expectSame(found.get(key), value);
      });

      it('a value beyond maxValueSize is refused, and the old one gone', async () => {
        const key = fresh();
        await client.set(key, 'old');
        const error = await failure(client.set(key, Buffer.alloc(MEBIBYTE + 1)));
        expect(error).toBeInstanceOf(MemcacheIllegalInputError);
        expect(await client.get(key)).toBeUndefined();
      });

      it('a value that the server finds too large is refused, and the old one gone', async () => {
        const key = fresh();
        await client.set(key, 'old');
        const error = await failure(client.set(key, Buffer.alloc(MEBIBYTE)));
        expect(error).toBeInstanceOf(MemcacheServerError);
        expect(error).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', certainty: 'executed', command: 'set' });
        expect(await client.get(key)).toBeUndefined();
      });

      it('add of a value that is too large leaves the old one', async () => {
        const key = fresh();
        await client.set(key, 'old');
        expect(await failure(client.add(key, Buffer.alloc(MEBIBYTE + 1)))).toBeInstanceOf(MemcacheIllegalInputError);
        expect(await client.get(key)).toBe('old');
      });

      it('a value that the serde cannot write harms only its own call', async () => {
        const key = fresh();
        const cyclic: Record<string, unknown> = {};
        cyclic['self'] = cyclic;
        const [error, value] = await Promise.all([failure(client.set(key, cyclic)), client.set(key, 'fine')]);
        expect(error).toMatchObject({ code: 'MEMCACHE_SERDE', certainty: 'notSent' });
        expect(value).toBe(true);
      });

      it('values are of the type of the serde', async () => {
        await withOptions({ serde: new StringSerde() }, async (texts) => {
          const key = fresh();
          await client.set(key, 12);
          const text: string | undefined = await texts.get(key);
          expect(text).toBe('12');
          expect(await failure(texts.set(key, illegal(13)))).toMatchObject({ code: 'MEMCACHE_SERDE', certainty: 'notSent' });
        });
      });

      it('a value that the serde cannot read harms only its own call', async () => {
        const cause = new Error('cannot read');
        const serde = {
          serialize: (data: string) => ({ data, flags: 0 }),
          deserialize: (): string => {
            throw cause;
          },
        };
        await withOptions({ serde }, async (unreadable) => {
          const [key, miss, next] = [fresh(), fresh(), fresh()];
          await client.set(key, 'value');
          const reads = [failure(unreadable.get(key)), failure(unreadable.getMany([key, miss]))];
          const [stored, missed] = await Promise.all([unreadable.set(next, 'value'), unreadable.get(miss)]);
          expect([stored, missed]).toEqual([true, undefined]);
          const ofOne = await reads[0];
          const ofMany = await reads[1];
          expect(ofOne).toMatchObject({ code: 'MEMCACHE_SERDE', cause, certainty: 'executed' });
          // Where the keys have several servers, the error is part of one that holds what the others gave.
          expect(ofMany?.code === 'MEMCACHE_PARTIAL' ? ofMany.cause : ofMany).toMatchObject({ code: 'MEMCACHE_SERDE', cause });
        });
      });
    });

    describe('expiry', () => {
      // The time of day is taken when the test runs: a machine under load may come to it minutes after the file was loaded. It is
      // in whole seconds, as memcached's is, which may be one behind.
      const unixTime = (): number => Math.floor(Date.now() / 1000);
      it.each<[string, () => number | Date, number, number]>([
        ['no end', () => 0, -1, -1],
        ['100 seconds', () => 100, 95, 100],
        ['30 days', () => 30 * DAY, 30 * DAY - 5, 30 * DAY],
        ['45 days', () => 45 * DAY, 45 * DAY - 5, 45 * DAY + 1],
        ['a Unix time', () => unixTime() + 5000, 4950, 5001],
        ['a Date', () => new Date(unixTime() * 1000 + 4_999_500), 4950, 5001],
      ])('%s', async (_, expire, least, most) => {
        const key = fresh();
        expect(await client.set(key, 'value', { expire: expire() })).toBe(true);
        expect(await client.get(key)).toBe('value');
        await expectTtl(key, least, most);
      });

      it.each<[string, number | Date]>([
        ['negative', -1],
        ['very negative', -(2 ** 40)],
        ['a Date that is over', new Date(0)],
      ])('%s is gone at once', async (_, expire) => {
        const key = fresh();
        await client.set(key, 'old');
        expect(await client.set(key, 'value', { expire })).toBe(true);
        expect(await client.get(key)).toBeUndefined();
      });

      it('touch sets the time to live', async () => {
        const key = fresh();
        expect(await client.touch(key, 100)).toBe(false);
        await client.set(key, 'value');
        expect(await client.touch(key, 45 * DAY)).toBe(true);
        await expectTtl(key, 45 * DAY - 5);
        expect(await client.touch(key, 0)).toBe(true);
        await expectTtl(key, -1, -1);
        expect(await client.touch(key, -1)).toBe(true);
        expect(await client.get(key)).toBeUndefined();
      });
    });

    describe('delete and count', () => {
      it('delete tells whether the key was there', async () => {
        const key = fresh();
        expect(await client.delete(key)).toBe(false);
        await client.set(key, 'value');
        expect(await client.delete(key)).toBe(true);
        expect(await client.get(key)).toBeUndefined();
      });

      it('deleteMany tells how many were there', async () => {
        const keys = Array.from({ length: 10 }, fresh);
        expect(await client.deleteMany([])).toBe(0);
        await client.setMany(keys.slice(3).map((key): [string, number] => [key, 1]));
        expect(await client.deleteMany(keys)).toBe(7);
        expect(await client.deleteMany(new Set(keys))).toBe(0);
      });

      it('incr and decr count in numbers', async () => {
        const key = fresh();
        expect(await client.incr(key)).toBeUndefined();
        expect(await client.decr(key)).toBeUndefined();
        await client.set(key, 10);
        expect(await client.incr(key)).toBe(11);
        expect(await client.incr(key, 100)).toBe(111);
        expect(await client.decr(key, 11)).toBe(100);
        expect(await client.decr(key, 1000)).toBe(0);
        expect(await client.incr(key, 0)).toBe(0);
        expect(await client.get(key)).toBe(0);
      });

      it('a count that no number holds is an error that carries it', async () => {
        const key = fresh();
        await client.set(key, Number.MAX_SAFE_INTEGER - 1);
        expect(await client.incr(key)).toBe(Number.MAX_SAFE_INTEGER);
        const error = await failure(client.incr(key));
        expect(error).toBeInstanceOf(MemcacheInexactNumberError);
        expect(error).toMatchObject({ code: 'MEMCACHE_INEXACT_NUMBER', certainty: 'executed', command: 'incr' });
        expect((error as MemcacheInexactNumberError).exact).toBe(2n ** 53n);
        expect(await client.incr(key, 1n)).toBe(2n ** 53n + 1n);
        expect(((await failure(client.decr(key, 0))) as MemcacheInexactNumberError).exact).toBe(2n ** 53n + 1n);
        expect(await client.decr(key, 2)).toBe(Number.MAX_SAFE_INTEGER);
      });

      it('counts in bigints up to 2^64, where it wraps', async () => {
        const key = fresh();
        await client.set(key, 0n);
        expect(await client.incr(key, 2n ** 64n - 1n)).toBe(2n ** 64n - 1n);
        expect(await client.get(key)).toBe(2n ** 64n - 1n);
        expect(await client.incr(key, 2n)).toBe(1n);
        expect(await client.decr(key, 2n ** 64n - 1n)).toBe(0n);
      });

      it('a value that is no number is an error that harms nothing else', async () => {
        const key = fresh();
        await client.set(key, 'text');
        const [error, value] = await Promise.all([failure(client.incr(key)), client.get(key)]);
        expect(error).toBeInstanceOf(MemcacheClientError);
        expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed', command: 'incr' });
        expect(value).toBe('text');
      });
    });

    describe('noreply', () => {
      it('tells success at once', async () => {
        const noreply = { noreply: true };
        expect(await client.set(fresh(), 1, noreply)).toBe(true);
        expect(await client.replace(fresh(), 1, noreply)).toBe(true);
        expect(await client.cas(fresh(), 1, '1', noreply)).toBe(true);
        expect(await client.incr(fresh(), 1, noreply)).toBeUndefined();
        expect(await client.touch(fresh(), 1, noreply)).toBe(true);
        expect(await client.delete(fresh(), noreply)).toBe(true);
        expect(await client.setMany([[fresh(), 1]], noreply)).toEqual([]);
        expect(await client.deleteMany([fresh(), fresh()], noreply)).toBe(2);
      });

      if (seesNoreply) it('the server does what is not answered', async () => {
        const key = fresh();
        const noreply = { noreply: true };
        expect(await client.set(key, 1, noreply)).toBe(true);
        expect(await client.get(key)).toBe(1);
        expect(await client.add(key, 2, noreply)).toBe(true);
        expect(await client.get(key)).toBe(1);
        expect(await client.replace(key, 3, noreply)).toBe(true);
        expect(await client.append(key, 4, noreply)).toBe(true);
        expect(await client.prepend(key, 5, noreply)).toBe(true);
        expect(await client.get(key)).toBe(534);
        expect(await client.incr(key, 1, noreply)).toBeUndefined();
        expect(await client.decr(key, 11n, noreply)).toBeUndefined();
        expect(await client.get(key)).toBe(524);
        const [, cas = ''] = await client.gets(key);
        expect(await client.cas(key, 7, cas, noreply)).toBe(true);
        expect(await client.cas(key, 8, cas, noreply)).toBe(true);
        expect(await client.get(key)).toBe(7);
        expect(await client.touch(key, 100, noreply)).toBe(true);
        await expectTtl(key, 90);
        expect(await client.delete(key, noreply)).toBe(true);
        expect(await client.get(key)).toBeUndefined();
        expect(await client.delete(key, noreply)).toBe(true);
        expect(await client.setMany([[key, 9]], noreply)).toEqual([]);
        expect(await client.get(key)).toBe(9);
        expect(await client.deleteMany([key, fresh()], noreply)).toBe(2);
        expect(await client.get(key)).toBeUndefined();
      });

      it('mixes with calls that are answered', async () => {
        const key = fresh();
        const results = await Promise.all([
          client.set(key, 1),
          client.set(key, 2, { noreply: true }),
          client.get(key),
          client.delete(key, { noreply: true }),
          client.delete(key, { noreply: true }),
          client.get(key),
          client.incr(key),
          client.set(key, 3, { noreply: true }),
          client.incr(key),
        ]);
        expect(results).toEqual([true, true, 2, true, true, undefined, undefined, true, 4]);
      });

      it('is the default where defaultNoreply says so, but not for what tells a count', async () => {
        await withOptions({ defaultNoreply: true }, async (quiet) => {
          const key = fresh();
          expect(await quiet.delete(fresh())).toBe(true);
          expect(await quiet.add(key, 1, { noreply: false })).toBe(true);
          expect(await quiet.add(key, 2)).toBe(true);
          expect(await quiet.add(key, 3, { noreply: false })).toBe(false);
          expect(await quiet.incr(key)).toBe(2);
          expect(await quiet.cas(key, 1, '1')).toBe(false);
          expect(await quiet.deleteMany([key, fresh()], { noreply: false })).toBe(1);
        });
      });
    });

    describe('keys', () => {
      it('takes 250 bytes and no more', async () => {
        const key = `${fresh()}-`.padEnd(250, 'k');
        expect(await client.set(key, 'longest')).toBe(true);
        expect(await client.get(key)).toBe('longest');
        expect(await failure(client.get(`${key}k`))).toBeInstanceOf(MemcacheIllegalInputError);
        expect(await failure(client.set(Buffer.alloc(251, 'k'), 1))).toBeInstanceOf(MemcacheIllegalInputError);
      });

      it('takes Buffers and pairs of a routing key and a key', async () => {
        const key = fresh();
        await client.set(Buffer.from(key), 'value');
        expect(await client.get(key)).toBe('value');
        expect(await client.get(new TextEncoder().encode(key))).toBe('value');
        const pair = ['somewhere', fresh()] as const;
        await client.set(pair, 'routed');
        expect(await client.get(pair)).toBe('routed');
        const found = await client.getMany([pair, key]);
        expect([found.size, found.get(pair), found.get(key)]).toEqual([2, 'routed', 'value']);
        expect(await client.deleteMany([pair, key])).toBe(2);
      });

      it('refuses Unicode unless it is allowed', async () => {
        const key = `${fresh()}-ключ-\u{1f511}`;
        expect(await failure(client.get(key))).toBeInstanceOf(MemcacheIllegalInputError);
        await withOptions({ allowUnicodeKeys: true }, async (unicode) => {
          expect(await unicode.set(key, 'value')).toBe(true);
          expect(await unicode.get(key)).toBe('value');
          expect(await unicode.get(Buffer.from(key))).toBe('value');
          expect([...(await unicode.getMany([key]))]).toEqual([[key, 'value']]);
          expect(await failure(unicode.get('é'.repeat(126)))).toBeInstanceOf(MemcacheIllegalInputError);
          expect(await failure(unicode.get('\ud800'))).toBeInstanceOf(MemcacheIllegalInputError);
        });
      });

      it('puts the prefix in front of every key, and shows it nowhere', async () => {
        await withOptions({ keyPrefix: 'prefix:' }, async (prefixed) => {
          const key = fresh();
          await prefixed.set(key, 'value');
          expect(await prefixed.get(key)).toBe('value');
          expect(await prefixed.get(`prefix:${key}`)).toBeUndefined();
          expect([...(await prefixed.getMany([key])).keys()]).toEqual([key]);
          if (hasMeta) expect(await prefixed.metaGet(key)).toMatchObject({ value: 'value' });
          expect(await failure(prefixed.get('k'.repeat(244)))).toBeInstanceOf(MemcacheIllegalInputError);
          // No key is not the empty key, which a prefix makes legal.
          for (const method of ['get', 'metaGet', 'metaDelete', 'metaDebug'] as const) {
            expect(await failure(prefixed[method](illegal(undefined)))).toBeInstanceOf(MemcacheIllegalInputError);
          }
          expect(await prefixed.get('k'.repeat(243))).toBeUndefined();
        });
      });

      it('has no favourites among names', async () => {
        const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'noreply', '0', 'END'];
        expect(await client.getMany(names)).toEqual(new Map());
        expect(await client.setMany(names.map((key): [string, string] => [key, `of ${key}`]))).toEqual([]);
        expect(await client.get('__proto__')).toBe('of __proto__');
        expect(await client.getMany(names)).toEqual(new Map(names.map((key) => [key, `of ${key}`])));
        expect(await client.deleteMany(names)).toBe(names.length);
      });
    });

    describe('many at once', () => {
      it('10 000 calls each get their own answer, in order', async () => {
        const prefix = fresh();
        const settled: number[] = [];
        const answers = await Promise.all(
          Array.from({ length: 10_000 }, (_, i) => {
            const key = `${prefix}-${i >> 2}`;
            const call: Promise<unknown> =
              i % 4 === 0 ? client.set(key, i) : i % 4 === 1 ? client.get(key) : i % 4 === 2 ? client.incr(key) : client.gets(key);
            return call.finally(() => settled.push(i));
          }),
        );
        expect(answers).toEqual(Array.from({ length: 2500 }, (_, i) => [true, 4 * i, 4 * i + 1, [4 * i + 1, text]]).flat());
        expect(settled).toHaveLength(10_000);
      });

      it('calls for one key keep their order', async () => {
        const key = fresh();
        await client.set(key, 0);
        const counts = await Promise.all(Array.from({ length: 500 }, () => client.incr(key)));
        expect(counts).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
      });
    });

    describe('signal', () => {
      it('aborted before: rejects with the reason and does nothing', async () => {
        const key = fresh();
        const reason = new Error('never mind');
        const signal = AbortSignal.abort(reason);
        expect(await rejection(client.set(key, 1, { signal }))).toBe(reason);
        expect(await rejection(client.get(key, { signal }))).toBe(reason);
        expect(await rejection(client.getMany([key], { signal }))).toBe(reason);
        expect(await rejection(client.setMany([[key, 1]], { signal }))).toBe(reason);
        expect(await rejection(client.deleteMany([key], { signal }))).toBe(reason);
        expect(await rejection(client.metaGet(key, { signal }))).toBe(reason);
        expect(await rejection(client.version({ signal }))).toBe(reason);
        expect(await rejection(client.raw('version', '\r\n', { signal }))).toBe(reason);
        expect(await client.get(key)).toBeUndefined();
      });

      it('aborted before it was sent: rejects with the reason, and nothing is sent', async () => {
        const [key, other] = [fresh(), fresh()];
        const abort = new AbortController();
        const reason = new Error('never mind');
        const call = rejection(client.set(key, 1, { signal: abort.signal }));
        const unharmed = client.set(other, 2);
        abort.abort(reason);
        expect(await call).toBe(reason);
        expect(await unharmed).toBe(true);
        expect(await client.get(key)).toBeUndefined();
        expect(await client.get(other)).toBe(2);
      });

      it('aborted when it was sent: the other calls keep their answers', async () => {
        const keys = Array.from({ length: 9 }, fresh);
        await client.setMany(keys.map((key, i): [string, number] => [key, i]));
        const abort = new AbortController();
        const reason = new Error('never mind');
        const calls = keys.map((key, i) => client.get(key, i % 3 === 1 ? { signal: abort.signal } : {}));
        const outcomes = Promise.allSettled(calls);
        process.nextTick(() => {
          abort.abort(reason);
        });
        for (const [i, outcome] of (await outcomes).entries()) {
          if (outcome.status === 'rejected') expect([i % 3, outcome.reason]).toEqual([1, reason]);
          else expect(outcome.value).toBe(i);
        }
        expect(await client.get(keys[4] ?? '')).toBe(4);
      });

      it('aborted when all is over: nothing happens', async () => {
        const key = fresh();
        const abort = new AbortController();
        await client.set(key, 1, { signal: abort.signal });
        abort.abort();
        expect(await client.get(key)).toBe(1);
      });
    });

    describe('servers', () => {
      it('version and stats are Maps by server name', async () => {
        const versions = await client.version();
        expect(versions.size).toBe(servers);
        for (const version of versions.values()) expect(version).toMatch(/^[0-9]+\.[0-9]+/);
        const stats = await client.stats();
        expect([...stats.keys()].sort()).toEqual([...versions.keys()].sort());
        for (const of of stats.values()) expect(of.get('pid')).toMatch(/^[0-9]+$/);
        const settings = await client.stats('settings', {});
        for (const of of settings.values()) expect(of.get('maxbytes')).toMatch(/^[0-9]+$/);
      });

      it('verbosity, cacheMemlimit and, where there are meta commands, metaNoop give nothing', async () => {
        expect(await client.verbosity(0)).toBeUndefined();
        expect(await client.cacheMemlimit(64)).toBeUndefined();
        if (hasMeta) expect(await client.metaNoop()).toBeUndefined();
      });

      it('a size that the server refuses is told in its words, and takes no other call with it', async () => {
        const [refused, value] = await Promise.all([failure(client.cacheMemlimit(1)), client.get(fresh())]);
        expect(value).toBeUndefined();
        const errors = refused instanceof MemcachePartialError ? [...refused.failures.values()] : [refused];
        expect(errors).toHaveLength(servers);
        for (const error of errors) expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed', message: 'cannot set maxbytes to less than 8m' });
      });

      it('raw gives what comes up to the end token', async () => {
        const versions = [...(await client.version()).values()];
        const joined = versions.map((version) => `VERSION ${version}`).join('');
        expect((await client.raw('version')).toString()).toHaveLength(joined.length);
        expect((await client.raw('stats settings', 'END\r\n')).toString()).toMatch(/^STAT maxbytes [0-9]+\r\n/);
        const between = await Promise.all([client.set(fresh(), 1), client.raw('verbosity 0'), client.get(fresh())]);
        expect(between).toEqual([true, Buffer.from('OK'.repeat(servers)), undefined]);
        await failure(client.raw('nonsense'));
        expect((await client.version()).size).toBe(servers);
      });

      it('raw has its own reply behind calls of the same tick that are not answered', async () => {
        for (const count of [1, 2, 30]) {
          const keys = Array.from({ length: count }, fresh);
          const silent = keys.map((key) => client.set(key, count, { noreply: true }));
          const [answer, value] = await Promise.all([client.raw('verbosity 0'), client.get(keys.at(-1) ?? ''), ...silent]);
          expect([answer, value]).toEqual([Buffer.from('OK'.repeat(servers)), count]);
          await Promise.all([client.delete(keys[0] ?? '', { noreply: true }), client.raw('version')]);
          expect((await client.getMany(keys)).size).toBe(count - 1);
        }
      });

      it('flushAll makes all items expire', async () => {
        const keys = Array.from({ length: 20 }, fresh);
        await client.setMany(keys.map((key): [string, number] => [key, 1]));
        expect(await client.flushAll(1000)).toBeUndefined();
        expect((await client.getMany(keys)).size).toBe(20);
        expect(await client.flushAll()).toBeUndefined();
        expect((await client.getMany(keys)).size).toBe(0);
        await client.setMany(keys.map((key): [string, number] => [key, 1]));
        expect(await client.flushAll(0, { noreply: true })).toBeUndefined();
        if (seesNoreply) expect((await client.getMany(keys)).size).toBe(0);
        // Over another connection it may come later, and must not take the next test's items away.
        while ((await client.getMany(keys)).size > 0) await new Promise(setImmediate);
      });
    });

    describe('meta commands', () => {
      itSince(META, 'metaGet gives what is known about an item, undefined on a miss', async () => {
        const key = fresh();
        expect(await client.metaGet(key)).toBeUndefined();
        await client.set(key, 'value', { expire: 100 });
        const item = await client.metaGet(key, { cas: true, ttl: true, size: true, hitBefore: true, lastAccess: true });
        expect(item).toEqual({
          value: 'value',
          flags: 16,
          cas: (await client.gets(key))[1],
          ttl: aNumber,
          size: 5,
          hitBefore: false,
          lastAccess: aNumber,
          won: false,
          stale: false,
          recaching: false,
        });
        expect(await client.metaGet(key, { value: false })).toMatchObject({ value: undefined, flags: undefined });
        expect(await client.metaGet(key, { expire: 45 * DAY, ttl: true })).toMatchObject({ ttl: aNumber });
        await expectTtl(key, 45 * DAY - 5);
      });

      itSince(META, 'of those that miss together one is to fill the place', async () => {
        const key = fresh();
        expect(await client.metaGet(key, { vivify: 30 })).toMatchObject({ value: undefined, won: true, recaching: false });
        expect(await client.metaGet(key, { vivify: 30 })).toMatchObject({ value: undefined, won: false, recaching: true });
        await client.set(key, 'filled');
        expect(await client.metaGet(key, { vivify: 30 })).toMatchObject({ value: 'filled', won: false });
      });

      itSince(META, 'metaSet stores in every mode', async () => {
        const key = fresh();
        expect(await client.metaSet(key, 'x', { mode: 'replace' })).toMatchObject({ status: 'notStored' });
        expect(await client.metaSet(key, 'x', { mode: 'append' })).toMatchObject({ status: 'notStored' });
        expect(await client.metaSet(key, 'b', { mode: 'add', expire: 100 })).toMatchObject({ status: 'done' });
        expect(await client.metaSet(key, 'x', { mode: 'add' })).toMatchObject({ status: 'notStored' });
        expect(await client.metaSet(key, 'c', { mode: 'append' })).toMatchObject({ status: 'done' });
        expect(await client.metaSet(key, 'a', { mode: 'prepend' })).toMatchObject({ status: 'done' });
        expect(await client.get(key)).toBe('abc');
        const { status, cas = '' } = await client.metaSet(key, 'd', { returnCas: true });
        expect(status).toBe('done');
        expect(await client.metaSet(key, 'e', { cas })).toMatchObject({ status: 'done' });
        expect(await client.metaSet(key, 'f', { cas })).toMatchObject({ status: 'exists' });
        expect(await client.metaSet(fresh(), 'f', { cas })).toMatchObject({ status: 'notFound' });
        expect(await client.get(key)).toBe('e');
      });

      itSince(META, 'metaDelete deletes, or marks as stale', async () => {
        const key = fresh();
        expect(await client.metaDelete(key)).toMatchObject({ status: 'notFound' });
        await client.set(key, 'value');
        expect(await client.metaDelete(key, { cas: '1' })).toMatchObject({ status: 'exists' });
        expect(await client.metaDelete(key, { invalidate: true, expire: 30 })).toMatchObject({ status: 'done' });
        expect(await client.metaGet(key)).toMatchObject({ value: 'value', stale: true, won: true });
        expect(await client.metaGet(key)).toMatchObject({ value: 'value', stale: true, won: false, recaching: true });
        expect(await client.metaDelete(key)).toMatchObject({ status: 'done' });
        expect(await client.get(key)).toBeUndefined();
      });

      itSince(META, 'metaArithmetic counts, and makes the counter when asked', async () => {
        const key = fresh();
        expect(await client.metaArithmetic(key)).toMatchObject({ status: 'notFound', value: undefined });
        expect(await client.metaArithmetic(key, { vivify: 100, initial: 5 })).toMatchObject({ status: 'done', value: 5 });
        expect(await client.metaArithmetic(key, { delta: 10, returnTtl: true, returnCas: true })).toEqual({
          status: 'done',
          value: 15,
          ttl: aNumber,
          cas: (await client.gets(key))[1],
        });
        expect(await client.metaArithmetic(key, { mode: 'decr', delta: 100n })).toMatchObject({ value: 0n });
        await client.set(key, 2n ** 53n);
        const error = await failure(client.metaArithmetic(key));
        expect(error).toBeInstanceOf(MemcacheInexactNumberError);
        expect((error as MemcacheInexactNumberError).exact).toBe(2n ** 53n + 1n);
      });

      itSince(META, 'base64 lets a key hold any bytes', async () => {
        const key = Buffer.concat([Buffer.from(fresh()), Buffer.from([0, 10, 13, 32, 255])]);
        expect(await client.metaSet(key, 'value', { base64: true })).toMatchObject({ status: 'done' });
        expect(await client.metaGet(key, { base64: true })).toMatchObject({ value: 'value' });
        expect(await client.metaDelete(key, { base64: true })).toMatchObject({ status: 'done' });
        expect(await failure(client.metaGet(key))).toBeInstanceOf(MemcacheIllegalInputError);
      });

      itSince(META, 'metaDebug gives what the server knows, undefined on a miss', async () => {
        const key = fresh();
        expect(await client.metaDebug(key)).toBeUndefined();
        await client.set(key, 'value');
        const info = await client.metaDebug(key);
        expect(info?.get('exp')).toBe('-1');
        expect(info?.get('size')).toMatch(/^[0-9]+$/);
      });

      itSince(META, 'executeMeta sends what was made by hand', async () => {
        const key = fresh();
        const execute = (...args: ConstructorParameters<typeof MetaCommand>) => client.executeMeta(new MetaCommand(...args));
        expect(await execute('ms', key, ['T100', 'F7', 'Omine'], 'value')).toMatchObject({ code: 'HD', flags: ['Omine'] });
        expect(await execute('mg', key, ['v', 'f', 't'])).toMatchObject({
          code: 'VA',
          size: 5,
          flags: ['f7', expect.stringMatching(/^t[0-9]+$/)],
          value: Buffer.from('value'),
        });
        expect(await execute('mg', fresh(), ['v'])).toMatchObject({ code: 'EN', value: undefined });
        expect(await execute('md', fresh())).toMatchObject({ code: 'NF' });
        expect(await execute('ms', key, [], '')).toMatchObject({ code: 'HD' });
        expect(await execute('mg', key, ['v'])).toMatchObject({ code: 'VA', size: 0, value: Buffer.alloc(0) });
        expect(await execute('mn')).toMatchObject({ code: 'MN' });
        expect(await execute('me', fresh())).toMatchObject({ code: 'EN' });
        expect(await failure(execute('ma', key))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR' });
      });

      itSince(META, 'executeMeta of a quiet command gives what its silence means', async () => {
        const [key, miss] = [fresh(), fresh()];
        const execute = (...args: ConstructorParameters<typeof MetaCommand>) => client.executeMeta(new MetaCommand(...args));
        const [set, hit, ...others] = await Promise.all([
          execute('ms', key, ['q'], 'value'),
          execute('mg', key, ['v', 'q']),
          execute('mg', miss, ['v', 'q']),
          execute('ms', key, ['q', 'ME'], 'other'),
          execute('md', key, ['q']),
          execute('mg', key, ['v', 'q']),
        ]);
        expect([set, hit, ...others].map(({ code }) => code)).toEqual(['HD', 'VA', 'EN', 'NS', 'HD', 'EN']);
        expect(hit.value).toEqual(Buffer.from('value'));
      });
    });

    describe('quiet commands and their neighbours', () => {
      itSince(META, 'one that fails harms only itself', async () => {
        const key = fresh();
        await client.set(key, 'text');
        const [error, value, miss] = await Promise.all([
          failure(client.executeMeta(new MetaCommand('ma', key, ['q']))),
          client.get(key),
          client.metaGet(fresh()),
        ]);
        expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed' });
        expect([value, miss]).toEqual(['text', undefined]);
      });

      itSince(META, 'a quiet mn is a mn', async () => {
        const [, miss, found] = await Promise.all([
          client.executeMeta(new MetaCommand('mn', '', ['q'])).catch(() => undefined),
          client.get(fresh()),
          client.metaGet(fresh()),
        ]);
        expect([miss, found]).toEqual([undefined, undefined]);
      });
    });

    describe('illegal arguments', () => {
      const key = 'legal';
      it.each<[string, (client: Client) => Promise<unknown>]>([
        ['get without a key', (c) => c.get(illegal(undefined))],
        ['get of an empty key', (c) => c.get('')],
        ['get of a key with a blank', (c) => c.get('a b')],
        ['get of a key with a line end', (c) => c.get('a\r\nb')],
        ['get of a number', (c) => c.get(illegal(7))],
        ['get of a pair that is none', (c) => c.get(illegal(['a']))],
        ['get of a pair with a bad routing key', (c) => c.get(illegal([7, 'a']))],
        ['get of three', (c) => c.get(illegal(['a', 'b', 'c']))],
        ['get with options that are none', (c) => c.get(key, illegal(5))],
        ['get with a signal that is none', (c) => c.get(key, { signal: illegal({}) })],
        ['gets', (c) => c.gets('a\tb')],
        ['gat without a time', (c) => c.gat(key, illegal(undefined))],
        ['gat of an illegal key', (c) => c.gat('\u007f', 1)],
        ['gats with a broken time', (c) => c.gats(key, 1.5)],
        ['getMany of one key', (c) => c.getMany(illegal('abc'))],
        ['getMany of bytes', (c) => c.getMany(illegal(Buffer.from('abc')))],
        ['getMany of nothing', (c) => c.getMany(illegal(null))],
        ['getMany of an illegal key', (c) => c.getMany(['a', 'b c'])],
        ['getsMany of an illegal key', (c) => c.getsMany(['a', illegal({})])],
        ['set of an illegal key', (c) => c.set('a b', 1)],
        ['set with NaN as time', (c) => c.set(key, 1, { expire: NaN })],
        ['set with milliseconds as time', (c) => c.set(key, 1, { expire: 1_700_000_000_000 })],
        ['set with text as time', (c) => c.set(key, 1, { expire: illegal('60') })],
        ['set with no Date', (c) => c.set(key, 1, { expire: new Date(NaN) })],
        ['set with negative flags', (c) => c.set(key, 1, { flags: -1 })],
        ['set with flags of 33 bits', (c) => c.set(key, 1, { flags: 2 ** 32 })],
        ['set with text as flags', (c) => c.set(key, 1, { flags: illegal('0 0 1\r\n') })],
        ['set with a noreply that is none', (c) => c.set(key, 1, { noreply: illegal('yes') })],
        ['set with a number as options', (c) => c.set(key, 1, illegal(60))],
        ['add', (c) => c.add('', 1)],
        ['replace', (c) => c.replace(' ', 1)],
        ['append', (c) => c.append('\n', 'x')],
        ['prepend', (c) => c.prepend('\0', 'x')],
        ['cas without a token', (c) => c.cas(key, 1, illegal(undefined))],
        ['cas with a number', (c) => c.cas(key, 1, illegal(5))],
        ['cas with no digits', (c) => c.cas(key, 1, '1 noreply')],
        ['cas beyond 64 bits', (c) => c.cas(key, 1, '18446744073709551616')],
        ['setMany of text', (c) => c.setMany(illegal('abc'))],
        ['setMany of nothing', (c) => c.setMany(illegal(null))],
        ['setMany of no pairs', (c) => c.setMany(illegal(['abc']))],
        ['setMany of an illegal key', (c) => c.setMany({ 'a b': 1 })],
        ['delete', (c) => c.delete('a b')],
        ['delete with a noreply that is none', (c) => c.delete(key, { noreply: illegal(1) })],
        ['deleteMany', (c) => c.deleteMany(['ok', 'a b'])],
        ['deleteMany of text', (c) => c.deleteMany(illegal('abc'))],
        ['touch without a time', (c) => c.touch(key, illegal(undefined))],
        ['touch of an illegal key', (c) => c.touch('a b', 1)],
        ['incr by a negative', (c) => c.incr(key, -1)],
        ['incr by a half', (c) => c.incr(key, 0.5)],
        ['incr by NaN', (c) => c.incr(key, NaN)],
        ['incr by 2^53', (c) => c.incr(key, 2 ** 53)],
        ['incr by 2^64', (c) => c.incr(key, 2n ** 64n)],
        ['incr by text', (c) => c.incr(key, illegal('1'))],
        ['decr by a negative bigint', (c) => c.decr(key, -1n)],
        ['decr of an illegal key', (c) => c.decr('a b')],
        ['version with options that are none', (c) => c.version(illegal('x'))],
        ['stats of two words in one', (c) => c.stats('items x')],
        ['stats of a line end', (c) => c.stats('items\r\nflush_all')],
        ['flushAll of a negative', (c) => c.flushAll(-1)],
        ['flushAll of text', (c) => c.flushAll(illegal('1'))],
        ['cacheMemlimit without a size', (c) => c.cacheMemlimit(illegal(undefined))],
        ['cacheMemlimit of 0', (c) => c.cacheMemlimit(0)],
        ['verbosity of a half', (c) => c.verbosity(0.5)],
        ['shutdown', (c) => c.shutdown({ graceful: illegal('graceful\r\n') })],
        ['metaGet of an illegal key', (c) => c.metaGet('a b')],
        ['metaGet with a long opaque', (c) => c.metaGet(key, { opaque: 'x'.repeat(32) })],
        ['metaGet with a blank in the opaque', (c) => c.metaGet(key, { opaque: 'a b' })],
        ['metaGet with a switch that is none', (c) => c.metaGet(key, { cas: illegal('c') })],
        ['metaGet with a negative vivify', (c) => c.metaGet(key, { vivify: -1 })],
        ['metaGet of too many bytes', (c) => c.metaGet(Buffer.alloc(188), { base64: true })],
        ['metaSet with no mode', (c) => c.metaSet(key, 'x', { mode: illegal('incr') })],
        ['metaSet with a broken cas', (c) => c.metaSet(key, 'x', { cas: '-1' })],
        ['metaSet beyond maxValueSize', (c) => c.metaSet(key, Buffer.alloc(MEBIBYTE + 1))],
        ['metaDelete with no cas', (c) => c.metaDelete(key, { cas: illegal(1) })],
        ['metaArithmetic by a negative', (c) => c.metaArithmetic(key, { delta: -1 })],
        ['metaArithmetic with no mode', (c) => c.metaArithmetic(key, { mode: illegal('set') })],
        ['metaDebug of an illegal key', (c) => c.metaDebug('a b')],
        ['executeMeta of what is none', (c) => c.executeMeta(illegal({ code: 'mg', key, flags: [] }))],
        ['executeMeta of an illegal key', (c) => c.executeMeta(new MetaCommand('mg', 'a b'))],
        ['raw of two lines', (c) => c.raw('version\r\nflush_all')],
        ['raw of nothing', (c) => c.raw('')],
        ['raw without an end', (c) => c.raw('version', '')],
        ['raw up to a number', (c) => c.raw('version', illegal(2))],
      ])('%s', async (_, call) => {
        const error = await failure(call(client));
        expect(error).toBeInstanceOf(MemcacheIllegalInputError);
        expect(error).toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT', certainty: 'notSent' });
      });

      it.each<[string, () => unknown]>([
        ['an unknown code', () => new MetaCommand(illegal('mx'))],
        ['a flag with a blank', () => new MetaCommand('mg', key, ['v t'])],
        ['a flag with a line end', () => new MetaCommand('mg', key, ['T1\r\nflush_all'])],
        ['an empty flag', () => new MetaCommand('mg', key, [''])],
        ['the same flag twice', () => new MetaCommand('mg', key, ['T1', 'T2'])],
        ['ms without a value', () => new MetaCommand('ms', key)],
        ['mg with a value', () => new MetaCommand('mg', key, [], 'x')],
      ])('a MetaCommand with %s cannot be made', (_, make) => {
        expect(make).toThrow(MemcacheIllegalInputError);
      });
    });

    describe('life', () => {
      it('close lets calls finish, may be repeated, and the client used again', async () => {
        const other = subject.client({});
        const key = fresh();
        const call = other.set(key, 1);
        await Promise.all([other.close(), other.close()]);
        expect(await call).toBe(true);
        await other.close();
        expect(await other.get(key)).toBe(1);
        await other[Symbol.asyncDispose]();
        expect(await other.get(key)).toBe(1);
        await other.close();
      });

      it('quit closes, and the client may be used again', async () => {
        const key = fresh();
        await client.set(key, 1);
        expect(await client.quit()).toBeUndefined();
        expect(await client.get(key)).toBe(1);
      });
    });

    /** Old servers do not tell how long an item has to live. */
    async function expectTtl(key: string, least: number, most = Infinity): Promise<void> {
      if (!hasMeta) return;
      const item = await client.metaGet(key, { value: false, ttl: true });
      expect(item?.ttl).toBeGreaterThanOrEqual(least);
      expect(item?.ttl).toBeLessThanOrEqual(most);
    }
  });
}
