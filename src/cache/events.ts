import { cacheEvents, stringFrom } from '../client/observe';
import type { Key } from '../protocol/key';
import { EVENT_NAMES, type CacheEvent, type CacheEventName, type Zone } from './types';

/** Counts events, and passes them to listeners. */
export class Events {
  readonly counts = Object.fromEntries(EVENT_NAMES.map((name) => [name, 0])) as Record<CacheEventName, number>;
  readonly #observe: ((event: CacheEvent) => void) | undefined;
  readonly #origin: { readonly clientId: number; readonly name: string };
  readonly #keyShown: ((key: Key) => string) | undefined;

  constructor(observe: ((event: CacheEvent) => void) | undefined, origin: { readonly clientId: number; readonly name: string }, keyShown?: (key: Key) => string) {
    this.#observe = observe;
    this.#origin = origin;
    this.#keyShown = keyShown;
  }

  /** Whether anybody listens. */
  get heard(): boolean {
    return this.#observe !== undefined || cacheEvents.hasSubscribers;
  }

  emit(type: CacheEventName, key: Key, more?: { ms?: number; error?: unknown; zone?: Zone; ageMs?: number | undefined }): void {
    this.counts[type]++;
    if (this.#observe !== undefined) this.#tell(this.#observe, { type, key, ...more });
    if (cacheEvents.hasSubscribers) {
      const shown = this.keyShown(key);
      const ageMs = more?.ageMs;
      cacheEvents.publish({ ...this.#origin, outcome: type, ...(shown !== undefined && { key: shown }), ...(ageMs !== undefined && { ageMs }) });
    }
  }

  /** What messages may show of a key. */
  keyShown(key: Key): string | undefined {
    return stringFrom(() => this.#keyShown?.(key));
  }

  /** Errors and rejections of a listener must not affect the cache. */
  #tell(observe: (event: CacheEvent) => unknown, event: CacheEvent): void {
    try {
      const result = observe(event);
      if (result instanceof Promise) result.catch(() => undefined);
    } catch {
      // See above.
    }
  }
}
