import fc from 'fast-check';
import { MAX_INT64, MIN_INT64, SIGNED, UNSIGNED, parseUint64 } from '../../../src/server/engine/counter';

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
    ['000000000000000000000000000012', 12n],
    ['1'.repeat(21), undefined],
    ['0x10', undefined],
    ['1.5', undefined],
    ['-', undefined],
    ['+ 1', undefined],
    ['-0', 0n],
    ['\v\f\r\n 7\t8', 7n],
    [`${'0'.repeat(30)}${'9'.repeat(21)}`, undefined],
  ])('reads %j as %p', (text, expected) => {
    expect(parseUint64(text)).toBe(expected);
  });

  it('reads each character once, be it a megabyte of them', () => {
    const begun = process.cpuUsage();
    for (let i = 0; i < 20; i++) expect(parseUint64(`${'0'.repeat(1_000_000)}x`)).toBeUndefined();
    // By a regular expression it took a second.
    expect(process.cpuUsage(begun).user).toBeLessThan(400_000);
  });

  it("memcached's wraps when adding and ends at 0 when subtracting", () => {
    const uint64 = fc.bigInt({ min: 0n, max: TOP });
    fc.assert(
      fc.property(uint64, uint64, (number, delta) => {
        expect(UNSIGNED.change(String(number), true, delta, false)).toBe((number + delta) % (TOP + 1n));
        expect(UNSIGNED.change(String(number), false, delta, false)).toBe(number > delta ? number - delta : 0n);
      }),
    );
  });

  it("Redis's refuses what does not fit", () => {
    const int64 = fc.bigInt({ min: MIN_INT64, max: MAX_INT64 });
    fc.assert(
      fc.property(int64, fc.bigInt({ min: 0n, max: MAX_INT64 }), fc.boolean(), (number, delta, up) => {
        const changed = up ? number + delta : number - delta;
        const fits = changed >= MIN_INT64 && changed <= MAX_INT64;
        expect(SIGNED.change(String(number), up, delta, false)).toBe(fits ? changed : 'overflow');
      }),
    );
  });

  it.each(['1 ', ' 1', '+1', '01', '', '-0', '9223372036854775808'])('Redis takes %j for no number', (text) => {
    expect(SIGNED.change(text, true, 1n, false)).toBe('notANumber');
  });

  it('Redis reads what the store itself has filled up', () => {
    expect(SIGNED.change('9 ', true, 1n, true)).toBe(10n);
  });
});
