import { MemcacheError, MemcachePartialError, type Certainty } from '../errors';

/** From the one that says least about the server's side to the one that says most. */
const WEAKEST_FIRST: readonly Certainty[] = ['maybeExecuted', 'executed', 'notSent'];

/**
 * The certainty of a call whose `parts` have all been answered but for `failures`: theirs, if all are alike. Otherwise a part of it
 * may have been executed, so that the whole must not be repeated lightly.
 */
export function certaintyOfParts(failures: readonly MemcacheError[], parts: number): Certainty {
  const certainties = new Set(failures.map(({ certainty }) => certainty));
  if (failures.length < parts) certainties.add('executed');
  const [only = 'executed'] = certainties;
  return certainties.size === 1 ? only : 'maybeExecuted';
}

/**
 * The last of the `failures` with the weakest certainty of all: the one error that is true of a call that took several attempts, or
 * went to several servers. A write that was lost once and refused later may have been executed.
 */
export function weakestFailure(failures: readonly unknown[]): unknown {
  const errors = failures.filter((failure) => failure instanceof MemcacheError);
  // An abort, or an error of user code, has no certainty and is passed on.
  if (errors.length < failures.length) return failures.find((failure) => !(failure instanceof MemcacheError));
  const weakest = WEAKEST_FIRST.find((certainty) => errors.some((error) => error.certainty === certainty));
  return errors.findLast(({ certainty }) => certainty === weakest);
}

/** What went wrong with the parts of a call, by server; of two failures of one server, the one with the weaker certainty. */
export class Failures {
  readonly #byServer = new Map<string, MemcacheError>();
  /** Whether some part was answered. */
  #someAnswered = false;

  get any(): boolean {
    return this.#byServer.size > 0;
  }

  /**
   * @param server - its name, for errors that do not name it
   * @throws any error that is not of this package, such as the reason of an abort, which is not a server's failure
   */
  addOutcome(outcome: PromiseSettledResult<unknown>, server?: string): void {
    if (outcome.status === 'fulfilled') this.#someAnswered = true;
    else if (outcome.reason instanceof MemcachePartialError) {
      // Some of the servers behind it answered, unless nothing was sent.
      this.#someAnswered ||= outcome.reason.certainty !== 'notSent';
      for (const [name, each] of outcome.reason.failures) this.#add(name, each);
    } else if (outcome.reason instanceof MemcacheError) this.#add(server ?? outcome.reason.server ?? 'the cluster', outcome.reason);
    else throw outcome.reason;
  }

  #add(server: string, failure: MemcacheError): void {
    const before = this.#byServer.get(server);
    if (before === undefined || weakestFailure([before, failure]) === failure) this.#byServer.set(server, failure);
  }

  /** The error that carries all failures, and the result of the other parts. */
  toError(command: string, partial: unknown): MemcachePartialError {
    const failures = [...this.#byServer.values()];
    const certainty = certaintyOfParts(failures, failures.length + (this.#someAnswered ? 1 : 0));
    return new MemcachePartialError(partial, this.#byServer, { command, cause: failures[0], certainty });
  }
}
