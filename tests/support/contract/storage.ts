import { MemcacheClientError, MemcacheIllegalInputError, MemcacheInexactNumberError, MemcacheSerdeError } from '../../../src';
import { failure } from '../rejection';
import { MEBIBYTE, DAY, type ContractRun } from './contract-run';

export function describeStorage(run: ContractRun): void {
  const { fresh, hasMeta, seesNoreply } = run;
  describe('storage', () => {
    it.each([
      ['set stores whether or not the key is there', 'set', true],
      ['add stores only a new key', 'add', false],
    ] as const)('%s', async (_, method, replaces) => {
      const key = fresh();
      expect(await run.client[method](key, 'one')).toBe(true);
      expect(await run.client[method](key, 'two')).toBe(replaces);
      expect(await run.client.get(key)).toBe(replaces ? 'two' : 'one');
    });

    it('replace stores only what is there', async () => {
      const key = fresh();
      expect(await run.client.replace(key, 'one')).toBe(false);
      expect(await run.client.get(key)).toBeUndefined();
      await run.client.set(key, 'one');
      expect(await run.client.replace(key, 'two')).toBe(true);
      expect(await run.client.get(key)).toBe('two');
    });

    it('append and prepend add to what is there and nothing else', async () => {
      const key = fresh();
      expect(await run.client.append(key, 'end')).toBe(false);
      expect(await run.client.prepend(key, 'front')).toBe(false);
      expect(await run.client.get(key)).toBeUndefined();
      await run.client.set(key, 'middle');
      expect(await run.client.append(key, ' end')).toBe(true);
      expect(await run.client.prepend(key, 'front ')).toBe(true);
      expect(await run.client.get(key)).toBe('front middle end');
    });

    it('cas tells stored, changed and gone apart', async () => {
      const key = fresh();
      expect(await run.client.cas(key, 'value', '1')).toBeUndefined();
      await run.client.set(key, 'one');
      const [, cas = ''] = await run.client.gets(key);
      expect(await run.client.cas(key, 'two', cas)).toBe(true);
      expect(await run.client.cas(key, 'three', cas)).toBe(false);
      expect(await run.client.get(key)).toBe('two');
    });

    it('of many that race with cas exactly one wins each round', async () => {
      const key = fresh();
      await run.client.set(key, 0);
      for (let round = 1; round <= 5; round++) {
        const [, cas = ''] = await run.client.gets(key);
        const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => run.client.cas(key, round * 100 + i, cas)));
        expect(outcomes.filter((outcome) => outcome === true)).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === false)).toHaveLength(19);
        expect(await run.client.get(key)).toBe(round * 100 + outcomes.indexOf(true));
      }
    });

    it('setMany takes a Map, pairs, a generator and an object', async () => {
      const [a, b, c] = [fresh(), fresh(), Buffer.from(fresh())];
      expect(await run.client.setMany(new Map<string | Buffer, number>([[a, 1], [b, 2], [c, 3]]))).toEqual([]);
      expect(await run.client.getMany([a, b, c])).toEqual(new Map<unknown, number>([[a, 1], [b, 2], [c, 3]]));
      expect(await run.client.setMany([[a, 4], [b, 5]])).toEqual([]);
      expect(await run.client.getMany([a, b])).toEqual(new Map([[a, 4], [b, 5]]));
      function* pairs(): Generator<[string, number]> {
        yield [a, 6];
        yield [b, 7];
      }
      expect(await run.client.setMany(pairs())).toEqual([]);
      expect(await run.client.getMany([a, b])).toEqual(new Map([[a, 6], [b, 7]]));
      expect(await run.client.setMany({ [a]: 8, [b]: 9 })).toEqual([]);
      expect(await run.client.getMany([a, b])).toEqual(new Map([[a, 8], [b, 9]]));
      expect(await run.client.setMany({})).toEqual([]);
    });

    it('setMany gives back the keys that were refused and stores the others', async () => {
      const [small, large, old] = [fresh(), fresh(), fresh()];
      await run.client.set(large, 'old value');
      const refused = await run.client.setMany([[small, 'x'], [large, Buffer.alloc(MEBIBYTE + 1)], [old, Buffer.alloc(MEBIBYTE)]]);
      expect(refused).toHaveLength(2);
      expect(refused).toEqual(expect.arrayContaining([large, old]));
      expect([...(await run.client.getMany([small, large, old]))]).toEqual([[small, 'x']]);
    });

    const sizes: Record<string, string | Buffer> = { small: 'x', 'too large': Buffer.alloc(MEBIBYTE + 1), 'refused by the server': Buffer.alloc(MEBIBYTE) };
    const orders = Object.keys(sizes).flatMap((first) => Object.keys(sizes).map((last): [string, string] => [first, last]));
    it.each(orders)('setMany: of a key that is given twice the last value counts: %s, then %s', async (first, last) => {
      for (const noreply of [false, true]) {
        const [key, other] = [fresh(), fresh()];
        await run.client.set(key, 'old value');
        const refused = await run.client.setMany([[key, sizes[first] ?? ''], [other, 1], [Buffer.from(key), sizes[last] ?? '']], { noreply });
        const isStored = last === 'small';
        // What the server refuses without a reply cannot be known.
        const isTold = !isStored && !(noreply && last === 'refused by the server');
        expect(refused.map(String)).toEqual(isTold ? [key] : []);
        const left = isStored ? 'x' : undefined;
        // Over another connection of a pool what was there before may still be seen, or what is there between the two.
        while (noreply && !seesNoreply && ((await run.client.get(key)) !== left || (await run.client.get(other)) === undefined)) await new Promise(setImmediate);
        expect(await run.client.get(key)).toBe(left);
        expect(await run.client.get(other)).toBe(1);
      }
    });

    it('setMany sends nothing when one entry is illegal', async () => {
      const key = fresh();
      const error = await failure(run.client.setMany([[key, 1], ['not legal', 2]]));
      expect(error).toBeInstanceOf(MemcacheIllegalInputError);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('flags given win over those of the serde', async () => {
      const key = fresh();
      await run.client.set(key, 'text', { flags: 4_294_967_295 });
      if (hasMeta) expect((await run.client.metaGet(key, { value: false, flags: true }))?.flags).toBe(4_294_967_295);
      expect(await failure(run.client.get(key))).toBeInstanceOf(MemcacheSerdeError);
      await run.client.set(key, 'text', { flags: 0 });
      expect(await run.client.get(key)).toEqual(Buffer.from('text'));
    });
  });
}

