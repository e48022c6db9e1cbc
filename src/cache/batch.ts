import { isMap, isNativeError } from 'node:util/types';
import type { Key } from '../protocol/key';
import { MemcacheOverloadedError } from '../errors';
import type { Load } from './engine/caller';
import type { Slots } from './engine/slots';
import type { ManyLoadContext } from './types';

/** One key of a batch that is to be loaded. */
interface Wanted<K> {
  readonly key: K;
  readonly signal: AbortSignal;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The loads of one `getMany`: all keys that this process is to load by the time that the cache has answered for every key go to
 * one call of the loader; keys that fall to it later go to further calls.
 */
export class Batch<K extends Key> {
  readonly #load: (keys: readonly K[], context: ManyLoadContext) => unknown;
  readonly #slots: Slots;
  readonly #onOverload: (key: K) => void;
  #undecided: number;
  #wanted: Wanted<K>[] = [];
  #scheduled = false;

  constructor(load: (keys: readonly K[], context: ManyLoadContext) => unknown, slots: Slots, keys: number, onOverload: (key: K) => void) {
    this.#load = load;
    this.#onOverload = onOverload;
    this.#slots = slots;
    this.#undecided = keys;
  }

  /** The loader of one key. */
  loaderOf(key: K): Load {
    const load: Load = ({ signal }) => this.#want(key, signal);
    load.batched = true;
    return load;
  }

  /** To be called once per key, when it is known whether it must be loaded here. */
  readonly decided = (): void => {
    // What is decided now may ask for its load in this very moment.
    if (--this.#undecided === 0) this.#schedule();
  };

  #want(key: K, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ key, signal, resolve, reject });
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
    // The time of a key may have been over before the cache answered for the others.
    const wanted = stillWanted(this.#wanted);
    this.#wanted = [];
    if (wanted.length > 0) void this.#run(wanted);
  }

  /** One place among the loads, however many keys. */
  async #run(wanted: Wanted<K>[]): Promise<void> {
    if (!this.#slots.take()) {
      const turn = this.#slots.wait();
      if (turn === undefined) {
        for (const { key } of wanted) this.#onOverload(key);
        for (const { reject } of wanted) reject(new MemcacheOverloadedError('too many loads wait; see maxLoads and maxQueuedLoads'));
        return;
      }
      let came = false;
      const queued = wanted;
      whenAllGone(queued, () => {
        if (came) return;
        turn.leave();
        stillWanted(queued);
      });
      await turn.come;
      came = true;
      // Some have been given up meanwhile.
      wanted = stillWanted(wanted);
      if (wanted.length === 0) {
        this.#slots.give();
        return;
      }
    }
    let placed = true;
    const leave = (): void => {
      if (placed) this.#slots.give();
      placed = false;
    };
    const controller = new AbortController();
    whenAllGone(wanted, (reason) => {
      // As with a load of one key, the next one need not wait until the loader notices.
      leave();
      controller.abort(reason);
    });
    try {
      const loaded = await this.#load(wanted.map(({ key }) => key), { signal: controller.signal });
      this.#give(wanted, loaded);
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    } finally {
      leave();
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

/** Those that nobody has given up. The loads of the others end here: who listens to the channel waits for it. */
function stillWanted<K>(wanted: Wanted<K>[]): Wanted<K>[] {
  for (const { signal, reject } of wanted) if (signal.aborted) reject(signal.reason);
  return wanted.filter(({ signal }) => !signal.aborted);
}

/** Calls back when all of them have been given up, with the reason of the last. */
function whenAllGone<K>(wanted: readonly Wanted<K>[], callback: (reason: unknown) => void): void {
  let left = wanted.length;
  for (const { signal } of wanted) {
    signal.addEventListener('abort', () => {
      if (--left === 0) callback(signal.reason);
    }, { once: true });
  }
}

function settle(value: unknown, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  // Of any realm, as bytes are: a test may have the globals of a browser, and Node's errors are then of another.
  if (value instanceof Error || isNativeError(value)) reject(value);
  else resolve(value);
}
