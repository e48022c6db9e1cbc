import type { Clock } from '../../runtime/clock';
import { MAX_TAGS } from '../cache-options';
import type { Limited, TimeLimits } from '../time-limits';
import { COUNTER_LIFE, type Version } from '../exchange/counter';
import { RecentMap } from '../recent-map';

/** The share of its life after which a version is asked for anew. */
const AHEAD = 0.75;

/** How the counters on the server are read and changed. */
export interface Counters {
  /** When there is a first connection to the server of a counter; undefined when there is one, or was. It may reject. */
  opened(name: string): Promise<void> | undefined;
  read(name: string): Promise<Version>;
  change(name: string): Promise<Version>;
}

/** Whether the server of a counter answers. */
export interface CounterHealth {
  /** To whom it must be reported how a question ended; undefined when it may not be asked now. */
  admit(name: string): CounterAsked | undefined;
}

/** A question to the server of a counter. */
export interface CounterAsked {
  ok(): void;
  failed(): void;
}

/** What the versions are told by, and for how long they are believed. */
export interface VersionsContext {
  readonly counters: Counters;
  readonly health: CounterHealth;
  readonly clock: Clock;
  readonly limits: TimeLimits;
  /** Milliseconds that a question may take. */
  readonly limit: number;
  /** Milliseconds for which a version counts as the present one. */
  readonly maxAge: number;
}

interface Known {
  number: string;
  /** When it was asked for, on the monotonic clock. */
  askedAt: number;
  /** When the answer came: the server may have been asked as late as this. */
  heardAt: number;
  /** Which of the changes by this process has made it; 0 for none. */
  change: number;
}

/** When a question was sent. */
interface Moment {
  /** On the monotonic clock. */
  readonly at: number;
  /** How many changes by this process had been answered by then. */
  readonly changes: number;
}

/**
 * The versions of tags and namespaces: random numbers on the server, compared for equality only, so that they depend on no
 * clock, and a lost counter makes entries invalid, never valid again.
 */
export class Versions {
  readonly #context: VersionsContext;
  readonly #known = new RecentMap<string, Known>();
  readonly #asked = new Map<string, Promise<Version | undefined>>();
  /** Questions that have not been sent yet. */
  readonly #unsent = new Map<string, Promise<string>>();
  /** How many changes by this process have been answered. */
  #changes = 0;

  constructor(context: VersionsContext) {
    this.#context = context;
  }

