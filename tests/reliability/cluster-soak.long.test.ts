import { join } from 'node:path';
import { runAlone } from '../support/program';
import type { SoakReport } from '../support/cluster-soak';
import { describeWithMemcached } from '../support/describe';
import { fromEnvironment, report } from './report';

const SECONDS = fromEnvironment('SOAK_SECONDS', 6);
const MIB = 1024 * 1024;

describeWithMemcached('a cluster whose servers come and go', () => {
  it.concurrent.each([1, 2])('seed %d: no wrong value, and in the end all is as it was', async (seed) => {
    const { done, leftOver, heapGrowth, bufferGrowth } = await runAlone<SoakReport>(join(__dirname, 'alone', 'cluster-soak.ts'), { seed, seconds: SECONDS });
    expect(done).toBeGreaterThan(1000);
    expect(leftOver).toBeLessThanOrEqual(0);
    const growth = heapGrowth + bufferGrowth;
    report({
      goal: `soak-${seed}`,
      claim: 'Servers of a cluster killed, stopped, removed and added under load: no wrong value, no handle left; MiB more in the end',
      seed,
      n: done,
      value: Math.max(0, Math.round((growth / MIB) * 10) / 10),
      limit: 8,
      pass: growth < 8 * MIB,
    });
  }, (SECONDS + 60) * 1000);
});