export function describeExpiry(run: ContractRun): void {
  const { fresh, expectTtl } = run;
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
      expect(await run.client.set(key, 'value', { expire: expire() })).toBe(true);
      expect(await run.client.get(key)).toBe('value');
      await expectTtl(key, least, most);
    });

    it.each<[string, number | Date]>([
      ['negative', -1],
      ['very negative', -(2 ** 40)],
      ['a Date that is over', new Date(0)],
    ])('%s is gone at once', async (_, expire) => {
      const key = fresh();
      await run.client.set(key, 'old');
      expect(await run.client.set(key, 'value', { expire })).toBe(true);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('touch sets the time to live', async () => {
      const key = fresh();
      expect(await run.client.touch(key, 100)).toBe(false);
      await run.client.set(key, 'value');
      expect(await run.client.touch(key, 45 * DAY)).toBe(true);
      await expectTtl(key, 45 * DAY - 5);
      expect(await run.client.touch(key, 0)).toBe(true);
      await expectTtl(key, -1, -1);
      expect(await run.client.touch(key, -1)).toBe(true);
      expect(await run.client.get(key)).toBeUndefined();
    });
  });
}

export function describeDeletionAndCounters(run: ContractRun): void {
  const { fresh } = run;
  describe('delete and count', () => {
    it('delete tells whether the key was there', async () => {
      const key = fresh();
      expect(await run.client.delete(key)).toBe(false);
      await run.client.set(key, 'value');
      expect(await run.client.delete(key)).toBe(true);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('deleteMany tells how many were there', async () => {
      const keys = Array.from({ length: 10 }, fresh);
      expect(await run.client.deleteMany([])).toBe(0);
      await run.client.setMany(keys.slice(3).map((key): [string, number] => [key, 1]));
      expect(await run.client.deleteMany(keys)).toBe(7);
      expect(await run.client.deleteMany(new Set(keys))).toBe(0);
    });

    it('incr and decr count in numbers', async () => {
      const key = fresh();
      expect(await run.client.incr(key)).toBeUndefined();
      expect(await run.client.decr(key)).toBeUndefined();
      await run.client.set(key, 10);
      expect(await run.client.incr(key)).toBe(11);
      expect(await run.client.incr(key, 100)).toBe(111);
      expect(await run.client.decr(key, 11)).toBe(100);
      expect(await run.client.decr(key, 1000)).toBe(0);
      expect(await run.client.incr(key, 0)).toBe(0);
      expect(await run.client.get(key)).toBe(0);
    });

    it('a count that no number holds is an error that carries it', async () => {
      const key = fresh();
      await run.client.set(key, Number.MAX_SAFE_INTEGER - 1);
      expect(await run.client.incr(key)).toBe(Number.MAX_SAFE_INTEGER);
      const error = await failure(run.client.incr(key));
      expect(error).toBeInstanceOf(MemcacheInexactNumberError);
      expect(error).toMatchObject({ code: 'MEMCACHE_INEXACT_NUMBER', certainty: 'executed', command: 'incr' });
      expect((error as MemcacheInexactNumberError).exact).toBe(2n ** 53n);
      expect(await run.client.incr(key, 1n)).toBe(2n ** 53n + 1n);
      expect(((await failure(run.client.decr(key, 0))) as MemcacheInexactNumberError).exact).toBe(2n ** 53n + 1n);
      expect(await run.client.decr(key, 2)).toBe(Number.MAX_SAFE_INTEGER);
    });

    it('counts in bigints up to 2^64, where it wraps', async () => {
      const key = fresh();
      await run.client.set(key, 0n);
      expect(await run.client.incr(key, 2n ** 64n - 1n)).toBe(2n ** 64n - 1n);
      expect(await run.client.get(key)).toBe(2n ** 64n - 1n);
      expect(await run.client.incr(key, 2n)).toBe(1n);
      expect(await run.client.decr(key, 2n ** 64n - 1n)).toBe(0n);
    });

    it('a value that is no number is an error that harms nothing else', async () => {
      const key = fresh();
      await run.client.set(key, 'text');
      const [error, value] = await Promise.all([failure(run.client.incr(key)), run.client.get(key)]);
      expect(error).toBeInstanceOf(MemcacheClientError);
      expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed', command: 'incr' });
      expect(value).toBe('text');
    });
  });
}
