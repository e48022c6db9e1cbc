import type { CallQueue } from './call-queue';
import type { Call } from '../call';
import { JoinableGet } from '../command';
import { hashBefore, hashOfAll, sharedEnding } from '../repeats';

/** Twice as many places as a line has keys, so that a place is found quickly. */
const PLACES = 512;

/**
 * The keys of the `get` line being gathered, to notice one that is asked for twice. The table is never emptied: each line has
 * numbers of its own, and those of earlier lines are ignored. A `Map` would cost 5 % of a get; this costs 2.
 */
class LineKeys {
  /**
   * For each place the number of the key in it: that of its line, and how far its call is from the line's first one. That is less
   * than half of `PLACES`, so that no line has the number that stands for a place without a key, also when numbers start anew.
   */
  readonly #numbers = new Int32Array(PLACES).fill(-1);
  /** The number of the line's first key. */
  #line = 0;
  /** How many characters its first keys share at their ends. */
  #ending = 0;
  /** The position of its first call. */
  #first = 0;

  /** A line begins whose keys are those of `calls` from `first` on. */
  start(calls: CallQueue, first: number, firstKey: string, secondKey: string): void {
    this.#line = (this.#line + PLACES) | 0;
    this.#first = first;
    this.#ending = sharedEnding(firstKey, secondKey);
    this.add(calls, firstKey, first);
  }

  /** Notes the key of the call at `position`; the earlier call of the line for the same key, if there is one. */
  add(calls: CallQueue, key: string, position: number): Call<unknown> | undefined {
    const index = position - this.#first;
    let place = hashBefore(this.#ending, key) & (PLACES - 1);
    for (let looks = 0; ; looks++) {
      const earlier = ((this.#numbers[place] ?? 0) - this.#line) | 0;
      if (earlier < 0 || earlier >= index) break;
      const call = calls.at(this.#first + earlier);
      // Without a reader it was withdrawn, and is not in the line.
      if (call?.reader !== undefined && call.command instanceof JoinableGet && call.command.wireKey === key) return call;
      place = (looks === 0 ? hashOfAll(key) : place + 1) & (PLACES - 1);
    }
    this.#numbers[place] = (this.#line + index) | 0;
    return undefined;
  }
}

/** One for all connections, since a line is gathered in one go: its 2 KiB would be a part of what each connection takes. */
export const lineKeys = new LineKeys();
