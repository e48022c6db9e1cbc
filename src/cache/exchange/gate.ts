import type { Executor } from '../../client/executor';
import { MemcacheClientError, MemcacheIllegalInputError, MemcachePartialError, MemcacheUnknownCommandError } from '../../errors';
import type { Clock, Timer } from '../../runtime/clock';
import { limitAnswer } from './answer-time';
import type { Leases } from './leases';
import { abilitiesOf, VersionProbe, type Abilities } from './version-probe';

/** Milliseconds after which servers that lack something are asked again: they may have been upgraded. */
const ASK_AGAIN = 60_000;

/** Finds out what the servers can do before anything else is sent to them. */
export class Gate {
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #make: (abilities: Abilities) => Leases;
  #abilities: Abilities | undefined;
  #leases: Leases | undefined;
  #probe: Promise<void> | undefined;
  /** Whether no connection was ever made: the time for the first one does not count against the limit. */
  #patient = true;
  #askAgainAt = Infinity;
  /** Whether meta commands were refused although the version has them. */
  #refused = false;

  constructor(executor: Executor, clock: Clock, make: (abilities: Abilities) => Leases) {
    this.#executor = executor;
    this.#clock = clock;
    this.#make = make;
  }

  /** How to read and store; undefined as long as it is not known. */
  get leases(): Leases | undefined {
    return this.#leases;
  }

  get abilities(): Abilities | undefined {
    return this.#abilities;
  }

  /** Asks the servers, unless that is under way. @param limit milliseconds for the answer once there is a connection */
  ready(limit: number): Promise<void> {
    this.#probe ??= this.#ask(limit).finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  /** Now and then, in the background: asks servers again that lack something. */
  refresh(now: number, limit: number): void {
    if (now < this.#askAgainAt) return;
    this.#askAgainAt = now + ASK_AGAIN;
    this.ready(limit).catch(() => undefined);
  }

  /** A server did not understand a command: it may not be the one that was asked for its version. */
  suspect(error: unknown): void {
    if (!(error instanceof MemcacheClientError) || error instanceof MemcacheIllegalInputError) return;
    // Something in between answers `version` but does not pass on meta commands, such as the option `proxy`.
    if (error instanceof MemcacheUnknownCommandError && this.#abilities?.leases === true) this.#refused = true;
    this.#leases = undefined;
  }

  #ask(limit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const answers = new Map<string, string>();
      const take = (versions: ReadonlyMap<string, string>): void => {
        timer?.close();
        this.#patient = false;
        this.#take([...versions.values()]);
        resolve();
      };
      const giveUp = (error: unknown): void => {
        timer?.close();
        this.#patient = false;
        // The versions of those that have answered are better than nothing.
        if (answers.size > 0) take(answers);
        else reject(error instanceof Error ? error : new Error('the servers could not be asked', { cause: error }));
      };
      const wait = (): void => {
        timer ??= limitAnswer(this.#clock, limit, 'version', giveUp);
      };
      if (!this.#patient) wait();
      this.#executor.execute(new VersionProbe(wait, answers)).then(take, (error: unknown) => {
        if (error instanceof MemcachePartialError && error.partial instanceof Map && error.partial.size > 0) take(error.partial as Map<string, string>);
        // A server that does not know `version` knows nothing newer either.
        else if (error instanceof MemcacheUnknownCommandError) take(new Map([['', '']]));
        else giveUp(error);
      });
    });
  }

  #take(versions: readonly string[]): void {
    const abilities = this.#refused ? { leases: false, ownCas: false } : abilitiesOf(versions);
    this.#refused = false;
    this.#askAgainAt = abilities.ownCas ? Infinity : this.#clock.now() + ASK_AGAIN;
    const same = this.#abilities?.leases === abilities.leases && this.#abilities.ownCas === abilities.ownCas;
    if (same && this.#leases !== undefined) return;
    this.#abilities = abilities;
    this.#leases = this.#make(abilities);
  }
}
