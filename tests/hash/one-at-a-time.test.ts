import { utf8Bytes } from '../../src/hash/placement/key-hash';
import { oneAtATime } from '../../src/hash/placement/one-at-a-time';

// The last two were computed by the same function in C with signed char.
test.each([
  ['', 0],
  ['a', 0xca2e9442],
  ['The quick brown fox jumps over the lazy dog', 0x519e91f5],
  ['é', 0x019148ae],
  ['漢字:🎉', 0x1f9f3e73],
])('the hash of %p', (text, expected) => {
  expect(oneAtATime(utf8Bytes(text))).toBe(expected);
});
