import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CompiledProgram } from '../../support/program';

/** Schedules of one seed, and the minutes that they may take. */
const RUNS = 50_000;
const MINUTES = 15;

/** A test of the schedules of this seed. Each seed has a file, so that two processes share the time. */
export function testSeed(seed: number): void {
  it(`random schedules, fifty thousand of seed ${seed}`, async () => {
    // Compiled beforehand, so that as many run in the time as can.
    using program = new CompiledProgram(join(__dirname, 'model-run.ts'));
    const { stdout } = await promisify(execFile)(process.execPath, [program.file, String(seed), String(RUNS), String(MINUTES)]);
    const result = JSON.parse(stdout) as { lived: number; failed: boolean };
    expect(result).toMatchObject({ failed: false });
    // A slow machine lives through fewer in its time, and says so.
    if (result.lived < RUNS) console.warn(`${result.lived} schedules of ${RUNS} within ${MINUTES} minutes`);
  }, (MINUTES + 1) * 60_000);
}
