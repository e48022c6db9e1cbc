import * as fc from 'fast-check';
import { Client, MemcacheIllegalInputError, safeKey, type CacheApi } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { anyCharacter, anyCodeUnit } from '../support/any-string';

/** Digests by another program: `printf %s KEY | openssl dgst -sha256 -binary | basenc --base64url`. */
const VECTORS: readonly (readonly [key: string, room: number, safe: string])[] = [
  ['user:1', 250, 'user:1'],
  ['x'.repeat(250), 250, 'x'.repeat(250)],
  ['', 250, '#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'],
  ['a b', 250, 'a_b#yGh6CKpdbtIEQyj6aml6uOltw0KR6MIDSujDjm_MbWU'],
  ['é', 250, '_#SplVfkAzw1Od4utlRyAXytX5VX96BiWgnxw_biumnEw'],
  ['user:\n1', 250, 'user:_1#v8QA4vdd93NkEUPmPF2qDNfWom5Gct6IiM2kH0cwkMo'],
  ['x'.repeat(251), 250, `${'x'.repeat(32)}#kNc4wxxe4SQcvNL_PUqhJXult9cXxUXDl9N9wGDs9_8`],
  ['naïve key with many characters so that the head is cut', 250, 'na_ve_key_with_many_characters_s#qu3xOn4HBT_bZAA84ICjzJ-oc2Ef-T1QNG1Ob8RjE6M'],
  ['x'.repeat(251), 50, 'xxxxxx#kNc4wxxe4SQcvNL_PUqhJXult9cXxUXDl9N9wGDs9_8'],
  ['x'.repeat(251), 44, '#kNc4wxxe4SQcvNL_PUqhJXult9cXxUXDl9N9wGDs9_8'],
];

it.each(VECTORS)('safeKey of a vector: %#', (key, room, safe) => {
  expect(safeKey(key, room)).toBe(safe);
});

const anyString = fc.oneof(fc.string(), fc.string({ unit: anyCharacter }), fc.string({ minLength: 200, maxLength: 400 }), fc.string({ unit: anyCodeUnit }));

it('gives a legal key that fits, whatever the string', async () => {
  const client = new EmbeddedClient();
  await fc.assert(
    fc.asyncProperty(anyString, fc.integer({ min: 44, max: 250 }), async (key, room) => {
      const safe = safeKey(key, room);
      expect(safe.length).toBeLessThanOrEqual(room);
      expect(await client.set(safe, 1)).toBe(true);
    }),
  );
});

it('leaves a legal key that fits as it is', () => {
  const legal = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 250 });
  fc.assert(fc.property(legal, (key) => safeKey(key) === key));
});

it('gives two strings two keys, also where one was made to look like the other', () => {
  fc.assert(
    fc.property(anyString, anyString, (one, other) => {
      fc.pre(one !== other);
      expect(safeKey(one)).not.toBe(safeKey(other));
    }),
  );
  const made = safeKey('foo bar');
  expect(safeKey(made)).not.toBe(made);
  expect(safeKey('\ud800')).not.toBe(safeKey('\ud801'));
});

it('refuses what is no string, and a room too small', () => {
  const notAString: unknown = 1;
  expect(() => safeKey(notAString as string)).toThrow(MemcacheIllegalInputError);
  for (const room of [43, 251, 50.5, NaN]) expect(() => safeKey('k', room)).toThrow(/room must be a whole number from 44 to 250/);
});

it('every client class is a CacheApi', async () => {
  const cache: CacheApi = new EmbeddedClient();
  await cache.set('k', 'v');
  expect(await cache.get('k')).toBe('v');
  const strings: CacheApi<unknown, string> = new Client();
  expect(strings).toBeInstanceOf(Client);
});
