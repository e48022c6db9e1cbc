import fc from 'fast-check';
import { changedCounter, parseUint64 } from '../../../src/server/storage/counter';

const TOP = 2n ** 64n - 1n;

describe('counters', () => {
  it.each([
    ['0', 0n],
    [' 12', 12n],
    ['\t+10', 10n],
    ['12 ab', 12n],
    ['12\0ab', 12n],
    ['18446744073709551615', TOP],
    ['-18446744073709551615', 1n],
    ['18446744073709551616', undefined],
    ['-1', undefined],
    ['', undefined],
    ['12ab', undefined],
    ['0x10', undefined],
    ['1.5', undefined],
  ])('reads %j as %p', (text, expected) => {
    expect(parseUint64(text)).toBe(expected);
  });

  it('wraps when adding and ends at 0 when subtracting', () => {
    const uint64 = fc.bigInt({ min: 0n, max: TOP });
    fc.assert(
      fc.property(uint64, uint64, (number, delta) => {
        expect(changedCounter(String(number), true, delta)).toBe(String((number + delta) % (TOP + 1n)));
        expect(changedCounter(String(number), false, delta)).toBe(String(number > delta ? number - delta : 0n));
      }),
    );
  });
});
