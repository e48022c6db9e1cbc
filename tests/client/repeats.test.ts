import { hasRepeats } from '../../src/client/repeats';
import { SeededRandom } from '../support/seeded-random';

const forms: readonly (readonly [string, (i: number) => string])[] = [
  ['numbers at the end', (i) => `key-${i}`],
  ['numbers before an ending', (i) => `user:${i}:profile`],
  ['short', (i) => i.toString(36)],
  ['all alike where the table looks', (i) => `${i}:abcdefgh${i % 5 === 0 ? 'y' : 'x'}`],
  ['one the end of another', (i) => 'x'.repeat(1 + (i % 240)) + String(i)],
];

it.each(forms)('a key that stands twice is noticed, and nothing else: %s', (_, form) => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 400; round++) {
    const keys = Array.from({ length: random.below(round % 40 === 0 ? 2500 : 120) }, (_each, i) => form(i));
    expect(hasRepeats(keys)).toBe(false);
    if (keys.length < 2) continue;
    const from = random.below(keys.length - 1);
    const to = from + 1 + random.below(keys.length - 1 - from);
    // Another string with the same characters.
    keys[to] = Buffer.from(keys[from] ?? '').toString();
    expect(hasRepeats(keys)).toBe(true);
  }
});
