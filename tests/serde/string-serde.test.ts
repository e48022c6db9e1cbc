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

  it.each(['\ud800', 'a\udc00b', '\udc00\ud800', '🍺\ud83c'])('refuses half a surrogate pair, %#', (text) => {
    expect(() => strings.serialize(text)).toThrow(/lone surrogate/);
  });

  it('refuses what is no text', () => {
    expect(() => strings.serialize(5 as never)).toThrow(MemcacheSerdeError);
  });
});
