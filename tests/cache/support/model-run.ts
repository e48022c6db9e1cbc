/** Lives through that many schedules of a seed: `model-run.ts SEED RUNS MINUTES`. Prints how many, and the first that went wrong. */
import fc from 'fast-check';
import { live, schedules } from './model';

const [seed = 1, runs = 1000, minutes = 10] = process.argv.slice(2).map(Number);

async function main(): Promise<void> {
  let lived = 0;
  const result = await fc.check(
    fc.asyncProperty(schedules, async (schedule) => {
      lived++;
      const wrong = await live(schedule);
      if (wrong !== undefined) throw new Error(wrong);
    }),
    { numRuns: runs, seed, interruptAfterTimeLimit: minutes * 60_000 },
  );
  const failed = result.failed && result.counterexample !== null;
  process.stdout.write(JSON.stringify({ lived, failed, counterexample: result.counterexample, error: failed ? String(result.errorInstance) : undefined }));
}

void main();
