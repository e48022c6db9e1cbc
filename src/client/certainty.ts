import { MemcacheError, MemcachePartialError, type Certainty } from '../errors';

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

/** What went wrong with the parts of a call, by server; of two failures of one server that of which less is known. */
export class Failures {
  readonly #byServer = new Map<string, MemcacheError>();
  /** Whether a part did succeed. */
  #someAnswered = false;

  get any(): boolean {
    return this.#byServer.size > 0;
  }

  /**
   * @param server - its name, where the error may not tell it
   * @throws what is not an error of this package: an abort is the caller's own wish, not a server's failure
   */
  addOutcome(outcome: PromiseSettledResult<unknown>, server?: string): void {
    if (outcome.status === 'fulfilled') this.#someAnswered = true;
    else if (outcome.reason instanceof MemcachePartialError) {
      // Some of its servers answered, unless nothing was sent at all.
      this.#someAnswered ||= outcome.reason.certainty !== 'notSent';
      for (const [name, each] of outcome.reason.failures) this.#add(name, each);
    } else if (outcome.reason instanceof MemcacheError) this.#add(server ?? outcome.reason.server ?? 'the cluster', outcome.reason);
    else throw outcome.reason;
  }

  #add(server: string, failure: MemcacheError): void {
    const before = this.#byServer.get(server);
    if (before === undefined || weakestFailure([before, failure]) === failure) this.#byServer.set(server, failure);
  }

  /** The error that tells of all of them, and of what came of the other parts. */
  toError(command: string, partial: unknown): MemcachePartialError {
    const [cause] = this.#byServer.values();
    const certainties = new Set([...this.#byServer.values()].map(({ certainty }) => certainty));
    if (this.#someAnswered) certainties.add('executed');
    const [only] = certainties;
    // Where parts differ, some of the call was executed and some was not: it must not be repeated lightly.
    const certainty = certainties.size === 1 ? only : 'maybeExecuted';
    return new MemcachePartialError(partial, this.#byServer, { command, cause, certainty });
  }
}
