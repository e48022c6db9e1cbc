import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { StringSerde } from '../../src/serde';
import { anyCharacter } from '../support/any-string';

const strings = new StringSerde();

describe('StringSerde', () => {
  it('gives back all text', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (text) => {
        const { data, flags } = strings.serialize(text);
        expect(flags).toBe(16);
        const bytes = Buffer.from(data);
        expect(strings.deserialize(bytes)).toBe(text);
        expect(strings.deserializeInPlace(Buffer.concat([Buffer.of(1), bytes, Buffer.of(1)]), 1, 1 + bytes.length)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it.each(['', 'x'.repeat(1_000_000), '🍺'.repeat(250_000), '\ufffd', '\ufeffwith a mark', '\0\r\nEND\r\n'])('gives back text %#', (text) => {
    expect(strings.deserialize(Buffer.from(strings.serialize(text).data))).toBe(text);
  });

  it.each(['a', 'ж', 'é', '漢', '🍺', 'hello world, é ', '\ufeffa'])('reads long text as Buffer does, %j', (unit) => {
    for (const length of [1000, 2047, 2048, 2049, 2054, 70_000]) {
      const bytes = Buffer.from(unit.repeat(length)).subarray(0, length);
      // A part of a character at the end, and a byte that no text has.
      for (const part of [bytes, Buffer.from(bytes.toString()), Buffer.concat([bytes, Buffer.of(0xff), bytes])]) {
        expect(strings.deserialize(part)).toBe(part.toString());
        expect(strings.deserializeInPlace(Buffer.concat([Buffer.of(0xd0), part, Buffer.of(0xb6)]), 1, 1 + part.length)).toBe(part.toString());
      }
    }
  });

  it.each(['\ud800', 'a\udc00b', '\udc00\ud800', '🍺\ud83c'])('refuses half a surrogate pair, %#', (text) => {
    expect(() => strings.serialize(text)).toThrow(/lone surrogate/);
  });

  it('refuses what is no text', () => {
    expect(() => strings.serialize(5 as never)).toThrow(MemcacheSerdeError);
  });
});
