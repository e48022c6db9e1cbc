import type { Executor } from '../../client/executor';
import { MemcacheClientError, MemcacheError, MemcacheIllegalInputError, MemcachePartialError, MemcacheUnknownCommandError } from '../../errors';
import type { Clock } from '../../runtime/clock';
import type { TimeLimits } from '../time-limits';
import type { Leases } from './leases';
import { abilitiesOf, VersionProbe, type Abilities } from './version-probe';

/** Milliseconds after which servers that lack something are asked again: they may have been upgraded. */
const ASK_AGAIN = 60_000;

/** Tells that something has come about. */
class Sign {
  isGiven = false;
  give: () => void = () => undefined;
  readonly given = new Promise<void>((resolve) => {
    this.give = () => {
      this.isGiven = true;
      resolve();
    };
  });
}

/** A question for the versions of all servers. */
interface Question {
  /** By server, where there are several: when it is sent there, by which time there is a connection. */
  readonly sentTo: Map<string, Sign>;
  /** When it is sent to one of them. */
  readonly sent: Sign;
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
  /** Whether the first question has not been answered yet. */
  #isNew = true;
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

  /** Whether the first connections are being made: {@link opened} may have to be awaited. */
  get isOpening(): boolean {
    return this.#isNew;
  }

  /**
   * The time until there is a first connection counts against no limit: undefined when there is one to this server, or was.
   *
   * @param server its name; '' where the client does not tell
   * @returns a promise that rejects when there can be no connection to any
   */
  opened(server: () => string): Promise<void> | undefined {
    if (!this.#isNew) return undefined;
    const { sentTo, sent, answered } = (this.#question ??= this.#ask());
    const sign = sentTo.get(server()) ?? sent;
    return sign.isGiven ? undefined : Promise.race([sign.given, answered]);
  }

  /**
   * Asks the servers, unless that is under way.
   *
   * @param limit milliseconds for the answer, for this call alone; 0 for none
   */
  ready(limit: number): Promise<void> {
    const question = (this.#question ??= this.#ask());
    if (limit === 0) return question.answered;
    return new Promise((resolve, reject) => {
      const answered = this.#limits.limitAnswer(limit, 'version', (error) => {
        // The versions of those that have answered are better than nothing.
        if (question.versions.size === 0) reject(error);
        else {
          this.#take(question.versions);
          resolve();
        }
      });
      question.answered.finally(answered).then(resolve, reject);
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
    const sent = new Sign();
    const sentTo = new Map<string, Sign>();
    const probe = new VersionProbe(versions, {
      onServer: (server) => {
        if (!sentTo.has(server)) sentTo.set(server, new Sign());
      },
      onSent: (server) => {
        sentTo.get(server)?.give();
        sent.give();
      },
    });
    const answered = this.#executor.execute(probe).then(
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
      this.#isNew = false;
      this.#question = undefined;
    });
    answered.catch(() => undefined);
    return { sentTo, sent, versions, answered };
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