  /** The version, if it was asked for lately; one that will soon be too old is asked for ahead of time, so that who reads all the time never waits. */
  currentAhead(name: string): string | undefined {
    const known = this.#known.get(name);
    if (known === undefined) return undefined;
    const age = this.#context.clock.now() - known.askedAt;
    if (age > this.#context.maxAge) return undefined;
    if (age > this.#context.maxAge * AHEAD) void this.ask(name);
    return known.number;
  }

  /** As `Counters.opened`: until then no time counts. */
  opened(name: string): Promise<void> | undefined {
    return this.#context.counters.opened(name);
  }

  /** Asks for those that are not current, so that the answers arrive together with the entry. */
  prefetch(names: readonly string[]): void {
    for (const name of names) if (this.#current(name) === undefined) void this.ask(name);
  }

  /** Asks the server for the version. When it cannot be reached: the last known version, or undefined. It never rejects. */
  ask(name: string): Promise<Version | undefined> {
    let asked = this.#asked.get(name);
    if (asked === undefined) {
      asked = this.#ask(name).finally(() => this.#asked.delete(name));
      this.#asked.set(name, asked);
    }
    return asked;
  }

  /** As {@link ask}. @param limit milliseconds after which the caller does not wait any more, if the question may take longer; 0 for none */
  askWithin(limit: number, name: string): Promise<Version | undefined> {
    const asked = this.ask(name);
    if (limit === 0 || (limit >= this.#context.limit && this.#context.limit > 0)) return asked;
    return new Promise((resolve) => {
      const answered = this.#context.limits.limitAnswer(limit, 'ma', () => {
        resolve(this.#latest(name));
      });
      void asked.finally(answered).then(resolve);
    });
  }

  /**
   * The version that the server has now: neither one that is known, nor the answer to a question that was sent before this call.
   * Calls of the same moment share a question. Rejects when it cannot be had.
   */
  present(name: string): Promise<string> {
    let asked = this.#unsent.get(name);
    if (asked === undefined) {
      asked = Promise.resolve().then(async () => {
        this.#unsent.delete(name);
        let learned: Version | undefined;
        do {
          const asked = this.#moment();
          learned = this.#learn(name, asked, await this.#context.counters.read(name));
        } while (learned === undefined);
        return learned.number;
      });
      this.#unsent.set(name, asked);
    }
    return asked;
  }

  /** `name=version …` for all names, as entries carry it; undefined when a version cannot be read. @param limit as of {@link askWithin} */
  snapshot(names: readonly string[], limit = 0): string | Promise<string | undefined> {
    const words = names.map((name) => this.#word(name));
    if (!words.includes(undefined)) return words.join(' ');
    return this.#askAll(names, limit).then((versions) => {
      if (versions.includes(undefined)) return undefined;
      return names.map((name, i) => `${name}=${versions[i]?.number ?? ''}`).join(' ');
    });
  }

  /**
   * As {@link snapshot}, when the names were not known before the load: only versions that are certainly older than the
   * beginning of the load.
   */
  async since(names: readonly string[], startedAt: number): Promise<string | undefined> {
    const words: string[] = [];
    const versions = await Promise.all(
      names.map(async (name) => {
        const known = this.#known.get(name);
        if (known !== undefined && known.heardAt <= startedAt && startedAt - known.askedAt <= this.#context.maxAge) return known.number;
        const version = await this.ask(name);
        const taken = (this.#context.clock.now() - startedAt) / 1000;
        return version !== undefined && version.age > taken + 2 ? version.number : undefined;
      }),
    );
    for (const [i, number] of versions.entries()) {
      if (number === undefined) return undefined;
      words.push(`${names[i] ?? ''}=${number}`);
    }
    return words.join(' ');
  }

  /** Whether all these versions are the present ones; undefined when that cannot be had. */
  check(words: string): boolean | Promise<boolean | undefined> {
    const pairs = pairsOf(words);
    // No cache has stored that: to look for counters without end would make them.
    if (pairs.length > MAX_TAGS) return false;
    const doubtful = pairs.filter(([name, number]) => this.#current(name) !== number);
    if (doubtful.length === 0) return true;
    // Of two versions that differ the one that this process knows may be the older.
    return Promise.all(doubtful.map(([name, number]) => this.#isPresent(name, number))).then((same) =>
      same.includes(false) ? false : same.includes(undefined) ? undefined : true,
    );
  }

  /** Whether one of these versions is another than the last that is known here, however long ago that was asked for. */
  differ(words: string): boolean {
    return words !== '' && pairsOf(words).some(([name, number]) => (this.#known.get(name)?.number ?? number) !== number);
  }

  /** Changes the version, which invalidates all entries that carry the present one. */
  async change(name: string): Promise<void> {
    const startedAt = this.#context.clock.now();
    const { number } = await this.#context.counters.change(name);
    // Another answer that was asked for later came before: over several connections it is not known which is the last, so it is asked for.
    const last = (this.#known.get(name)?.askedAt ?? 0) <= startedAt;
    this.#known.set(name, { number, askedAt: last ? startedAt : -Infinity, heardAt: this.#context.clock.now(), change: ++this.#changes });
  }

  async #isPresent(name: string, number: string): Promise<boolean | undefined> {
    try {
      const version = await this.ask(name);
      return version === undefined ? undefined : version.number === number;
    } catch {
      // What somebody else has stored may name a tag that can have no counter here: it is made anew.
      return false;
    }
  }

  #current(name: string): string | undefined {
    const known = this.#known.get(name);
    return known !== undefined && this.#context.clock.now() - known.askedAt <= this.#context.maxAge ? known.number : undefined;
  }

  #word(name: string): string | undefined {
    const number = this.#current(name);
    return number === undefined ? undefined : `${name}=${number}`;
  }

  #askAll(names: readonly string[], limit: number): Promise<(Version | undefined)[]> {
    return Promise.all(
      names.map(async (name) => {
        const number = this.#current(name);
        return number === undefined ? await this.askWithin(limit, name) : { number, age: COUNTER_LIFE };
      }),
    );
  }

  #ask(name: string): Promise<Version | undefined> {
    const ask = (): Promise<Version | undefined> => this.#askNow(name);
    // Where there can be no connection, that is what the question will end with.
    return this.opened(name)?.then(ask, ask) ?? ask();
  }

  #askNow(name: string): Promise<Version | undefined> {
    const moment = this.#moment();
    // While the circuit is open nobody waits for what will not come.
    const asked = this.#context.health.admit(name);
    if (asked === undefined) return Promise.resolve(this.#latest(name));
    return new Promise((resolve) => {
      const giveUp = (): void => {
        if (!question.over) asked.failed();
        question.over = true;
        resolve(this.#latest(name));
      };
      const question: Limited & { over: boolean } = { due: 0, over: false, onTime: giveUp };
      this.#context.limits.add(question, this.#context.limit, moment.at);
      this.#context.counters.read(name).then((version) => {
        question.over = true;
        asked.ok();
        resolve(this.#learn(name, moment, version) ?? this.#latest(name));
      }, giveUp);
    });
  }

  /** The last known version, of unknown age. */
  #latest(name: string): Version | undefined {
    const number = this.#known.get(name)?.number;
    return number === undefined ? undefined : { number, age: 0 };
  }

  #moment(): Moment {
    return { at: this.#context.clock.now(), changes: this.#changes };
  }

  /** @returns undefined where the answer may be older than a change by this process */
  #learn(name: string, { at, changes }: Moment, version: Version): Version | undefined {
    const known = this.#known.get(name);
    // A change by this process since then is newer.
    if (known !== undefined && known.askedAt > at) return { number: known.number, age: 0 };
    if (known !== undefined && known.change > changes && known.number !== version.number) {
      // Over two connections the change may have come first, or last: it is asked for again.
      known.askedAt = -Infinity;
      return undefined;
    }
    this.#known.set(name, { number: version.number, askedAt: at, heardAt: this.#context.clock.now(), change: 0 });
    return version;
  }
}

/** The names and versions of `name=version …`. */
function pairsOf(words: string): [string, string][] {
  return words.split(' ').map((word): [string, string] => {
    const at = word.lastIndexOf('=');
    return [word.slice(0, at), word.slice(at + 1)];
  });
}
