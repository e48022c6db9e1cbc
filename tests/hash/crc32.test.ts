import { crc32 } from '../../src/hash/crc32';
import { utf8Bytes } from '../../src/hash/key-hash';

test.each([
  ['', 0],
  ['123456789', 0xcbf43926],
  ['漢字:🎉', 0xbd6c6189],
])('the CRC-32 of %p is that of zlib', (text, expected) => {
  expect(crc32(utf8Bytes(text))).toBe(expected);
});
