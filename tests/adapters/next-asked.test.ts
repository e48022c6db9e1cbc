import { AskedEntries } from '../../src/adapters/next-asked';
import { ManualClock } from '../../src';

/** Entries asked for at 1000, by a clock that shows 2000 now. */
function asked(...keys: readonly string[]): AskedEntries {
  const clock = new ManualClock(1000);
  const entries = new AskedEntries(clock);
  for (const key of keys) entries.note(key, 0, true);
  clock.advance(1000);
  return entries;
}

function many(entries: AskedEntries, count: number): void {
  for (let i = 0; i < count; i++) entries.note(`other-${i}`, 0, true);
}

it('an entry counts as made when it was asked for, and not before its tags were revalidated by another clock', () => {
  const entries = asked('a');
  expect(entries.take('a')).toMatchObject({ time: 1000, made: 1000 });
  expect(entries.take('never asked for')).toEqual({ time: 2000, made: 2000 });
  entries.note('ahead', 5000, false);
  expect(entries.take('ahead')).toMatchObject({ time: 2000, made: 5000 });
});

it('when one is asked for anew while it is made, the first question counts; when all who asked have made it, the next', () => {
  const clock = new ManualClock(1000);
  const entries = new AskedEntries(clock);
  entries.note('a', 0, false);
  clock.advance(1000);
  entries.note('a', 0, false);
  expect([entries.take('a').made, entries.take('a').made]).toEqual([1000, 1000]);
  entries.note('a', 0, false);
  expect(entries.take('a').made).toBe(2000);
  clock.advance(1000);
  // There was one that needed not be made: none of its tags had changed until now.
  entries.note('b', 0, false);
  clock.advance(1000);
  entries.note('b', 0, true);
  expect(entries.take('b').made).toBe(4000);
});

it('remembers the last thousand of a request', () => {
  const kept = asked('a', 'b');
  kept.note('a', 0, false);
  many(kept, 998);
  expect([kept.take('a').time, kept.take('b').time]).toEqual([2000, 1000]);
  const full = asked('a', 'b');
  many(full, 999);
  expect([full.take('a').time, full.take('b').time]).toEqual([2000, 1000]);
});
