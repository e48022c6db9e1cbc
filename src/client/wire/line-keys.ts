import type { CallQueue } from './call-queue';
import type { Call } from '../call';
import { JoinableGet } from '../command';

/** Twice as many places as a line has keys, so that a place is found quickly. */
const PLACES = 512;

/**
 * The keys of the `get` line being gathered, to notice one that is asked for twice. The table is never emptied: each line has
 * numbers of its own, and those of earlier lines are ignored. A `Map` would cost 5 % of a get; this costs 2.
 */
class LineKeys {
  /** For each place the number of the key in it: that of its line, and how far its call is from the line's first one. */
  readonly #numbers = new Int32Array(PLACES);
  #last = 0;

  /** A line begins; the number of its first key. */
  start(): number {
    return (this.#last = (this.#last + PLACES) | 0);
  }

  /**
   * Notes the key of the call at `position`; the earlier call of the line for the same key, if there is one.
   *
   * @param line - what {@link start} has given
   * @param first - the position of the line's first call
   */
  add(line: number, calls: CallQueue, first: number, key: string, position: number): Call<unknown> | undefined {
    // The last eight characters, where keys differ most, and every fourth before them.
    const { length } = key;
    let hash = length;
    let i = 0;
    for (; i < length - 8; i += 4) hash = (hash * 31 + key.charCodeAt(i)) | 0;
    for (i = Math.max(0, length - 8); i < length; i++) hash = (hash * 31 + key.charCodeAt(i)) | 0;
    // The last characters of keys differ most, and the low bits of the product know little of the others.
    let place = (hash ^ (hash >>> 15)) & (PLACES - 1);
    const index = position - first;
    for (;;) {
      const earlier = ((this.#numbers[place] ?? 0) - line) | 0;
      if (earlier < 0 || earlier >= index) break;
      const call = calls.at(first + earlier);
      // Without a reader it was withdrawn, and is not in the line.
      if (call?.reader !== undefined && call.command instanceof JoinableGet && call.command.wireKey === key) return call;
      place = (place + 1) & (PLACES - 1);
    }
    this.#numbers[place] = line + index;
    return undefined;
  }
}

/** One for all connections, since a line is gathered in one go: its 2 KiB would be a part of what each connection takes. */
export const lineKeys = new LineKeys();
