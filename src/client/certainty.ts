import { MemcacheError, type Certainty } from '../errors';

/** From the one that tells least about the server's side to the one that tells most. */
const WEAKEST_FIRST: readonly Certainty[] = ['maybeExecuted', 'executed', 'notSent'];

/**
 * What is known of a call that was made of several attempts, or went to several servers: no more than of the one of them of which
 * least is known. A write that was lost once and refused later may have been executed.
 */
export function weakestCertainty(all: readonly Certainty[]): Certainty {
  return WEAKEST_FIRST.find((certainty) => all.includes(certainty)) ?? 'notSent';
}

/** The last of the `failures` whose certainty is the weakest of all: the one error that is true of them together. */
export function weakestFailure(failures: readonly unknown[]): unknown {
  const errors = failures.filter((failure) => failure instanceof MemcacheError);
  // An abort, or what user code threw, says nothing about certainty and is passed on.
  if (errors.length < failures.length) return failures.find((failure) => !(failure instanceof MemcacheError));
  const weakest = weakestCertainty(errors.map(({ certainty }) => certainty));
  return errors.findLast(({ certainty }) => certainty === weakest);
}
