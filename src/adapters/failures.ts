import { MemcacheError } from '../errors';
import { valueThat, type Rule } from '../options/rule';

/** How errors of the cache are handled. `miss`: reads find nothing and writes return `false`; `throw`: the caller gets the error. */
export type Failures = 'miss' | 'throw';

export const FAILURES: Rule<Failures> = valueThat("'miss' or 'throw'", (value) => value === 'miss' || value === 'throw');

/** `result`. With `miss`, an error of the cache becomes `otherwise`, and is passed to `onError`. */
export async function orElse<R>(failures: Failures, result: Promise<R>, otherwise: R, onError?: (error: MemcacheError) => void): Promise<R> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof MemcacheError)) throw error;
    onError?.(error);
    if (failures === 'throw') throw error;
    return otherwise;
  }
}
