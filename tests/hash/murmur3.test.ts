import fc from 'fast-check';
import { murmur3 } from '../../src/hash';
import { murmur3Begin, murmur3Continue, murmur3End, PackedText } from '../../src/hash/placement/murmur3';
import { readVectors } from './read-vectors';

const { vectors } = readVectors<{ vectors: [text: string, seed: number, hash: number][] }>('murmur3-32');

test("agrees with every one of pymemcache's hashes", () => {
  expect(vectors.length).toBeGreaterThan(300);
  expect(vectors.map(([text, seed]) => [text, seed, murmur3(text, seed)])).toEqual(vectors);
});

test("pymemcache's own test values; the seed is 0 unless given", () => {
  expect(murmur3('6666')).toBe(1361238019);
  expect(murmur3('6666', 10)).toBe(2981722772);
  expect(murmur3('')).toBe(0);
});

test('the seed counts modulo 2^32', () => {
  expect(murmur3('6666', 2 ** 32 + 10)).toBe(murmur3('6666', 10));
  expect(murmur3('6666', -1)).toBe(murmur3('6666', 0xffff_ffff));
});

test('a character beyond U+FFFF is one character, a lone surrogate another', () => {
  expect(murmur3('\u{1f389}')).toBe(murmur3('\u0089'));
  expect(murmur3('\ud83c')).toBe(murmur3('\u003c'));
  expect(murmur3('\ud83ca')).toBe(murmur3('<a'));
});

test('a text longer than any key', () => {
  const text = 'abcd'.repeat(64);
  const hashes = [text, `${text}e`, text.repeat(9)].map((long) => murmur3(long));
  // From pymemcache's murmur3_32.
  expect(hashes).toEqual([974191146, 2684739220, 1664136694]);
});

test('a text in two parts has the hash of the whole, wherever the cut is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), fc.integer(), (head, tail, seed) => {
      const state = murmur3Continue(murmur3Begin(seed), new PackedText().fill(head));
      expect(murmur3End(state, new PackedText().fill(tail))).toBe(murmur3(head + tail, seed));
    }),
  );
});

test('a packed text that is filled again keeps nothing of what it held', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 600 }), fc.string(), (before, text) => {
      const used = new PackedText().fill(before).fill(text);
      expect(murmur3End(murmur3Begin(0), used)).toBe(murmur3(text));
    }),
  );
});
