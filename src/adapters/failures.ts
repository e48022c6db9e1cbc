import type { MemcacheError, MemcacheErrorCode } from '../errors';
import { isObject, valueThat, type Rule } from '../options/rule';

/** How errors of the cache are handled. `miss`: reads find nothing and writes return `false`; `throw`: the caller gets the error. */
export type Failures = 'miss' | 'throw';

export const FAILURES: Rule<Failures> = valueThat("'miss' or 'throw'", (value) => value === 'miss' || value === 'throw');

/** `result`. With `miss`, an error of the cache becomes `otherwise`, and is passed to `onError`. */
export async function orElse<R>(failures: Failures, result: Promise<R>, otherwise: R, onError?: (error: MemcacheError) => void): Promise<R> {
  try {
    return await result;
  } catch (error) {
    if (!hasCode(error, 'MEMCACHE_')) throw error;
    onError?.(error);
    if (failures === 'throw') throw error;
    return otherwise;
  }
}

/**
 * Whether it is an error of this package whose code begins so. Its class does not tell: a bundler that makes modules anew while a
 * program runs makes the classes anew, and a client that was made before goes on with the old ones.
 */
export function hasCode(error: unknown, code: MemcacheErrorCode | 'MEMCACHE_'): error is MemcacheError {
  return isObject(error) && 'code' in error && typeof error.code === 'string' && error.code.startsWith(code);
}
