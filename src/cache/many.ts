import type { Key } from '../protocol/key';
import { MemcacheOverloadedError } from '../errors';
import type { Load } from './engine/caller';
import type { Slots } from './engine/slots';
import type { ManyLoadContext } from './types';

/** One key of a batch that is to be loaded. */
interface Wanted {
  readonly key: Key;
  readonly signal: AbortSignal;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The loads of one `getMany`: all keys that this process is to load by the time that the cache has answered for every key go to
 * one call of the loader; keys that fall to it later go to further calls.
 */
export class Batch {
  readonly #load: (keys: readonly Key[], context: ManyLoadContext) => unknown;
  readonly #slots: Slots;
  #undecided: number;
  #wanted: Wanted[] = [];
  #scheduled = false;

  constructor(load: (keys: readonly Key[], context: ManyLoadContext) => unknown, slots: Slots, keys: number) {
    this.#load = load;
    this.#slots = slots;
    this.#undecided = keys;
  }

  /** The loader of one key. */
  loaderOf(key: Key): Load {
    const load: Load = ({ signal }) => this.#want(key, signal);
    load.batched = true;
    return load;
  }

  /** To be called once per key, when it is known whether it must be loaded here. */
  readonly decided = (): void => {
    if (--this.#undecided === 0) this.#fire();
  };

  #want(key: Key, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ key, signal, resolve, reject });
      if (this.#undecided > 0 || this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#fire();
      });
    });
  }

  #fire(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    if (wanted.length > 0) void this.#run(wanted);
  }

  /** Takes one place among the loads, however many keys it has. */
  async #run(wanted: readonly Wanted[]): Promise<void> {
    if (!this.#slots.take()) {
      const turn = this.#slots.wait();
      if (turn === undefined) {
        for (const { reject } of wanted) reject(new MemcacheOverloadedError('too many loads are waiting; see maxLoads and maxQueuedLoads'));
        return;
      }
      await turn;
    }
    const controller = new AbortController();
    // The call is aborted when all of its keys were aborted.
    let left = wanted.length;
    for (const { signal } of wanted) {
      signal.addEventListener('abort', () => {
        if (--left === 0) controller.abort(signal.reason);
      }, { once: true });
    }
    try {
      const loaded = await this.#load(wanted.map(({ key }) => key), { signal: controller.signal });
      this.#give(wanted, loaded);
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    } finally {
      this.#slots.give();
    }
  }

  #give(wanted: readonly Wanted[], loaded: unknown): void {
    if (loaded instanceof Map) {
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
  if (value instanceof Error) reject(value);
  else resolve(value);
}
