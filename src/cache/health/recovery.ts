import type { Clock, Timer } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { Place } from '../exchange/leases';

const FIRST = 100;
const LONGEST = 10_000;
/** This many deletions are tried at once. */
const AT_ONCE = 64;
/** When this many have failed, the rest has its turn next time: a server that comes back is not to be met by all at once. */
const MOST_FAILED = 1000;

/** The parts of the cache that recovery uses. */
export interface RecoveryContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly limit: number;
  readonly remove: (place: Place) => Promise<unknown>;
  readonly onRecovered: (place: Place) => void;
  readonly onOverflow: (place: Place) => void;
}

interface Lost {
  readonly place: Place;
  /** When the entry has expired in any case, on the monotonic clock. */
  readonly until: number;
}

/** Repeats deletions that failed, at growing intervals, until they succeed or the entry has expired. */
export class Recovery {
  readonly #context: RecoveryContext;
  readonly #lost = new Map<string, Lost>();
  #timer: Timer | undefined;
  #pause = FIRST;
  #busy = false;
  #closed = false;

  constructor(context: RecoveryContext) {
    this.#context = context;
  }

  /** @param life milliseconds for which the entry may still be there */
  add(place: Place, life: number): void {
    const { limit, clock, onOverflow } = this.#context;
    const known = this.#lost.has(place.wireKey);
    if (!known && this.#lost.size >= limit) {
      onOverflow(place);
      return;
    }
    this.#lost.set(place.wireKey, { place, until: clock.now() + life });
    this.#schedule();
  }

  /** To be called when the entry was deleted or replaced. */
  forget(wireKey: string): void {
    if (this.#lost.size > 0) this.#lost.delete(wireKey);
  }

  /** Goes on, if it was closed. */
  open(): void {
    if (!this.#closed) return;
    this.#closed = false;
    this.#schedule();
  }

  /** Until {@link open} nothing is repeated, nor what fails by then. */
  close(): void {
    this.#closed = true;
    this.#timer?.close();
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#closed || (this.#timer !== undefined && this.#timer.isLost !== true) || this.#busy || this.#lost.size === 0) return;
    const { clock, random } = this.#context;
    const timer = clock.setTimeout(() => {
      this.#timer = undefined;
      this.#busy = true;
      void this.#tryAll().then((failed) => {
        this.#busy = false;
        this.#pause = failed ? Math.min(LONGEST, this.#pause * 2) : FIRST;
        this.#schedule();
      });
    }, this.#pause * (0.75 + 0.5 * random()));
    timer.unref();
    this.#timer = timer;
  }

  /** Tries each once more, as far as it goes; resolves with whether some deletions still fail. */
  async #tryAll(): Promise<boolean> {
    const { clock, remove, onRecovered } = this.#context;
    for (const [wireKey, { until }] of this.#lost) if (clock.now() >= until) this.#lost.delete(wireKey);
    let failed = 0;
    const all = [...this.#lost.values()];
    for (let at = 0; at < all.length && failed < MOST_FAILED && !this.#closed; at += AT_ONCE) {
      // Some have been deleted or replaced meanwhile.
      const some = all.slice(at, at + AT_ONCE).filter((lost) => this.#isLost(lost));
      const outcomes = await Promise.allSettled(some.map(({ place }) => remove(place)));
      for (const [i, lost] of some.entries()) {
        const { wireKey } = lost.place;
        const isLost = this.#isLost(lost);
        if (isLost) this.#lost.delete(wireKey);
        if (outcomes[i]?.status !== 'rejected') onRecovered(lost.place);
        else {
          failed++;
          // Behind all others: a server that stays away keeps nothing from them.
          if (isLost) this.#lost.set(wireKey, lost);
        }
      }
    }
    return failed > 0;
  }

  /** Not if its entry was deleted or replaced meanwhile, or its deletion failed once more. */
  #isLost(lost: Lost): boolean {
    return this.#lost.get(lost.place.wireKey) === lost;
  }
}
