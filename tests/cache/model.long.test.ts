import fc from 'fast-check';
import { live, schedules } from './support/model';

/** Schedules in all, and the minutes that they may take. */
const RUNS = 100_000;
const MINUTES = 20;
/** Each of these is a quarter of them. */
const SEEDS = [1, 2, 3, 4];

it.each(SEEDS)(
  'random schedules, seed %p',
  async (seed) => {
    let lived = 0;
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        lived++;
        expect(await live(schedule)).toBeUndefined();
      }),
      { numRuns: RUNS / SEEDS.length, seed, endOnFailure: true, interruptAfterTimeLimit: (MINUTES / SEEDS.length) * 60_000, markInterruptAsFailure: false },
    );
    // A slow machine lives through fewer in its time: it says so.
    if (lived < RUNS / SEEDS.length) console.warn(`${lived} schedules of ${RUNS / SEEDS.length} in the time`);
  },
  (MINUTES / SEEDS.length) * 60_000 + 60_000,
);
