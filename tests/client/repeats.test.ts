import { hasRepeats } from '../../src/client/repeats';
import { resultOfEnding } from '../support/ends';
import { SeededRandom } from '../support/seeded-random';

const forms: readonly (readonly [string, (i: number) => string])[] = [
  ['numbers at the end', (i) => `key-${i}`],
  ['numbers before an ending', (i) => `user:${i}:profile`],
  ['short', (i) => i.toString(36)],
  ['all alike where the table looks', (i) => `${i}:abcdefgh${i % 5 === 0 ? 'y' : 'x'}`],
  ['one the end of another', (i) => 'x'.repeat(1 + (i % 240)) + String(i)],
];

// The first test: it needs the table as it is in a new process.
it('lists are looked through when their numbers start anew', () => {
  resultOfEnding(() => {
    // There are 2^32 numbers, and each list has 2048 of them.
    for (let i = 1; i < 2 ** 32 / 2048; i++) hasRepeats(['one', 'two']);
    expect(hasRepeats(Array.from({ length: 20 }, (_, key) => `key-${key}`))).toBe(false);
  });
});

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
