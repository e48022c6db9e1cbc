import { soakCluster } from '../support/cluster-soak';
import { describeWithMemcached } from '../support/describe';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 6);
const MIB = 1024 * 1024;

describeWithMemcached('a cluster whose servers come and go', () => {
  it.each([1, 2])('seed %d: no wrong value, and in the end all is as it was', async (seed) => {
    const report = await soakCluster({ seed, seconds: SECONDS });
    console.log(JSON.stringify(report));
    expect(report.done).toBeGreaterThan(1000);
    expect(report.leftOver).toBeLessThanOrEqual(0);
    expect(report.heapGrowth).toBeLessThan(8 * MIB);
    expect(report.bufferGrowth).toBeLessThan(4 * MIB);
  }, (SECONDS + 60) * 1000);
});
