import { runInNewContext } from 'node:vm';

/** Runs `work`, which does not wait for anything, and returns its result; throws when it does not end by itself. */
export function resultOfEnding<T>(work: () => T): T {
  return runInNewContext('work()', { work }, { timeout: 120_000 }) as T;
}
