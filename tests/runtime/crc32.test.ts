import { crc32, crc32Bytes } from '../../src/runtime/crc32';

describe.each([
  ['', 0],
  ['123456789', 0xcbf43926],
  ['漢字:🎉', 0xbd6c6189],
])('the CRC-32 of %p', (text, expected) => {
  const bytes = Buffer.from(text);

  it('is that of zlib, for text and for bytes', () => {
    expect(crc32(bytes.toString('latin1'))).toBe(expected);
    expect(crc32Bytes(bytes, 0, bytes.length)).toBe(expected);
  });

  it('can be taken in parts', () => {
    for (let at = 0; at <= bytes.length; at++) {
      const padded = Buffer.concat([Buffer.from('?'), bytes, Buffer.from('?')]);
      const first = crc32Bytes(padded, 1, 1 + at);
      expect(crc32Bytes(padded, 1 + at, 1 + bytes.length, first)).toBe(expected);
    }
  });
});
