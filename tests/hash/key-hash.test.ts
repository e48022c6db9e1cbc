import fc from 'fast-check';
import { MemcacheIllegalInputError } from '../../src/errors';
import { KetamaHash } from '../../src/hash';
import { keyHash, utf8Bytes } from '../../src/hash/placement/key-hash';
import { illegal } from '../support/contract';
import { anyCharacter } from '../support/any-string';

test('crc is 15 bits of CRC-32, md5 the first four bytes of the digest, the least significant first', () => {
  expect(keyHash('crc')('123456789')).toBe((0xcbf43926 >>> 16) & 0x7fff);
  // MD5 of no bytes is d41d8cd98f00b204…
  expect(keyHash('md5')('')).toBe(0xd98c1dd4);
  expect(keyHash('one-at-a-time')('a')).toBe(0xca2e9442);
});

test.each(['', 'MD5', 'toString'])('there is no hash called %p', (name) => {
  const message = 'hash must be one-at-a-time or crc or md5';
  expect(() => new KetamaHash({ hash: illegal(name) })).toThrow(new MemcacheIllegalInputError(message));
});

test('utf8Bytes has one character for each byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (text) => {
      expect(Buffer.from(utf8Bytes(text), 'latin1')).toEqual(Buffer.from(text));
    }),
  );
});
