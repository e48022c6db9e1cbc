import { MemcacheIllegalInputError } from '../../src';
import { encodeExptime } from '../../src/protocol/exptime';

const DAY = 86_400;
const NOW = 1_800_000_000;
const clock = { time: (): number => NOW * 1000 + 999 };

it.each<[string, unknown, number]>([
  ['nothing is for ever', undefined, 0],
  ['0 is for ever', 0, 0],
  ['a second', 1, 1],
  ['30 days', 30 * DAY, 30 * DAY],
  // The server would take these for moments in 1970.
  ['30 days and a second', 30 * DAY + 1, NOW + 30 * DAY + 1],
  ['45 days', 45 * DAY, NOW + 45 * DAY],
  ['a year', 365 * DAY, NOW + 365 * DAY],
  ['longer than there is time', 20 * 365 * DAY, 2 ** 31 - 1],
  ['a Unix time', NOW + 60, NOW + 60],
  // As seconds from now they would be for ever.
  ['a Unix time that is now', NOW, -1],
  ['a Unix time that is over', NOW - 1, -1],
  ['a Unix time that is long over', 10 ** 9, -1],
  ['almost 32 years', 10 ** 9 - 1, 2 ** 31 - 1],
  ['the last Unix time', 2 ** 31 - 1, 2 ** 31 - 1],
  ['negative is at once', -5, -1],
  ['very negative is at once', -(2 ** 60), -1],
  ['a Date', new Date((NOW + 90) * 1000), NOW + 90],
  ['a Date between two seconds is not too early', new Date((NOW + 90) * 1000 + 1), NOW + 91],
  ['a Date that is over', new Date((NOW - 1) * 1000), -1],
  ['a Date that is now', new Date(clock.time()), -1],
  ['a Date far away', new Date(8.64e15), 2 ** 31 - 1],
])('%s', (_, expire, exptime) => {
  expect(encodeExptime(expire, clock)).toBe(exptime);
});

// The server keeps a signed 32-bit number: it has no later date, also when that has passed.
it.each<[string, number, unknown, number]>([
  ['a year before the last Unix time', 2 ** 31 - 1 - 365 * DAY, 400 * DAY, 2 ** 31 - 1],
  ['31 days before the last Unix time', 2 ** 31 - 1 - 31 * DAY, 45 * DAY, 2 ** 31 - 1],
  ['10 days before the last Unix time', 2 ** 31 - 1 - 10 * DAY, 45 * DAY, 30 * DAY],
  ['10 days before the last Unix time, a Date', 2 ** 31 - 1 - 10 * DAY, new Date((2 ** 31 + 5 * DAY) * 1000), 15 * DAY + 1],
  ['a year after the last Unix time', 2 ** 31 + 365 * DAY, 45 * DAY, 30 * DAY],
  ['a year after the last Unix time, a week', 2 ** 31 + 365 * DAY, 7 * DAY, 7 * DAY],
  ['a year after the last Unix time, a Date', 2 ** 31 + 365 * DAY, new Date((2 ** 31 + 366 * DAY) * 1000), DAY],
  ['a year after the last Unix time, a Date far away', 2 ** 31 + 365 * DAY, new Date(8.64e15), 30 * DAY],
  ['a year after the last Unix time, a Date that is over', 2 ** 31 + 365 * DAY, new Date((2 ** 31 + 364 * DAY) * 1000), -1],
])('%s', (_, now, expire, exptime) => {
  expect(encodeExptime(expire, { time: () => now * 1000 })).toBe(exptime);
});

it.each<[string, unknown]>([
  ['a fraction', 1.5],
  ['NaN', NaN],
  ['infinity', Infinity],
  ['milliseconds', NOW * 1000],
  ['text', '60'],
  ['a bigint', 60n],
  ['null', null],
  ['a Date that is none', new Date(NaN)],
  ['an object', {}],
])('%s is refused', (_, expire) => {
  expect(() => encodeExptime(expire, clock)).toThrow(MemcacheIllegalInputError);
  expect(() => encodeExptime(expire, clock)).toThrow(/^expire/);
});
