import { MemcacheTimeoutError } from '../../errors';
import type { Clock, Timer } from '../../runtime/clock';

/**
 * Limits the time for one answer: calls `onTime` unless the timer is closed before. Answers that have arrived by then are read
 * first. It does not keep the process alive.
 *
 * @param limit in milliseconds, the option `cacheTimeout`; 0 for none
 */
export function limitAnswer(clock: Clock, limit: number, command: string, onTime: (error: MemcacheTimeoutError) => void): Timer | undefined {
  if (limit === 0) return undefined;
  const timer = clock.setTimeout(() => {
    clock.setImmediate(() => {
      onTime(new MemcacheTimeoutError(`the cache did not answer within ${limit} ms; see cacheTimeout`, { command, certainty: 'maybeExecuted' }));
    });
  }, limit);
  timer.unref();
  return timer;
}
