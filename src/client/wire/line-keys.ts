import type { CallQueue } from './call-queue';
import type { Call } from '../call';
import { JoinableGet } from '../command';

/** Twice as many places as a line has keys, so that a place is found quickly. */
const PLACES = 512;

/**
 * The keys of the `get` line being gathered, to notice one that is asked for twice. The table is never emptied: entries of
 * earlier lines are ignored. A `Map` would cost 5 % of a get.
 */
class LineKeys {
  /** Which line each place was taken by, and the call's position in its queue. */
  readonly #lines = new Float64Array(PLACES);
  readonly #positions = new Float64Array(PLACES);
  #last = 0;

  /** A line begins; what it is known by. */
  start(): number {
    return ++this.#last;
  }

  /** Notes the key of the call at `position`; the earlier call of the line for the same key, if there is one. */
  add(line: number, calls: CallQueue, key: string, position: number): Call<unknown> | undefined {
    let hash = key.length;
    for (let i = 0; i < key.length; i++) hash = (hash * 31 + key.charCodeAt(i)) | 0;
    // The last characters of keys differ most, and the low bits of the product know little of the others.
    let place = (hash ^ (hash >>> 15)) & (PLACES - 1);
    while (this.#lines[place] === line) {
      const call = calls.at(this.#positions[place] ?? 0);
      if (call?.command instanceof JoinableGet && call.command.wireKey === key) return call;
      place = (place + 1) & (PLACES - 1);
    }
    this.#lines[place] = line;
    this.#positions[place] = position;
    return undefined;
  }
}

/** One for all connections, since a line is gathered in one go: its 8 KiB would be nearly half of what a connection takes. */
export const lineKeys = new LineKeys();
