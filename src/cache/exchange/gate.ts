import type { Executor } from '../../client/executor';
import { MemcacheClientError, MemcacheError, MemcacheIllegalInputError, MemcachePartialError, MemcacheUnknownCommandError } from '../../errors';
import type { Clock } from '../../runtime/clock';
import type { TimeLimits } from '../time-limits';
import type { Leases } from './leases';
import { abilitiesOf, VersionProbe, type Abilities } from './version-probe';

/** Milliseconds after which servers that lack something are asked again: they may have been upgraded. */
const ASK_AGAIN = 60_000;

/** A question for the versions of all servers. */
interface Question {
  /** Resolves when it is sent: by then there is a connection. */
  readonly written: Promise<void>;
  /** Those that are known so far. */
  readonly versions: ReadonlyMap<string, string>;
  readonly answered: Promise<void>;
}

/** Finds out what the servers can do before anything else is sent to them. */
export class Gate {
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #limits: TimeLimits;
  readonly #make: (abilities: Abilities) => Leases;
  #abilities: Abilities | undefined;
  #leases: Leases | undefined;
  #question: Question | undefined;
  /** Whether no connection was ever made: the time for the first one does not count against the limit. */
  #patient = true;
  #askAgainAt = Infinity;
  /** Whether meta commands were refused although the version has them. */
  #refused = false;

  constructor(executor: Executor, clock: Clock, limits: TimeLimits, make: (abilities: Abilities) => Leases) {
    this.#executor = executor;
    this.#clock = clock;
    this.#limits = limits;
    this.#make = make;
  }

  /** How to read and store; undefined as long as it is not known. */
  get leases(): Leases | undefined {
    return this.#leases;
  }

  get abilities(): Abilities | undefined {
    return this.#abilities;
  }

  /** Whether the time that is needed now, until there is a connection, counts against no limit. */
  get isPatient(): boolean {
    return this.#patient;
  }

  /** Resolves when the first connection is there, or could not be made; undefined afterwards. */
  get connecting(): Promise<void> | undefined {
    if (!this.#patient) return undefined;
    const { written, answered } = (this.#question ??= this.#ask());
    return Promise.race([written, answered.catch(() => undefined)]);
  }

  /**
   * Asks the servers, unless that is under way.
   *
   * @param limit milliseconds for the answer once there is a connection, for this call alone; 0 for none
   */
  ready(limit: number): Promise<void> {
    const question = (this.#question ??= this.#ask());
    if (limit === 0) return question.answered;
    return new Promise((resolve, reject) => {
      let answered: (() => void) | undefined;
      const wait = (): void => {
        answered = this.#limits.limitAnswer(limit, 'version', (error) => {
          this.#patient = false;
          // The versions of those that have answered are better than nothing.
          if (question.versions.size === 0) reject(error);
          else {
            this.#take(question.versions);
            resolve();
          }
        });
      };
      if (this.#patient) void question.written.then(wait);
      else wait();
      question.answered.finally(() => answered?.()).then(resolve, reject);
    });
  }

  /** Before the first write to a server it must be known what it can do. Rejects as the first command would. */
  async known(): Promise<Leases> {
    if (this.#leases === undefined) await this.ready(0);
    if (this.#leases === undefined) throw new MemcacheError('the versions of the servers are not known');
    return this.#leases;
  }

  /** Does `work`, and once more without meta commands where something between tells a version and refuses them: nothing was done then. */
  async run<R>(work: (leases: Leases) => Promise<R>): Promise<R> {
    try {
      return await work(await this.known());
    } catch (error) {
      if (!(error instanceof MemcacheUnknownCommandError)) throw error;
      this.suspect(error);
    }
    return work(await this.known());
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

  #ask(): Question {
    const versions = new Map<string, string>();
    let onWritten: () => void = () => undefined;
    const written = new Promise<void>((resolve) => {
      onWritten = resolve;
    });
    const answered = this.#executor.execute(new VersionProbe(onWritten, versions)).then(
      (all) => {
        this.#take(all);
      },
      (error: unknown) => {
        if (error instanceof MemcachePartialError && error.partial instanceof Map && error.partial.size > 0) this.#take(error.partial as Map<string, string>);
        // A server that does not know `version` knows nothing newer either.
        else if (error instanceof MemcacheUnknownCommandError) this.#take(new Map([['', '']]));
        else if (versions.size > 0) this.#take(versions);
        else throw error instanceof Error ? error : new Error('the servers could not be asked', { cause: error });
      },
    ).finally(() => {
      this.#patient = false;
      this.#question = undefined;
    });
    answered.catch(() => undefined);
    return { written, versions, answered };
  }

  #take(versions: ReadonlyMap<string, string>): void {
    const abilities = this.#refused ? { leases: false, ownCas: false } : abilitiesOf(versions.values());
    this.#refused = false;
    this.#askAgainAt = abilities.ownCas ? Infinity : this.#clock.now() + ASK_AGAIN;
    const same = this.#abilities?.leases === abilities.leases && this.#abilities.ownCas === abilities.ownCas;
    if (same && this.#leases !== undefined) return;
    this.#abilities = abilities;
    this.#leases = this.#make(abilities);
  }
}
