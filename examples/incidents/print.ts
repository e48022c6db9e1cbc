import type { ServerMetrics } from 'tsmemcache';

/** One line per server: what an on-call engineer looks at first. */
export function print(title: string, metrics: ReadonlyMap<string, ServerMetrics>): void {
  console.log(title);
  let number = 0;
  for (const { state, calls, hits, lookups, errors, connects, connectFailures, disconnects, bytesRead, latency } of metrics.values()) {
    const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
    const failed = Object.entries(errors).map(([code, count]) => `${code} ${count}`).join(', ');
    console.log(
      `  server ${++number}: ${state}, ${total} calls, hits ${lookups === 0 ? '-' : `${Math.round((hits / lookups) * 100)} %`}, ` +
        `p50 ${latency.p50.toFixed(1)} ms, p99 ${latency.p99.toFixed(1)} ms, read ${bytesRead} bytes, connects ${connects}, failed ${connectFailures}, ended ${disconnects}, errors: ${failed || 'none'}`,
    );
  }
}
