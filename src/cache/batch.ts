import { isMap, isNativeError } from 'node:util/types';
import type { Key } from '../protocol/key';
import type { Load, Part } from './engine/caller';
import { SharedSlot, type Slots } from './engine/slots';
import type { ManyLoadContext } from './types';

/** One key of a batch that is to be loaded. */
interface Wanted<K> {
  readonly key: K;
  readonly part: Part;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The loads of one `getMany`: all keys that this process is to load by the time that the cache has answered for every key go to
 * one call of the loader; keys that fall to it later go to further calls. However many keys, they take one place among the loads.
 */
export class Batch<K extends Key> {
  readonly #load: (keys: readonly K[], context: ManyLoadContext) => unknown;
  readonly #slot: SharedSlot;
  #undecided: number;
  #wanted: Wanted<K>[] = [];
  #scheduled = false;

  constructor(load: (keys: readonly K[], context: ManyLoadContext) => unknown, slots: Slots, keys: number) {
    this.#load = load;
    this.#slot = new SharedSlot(slots);
    this.#undecided = keys;
  }

  /** The loader of one key. */
  loaderOf(key: K): Load {
    const load: Load = (_, part) => part && this.#want(key, part);
    load.slot = this.#slot;
    return load;
  }

  /** To be called once per key, when it is known whether it must be loaded here. */
  readonly decided = (): void => {
    // What is decided now may ask for its load in this very moment.
    if (--this.#undecided === 0) this.#schedule();
  };

  #want(key: K, part: Part): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ key, part, resolve, reject });
      if (this.#undecided === 0) this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Fake timers may hold up `queueMicrotask`.
    void Promise.resolve().then(() => {
      this.#scheduled = false;
      this.#fire();
    });
  }

  #fire(): void {
    const all = this.#wanted;
    this.#wanted = [];
    // A key may have been given up before the cache answered for the others. Who listens to the channel waits for its end.
    for (const { part: { flight }, reject } of all) if (flight.over) reject(flight.reason);
    const wanted = all.filter(({ part }) => !part.flight.over);
    if (wanted.length > 0) void this.#run(wanted);
  }

  async #run(wanted: readonly Wanted<K>[]): Promise<void> {
    const controller = new AbortController();
    let left = wanted.length;
    const onAbort = (reason: unknown): void => {
      if (--left === 0) controller.abort(reason);
    };
    for (const { part } of wanted) part.flight.onAbort = onAbort;
    try {
      const loading = this.#load(wanted.map(({ key }) => key), { signal: controller.signal });
      for (const { part } of wanted) part.onBegun();
      const loaded = await loading;
      this.#give(wanted, loaded);
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    }
  }

  #give(wanted: readonly Wanted<K>[], loaded: unknown): void {
    if (isMap(loaded)) {
      const byKey: ReadonlyMap<unknown, unknown> = loaded;
      for (const { key, resolve, reject } of wanted) settle(byKey.get(key), resolve, reject);
    } else if (Array.isArray(loaded) && loaded.length === wanted.length) {
      const inOrder: readonly unknown[] = loaded;
      for (const [i, { resolve, reject }] of wanted.entries()) settle(inOrder[i], resolve, reject);
    } else {
      throw new TypeError('the loader of getMany must return a Map, or an array with one value for each key');
    }
  }
}

function settle(value: unknown, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  // Of any realm, as bytes are: a test may have the globals of a browser, and Node's errors are then of another.
  if (value instanceof Error || isNativeError(value)) reject(value);
  else resolve(value);
}
