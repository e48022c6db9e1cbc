import fc from 'fast-check';
import { live, schedules } from './support/model';

/** This many here; a hundred thousand in `npm run test:long`. */
const RUNS = 300;

it('random schedules: nothing outdated for good, one load, all settle, all is counted', async () => {
  await fc.assert(
    fc.asyncProperty(schedules, async (schedule) => {
      expect(await live(schedule)).toBeUndefined();
    }),
    { numRuns: RUNS, seed: 20_240_501, endOnFailure: true },
  );
});
