import type { ServerMetrics } from '../../src';

/** What must be so of any metrics. */
export function sumsAgree({ calls, hits, misses, stored, notStored, exists, ok, aborted, errors }: ServerMetrics): boolean {
  const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0);
  return sum(calls) === hits + misses + stored + notStored + exists + ok + aborted + sum(errors);
}
