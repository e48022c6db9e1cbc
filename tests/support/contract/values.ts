import { MemcacheIllegalInputError, MemcacheServerError, StringSerde } from '../../../src';
import { illegal, failure } from '../rejection';
import { MEBIBYTE, type ContractRun } from './contract-run';

export function describeValues(run: ContractRun): void {
  const { fresh, withOptions } = run;
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
      await run.client.setMany([[before, 'before'], [behind, 'behind']]);
      expect(await run.client.set(key, value)).toBe(true);
      const [first, got, last] = await Promise.all([run.client.get(before), run.client.get(key), run.client.get(behind)]);
      expect([first, last]).toEqual(['before', 'behind']);
      expectSame(got, value);
      const found = await run.client.getMany([before, key, behind]);
      expect([found.get(before), found.get(behind)]).toEqual(['before', 'behind']);
      expectSame(found.get(key), value);
    });

    it('a value beyond maxValueSize is refused, and the old one gone', async () => {
      const key = fresh();
      await run.client.set(key, 'old');
      const error = await failure(run.client.set(key, Buffer.alloc(MEBIBYTE + 1)));
      expect(error).toBeInstanceOf(MemcacheIllegalInputError);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('a value that the server finds too large is refused, and the old one gone', async () => {
      const key = fresh();
      await run.client.set(key, 'old');
      const error = await failure(run.client.set(key, Buffer.alloc(MEBIBYTE)));
      expect(error).toBeInstanceOf(MemcacheServerError);
      expect(error).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', certainty: 'executed', command: 'set' });
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('add of a value that is too large leaves the old one', async () => {
      const key = fresh();
      await run.client.set(key, 'old');
      expect(await failure(run.client.add(key, Buffer.alloc(MEBIBYTE + 1)))).toBeInstanceOf(MemcacheIllegalInputError);
      expect(await run.client.get(key)).toBe('old');
    });

    it('a value that the serde cannot write harms only its own call', async () => {
      const key = fresh();
      const cyclic: Record<string, unknown> = {};
      cyclic['self'] = cyclic;
      const [error, value] = await Promise.all([failure(run.client.set(key, cyclic)), run.client.set(key, 'fine')]);
      expect(error).toMatchObject({ code: 'MEMCACHE_SERDE', certainty: 'notSent' });
      expect(value).toBe(true);
    });

    it('values are of the type of the serde', async () => {
      await withOptions({ serde: new StringSerde() }, async (texts) => {
        const key = fresh();
        await run.client.set(key, 12);
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
        await run.client.set(key, 'value');
        const reads = [failure(unreadable.get(key)), failure(unreadable.getMany([key, miss]))];
        const [stored, missed] = await Promise.all([unreadable.set(next, 'value'), unreadable.get(miss)]);
        expect([stored, missed]).toEqual([true, undefined]);
        const ofOne = await reads[0];
        const ofMany = await reads[1];
        expect(ofOne).toMatchObject({ code: 'MEMCACHE_SERDE', cause, certainty: 'executed', command: 'get', server: expect.any(String) as string });
        // Where the keys have several servers, the error is part of one that holds what the others gave.
        expect(ofMany?.code === 'MEMCACHE_PARTIAL' ? ofMany.cause : ofMany).toMatchObject({ code: 'MEMCACHE_SERDE', cause });
      });
    });
  });
}

export function describeKeys(run: ContractRun): void {
  const { fresh, hasMeta, withOptions } = run;
  describe('keys', () => {
    it('takes 250 bytes and no more', async () => {
      const key = `${fresh()}-`.padEnd(250, 'k');
      expect(await run.client.set(key, 'longest')).toBe(true);
      expect(await run.client.get(key)).toBe('longest');
      expect(await failure(run.client.get(`${key}k`))).toBeInstanceOf(MemcacheIllegalInputError);
      expect(await failure(run.client.set(Buffer.alloc(251, 'k'), 1))).toBeInstanceOf(MemcacheIllegalInputError);
    });

    it('takes Buffers and pairs of a routing key and a key', async () => {
      const key = fresh();
      await run.client.set(Buffer.from(key), 'value');
      expect(await run.client.get(key)).toBe('value');
      expect(await run.client.get(new TextEncoder().encode(key))).toBe('value');
      const pair = ['somewhere', fresh()] as const;
      await run.client.set(pair, 'routed');
      expect(await run.client.get(pair)).toBe('routed');
      const found = await run.client.getMany([pair, key]);
      expect([found.size, found.get(pair), found.get(key)]).toEqual([2, 'routed', 'value']);
      expect(await run.client.deleteMany([pair, key])).toBe(2);
    });

    it('refuses Unicode unless it is allowed', async () => {
      const key = `${fresh()}-ключ-\u{1f511}`;
      expect(await failure(run.client.get(key))).toBeInstanceOf(MemcacheIllegalInputError);
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
      expect(await run.client.getMany(names)).toEqual(new Map());
      expect(await run.client.setMany(names.map((key): [string, string] => [key, `of ${key}`]))).toEqual([]);
      expect(await run.client.get('__proto__')).toBe('of __proto__');
      expect(await run.client.getMany(names)).toEqual(new Map(names.map((key) => [key, `of ${key}`])));
      expect(await run.client.deleteMany(names)).toBe(names.length);
    });
  });
}

/** `toEqual` without its time for bytes. */
function expectSame(got: unknown, value: unknown): void {
  if (!(value instanceof Uint8Array)) expect(got).toEqual(value);
  else if (!Buffer.isBuffer(got) || !got.equals(value)) throw new Error('the bytes that came back are others');
}
