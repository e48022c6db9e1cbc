import { rejected, untilAborted } from '../../client/abort';
import type { Executor } from '../../client/executor';
import { MemcacheError } from '../../errors';
import type { Key } from '../../protocol/key';
import type { Clock } from '../../runtime/clock';
import { Batch } from '../batch';
import type { EntrySettings } from '../cache-options';
import type { Events } from '../events';
import type { Chunks } from '../exchange/chunks';
import { takeTimes } from '../exchange/classic-leases';
import type { Gate } from '../exchange/gate';
import { IdentityGet, type Identity } from '../exchange/identity-get';
import type { Place } from '../exchange/leases';
import { PlainGet, type PlainItem } from '../exchange/plain-get';
import { Reply } from '../exchange/reply';
import { allOf, type EntryReader } from '../format/entry-reader';
import type { KeySpace } from '../key-space';
import type { Broadcast } from '../near/broadcast';
import type { NearCache } from '../near/near-cache';
import type { Versions } from '../tags/versions';
import type { ManyLoader } from '../types';
import { Caller, type Load } from './caller';
import type { Loads } from './loads';
import type { Pending } from './pending';
import type { Places } from './places';
import type { Reader } from './reader';
import type { Slots } from './slots';
import { leftOf, type TimeLimits } from '../time-limits';

/** The parts of the cache that lookups use. */
export interface LookupsContext {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly keys: KeySpace;
  readonly places: Places;
  readonly gate: Gate;
  readonly events: Events;
  readonly entryReader: EntryReader;
  readonly chunks: Chunks;
  readonly versions: Versions;
  readonly near: NearCache | undefined;
  readonly broadcast: Broadcast | undefined;
  readonly slots: Slots;
  readonly loads: Loads;
  readonly pending: Pending;
  readonly reader: Reader;
  readonly limits: TimeLimits;
  /** The server that owns a key; '' where that is not known. */
  readonly serverOf: (place: Place) => string;
}

/** How many keys of a call are looked up at once: each is a call to the client, which refuses them from `maxPending` on, 32 768 by default. */
const MOST_AT_ONCE = 4096;

/** One key that a caller looks up. */
interface Lookup {
  readonly place: Place;
  readonly load: Load;
  readonly settings: EntrySettings;
  readonly signal: AbortSignal | undefined;
  /** The milliseconds that are left of `cacheTimeout`. */
  readonly limit: number;
  /** Called once it has its answer, or waits for a load. */
  readonly onDecided?: () => void;
}

/** One of several keys that a caller looks up. */
interface Target<K> {
  /** The caller's own. */
  readonly key: K;
  readonly target: Place;
}

/** Several keys that were looked up at once. */
export interface EachLookedUp {
  /** The result of each, in the order of the keys. */
  readonly results: readonly Promise<unknown>[];
  /** Resolves when what was loaded for them is stored, at the latest `cacheTimeout` after the load. */
  readonly stored: () => Promise<void>;
}

/**
 * Looks entries up: each in its place, in the near cache, and else with the {@link Reader}. Targets are entries as they would be
 * called without a namespace.
 */
export class Lookups {
  readonly #context: LookupsContext;
  /** Fires when the cache is closed. */
  #closed = new AbortController();

  constructor(context: LookupsContext) {
    this.#context = context;
  }

  /** The cached value, or what `load` returns. */
  get(target: Place, load: Load, settings: EntrySettings, signal: AbortSignal | undefined): Promise<unknown> {
    const lookup = { place: target, load, settings, signal, limit: settings.cacheTimeout };
    return this.#context.keys.isVersioned ? this.#getVersioned(lookup) : this.#get(lookup);
  }

  /** Looks all keys up; the result of each is a promise of its own. */
  async getEach<K extends Key>(list: readonly K[], load: ManyLoader<K, unknown>, settings: EntrySettings, signal: AbortSignal | undefined): Promise<EachLookedUp> {
    const { keys } = this.#context;
    const indices = new Map<string, number>();
    const targets: Target<K>[] = [];
    const order = list.map((key) => {
      const target = keys.entry(key);
      let index = indices.get(target.wireKey);
      if (index === undefined) {
        indices.set(target.wireKey, (index = targets.length));
        targets.push({ key, target });
      }
      return index;
    });
    const getPart = (part: readonly Target<K>[]): Promise<EachLookedUp> => this.#getPart(part, load, settings, signal);
    const { results, stored } = targets.length <= MOST_AT_ONCE ? await getPart(targets) : this.#inParts(targets, getPart, signal);
    return { results: order.map((index) => results[index] ?? Promise.resolve(undefined)), stored };
  }

  /** What was loaded for one part is stored before the next is asked for. */
  #inParts<K>(targets: readonly Target<K>[], getPart: (part: readonly Target<K>[]) => Promise<EachLookedUp>, signal: AbortSignal | undefined): EachLookedUp {
    const { pending } = this.#context;
    const { signal: closed } = this.#closed;
    const results: Promise<unknown>[] = [];
    let before: Promise<void> = Promise.resolve();
    for (let i = 0; i < targets.length; i += MOST_AT_ONCE) {
      const part = targets.slice(i, i + MOST_AT_ONCE);
      const looked = before.then(() => {
        closed.throwIfAborted();
        return getPart(part);
      });
      before = looked.then(async (each) => {
        await Promise.allSettled(each.results);
        await untilAborted(each.stored(), signal);
      }).catch(ignore);
      for (const index of part.keys()) results.push(looked.then((each) => each.results[index]));
    }
    // Whoever looks at one of them later must not be too late.
    for (const result of results) result.catch(ignore);
    pending.track(before, ignore);
    return { results, stored: () => before };
  }

  /** The cache was closed: of the calls under way, no part that is not asked for yet is asked for. */
  abortAll(reason: unknown): void {
    this.#closed.abort(reason);
    this.#closed = new AbortController();
  }

  /** @param targets each once */
  async #getPart<K extends Key>(targets: readonly Target<K>[], load: ManyLoader<K, unknown>, settings: EntrySettings, signal: AbortSignal | undefined): Promise<EachLookedUp> {
    if (targets.length === 0) return { results: [], stored: () => Promise.resolve() };
    const { keys, places, slots } = this.#context;
    const { rules, limit } = keys.isVersioned ? await untilAborted(places.rulesToRead(settings), signal) : { limit: settings.cacheTimeout };
    const batch = new Batch(load, slots, targets.length);
    const wireKeys: string[] = [];
    const results = targets.map(({ key, target }) => {
      const place = keys.within(target, rules);
      wireKeys.push(place.wireKey);
      return this.#get({ place, load: batch.loaderOf(key), settings, signal, limit, onDecided: batch.decided });
    });
    // Whoever looks at one of them later must not be too late.
    for (const result of results) result.catch(ignore);
    return { results, stored: () => this.#stored(wireKeys, settings) };
  }

  #stored(wireKeys: readonly string[], { cacheTimeout }: EntrySettings): Promise<void> {
    const { loads, limits } = this.#context;
    return new Promise((resolve) => {
      const answered = limits.limitAnswer(cacheTimeout, 'ms', () => {
        resolve();
      });
      void Promise.all(wireKeys.map(async (wireKey) => loads.of(wireKey)?.stored)).then(() => {
        answered();
        resolve();
      });
    });
  }

  /** The cached value, outdated or not; undefined on a miss, and when the cache does not answer. */
  async peek(target: Place, settings: EntrySettings, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    return untilAborted(this.#peek(target, settings), signal);
  }

  async #peek(target: Place, settings: EntrySettings): Promise<unknown> {
    const { keys, places, reader, gate, clock, executor, serverOf } = this.#context;
    const { rules, limit } = keys.isVersioned ? await places.rulesToRead(settings) : { limit: settings.cacheTimeout };
    const place = keys.within(target, rules);
    if (place.unknown === true || !reader.mayPeek(place)) return undefined;
    let item: PlainItem | undefined;
    let startedAt: number;
    try {
      // The first connection takes nothing of the time limit.
      await gate.opened(() => serverOf(place));
      startedAt = clock.now();
      item = await this.#within(limit, 'get', executor.execute(new PlainGet('get', place.wireKey, place.key)));
    } catch (error) {
      reader.onPeeked(place, { error });
      return undefined;
    }
    reader.onPeeked(place);
    if (item === undefined || (item.bytes.length === 0 && item.flags === 0)) return undefined;
    return this.#within(leftOf(limit, clock.now() - startedAt), 'get', this.#valueOf(item, place)).catch(() => undefined);
  }

  /** The result of `work`; rejects when that takes longer than `limit`, in milliseconds, 0 for none. */
  #within<R>(limit: number, command: string, work: Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      const answered = this.#context.limits.limitAnswer(limit, command, reject);
      work.finally(answered).then(resolve, (error: unknown) => {
        reject(error instanceof Error ? error : new MemcacheError('the server cannot be asked', { cause: error }));
      });
    });
  }

  /** The value of an entry; undefined if there is none, or not any more. */
  async #valueOf(item: PlainItem, place: Place): Promise<unknown> {
    const { gate, entryReader, chunks, versions } = this.#context;
    const reply = new Reply();
    reply.flags = item.flags;
    const kind = entryReader.read(reply, place.key, allOf(item.bytes, true), item.flags, 1);
    if (kind === 'l' || kind === 'n') return undefined;
    if (reply.tags !== '') {
      await gate.known();
      if (gate.abilities?.leases !== true) takeTimes(reply);
    }
    if (reply.inPieces) await chunks.fill(reply, place, 1);
    if (reply.tags !== '' && !(await versions.check(reply.tags))) return undefined;
    return reply.value;
  }

  /** With a namespace, whose version is a part of the key. */
  async #getVersioned(lookup: Lookup): Promise<unknown> {
    const { keys, places } = this.#context;
    const { place, settings, signal } = lookup;
    const { rules, limit } = await untilAborted(places.rulesToRead(settings), signal);
    return this.#get({ ...lookup, place: keys.within(place, rules), limit });
  }

  /** Out of the near cache, or as the server answers. */
  #get(lookup: Lookup): Promise<unknown> {
    const { near, clock, reader } = this.#context;
    const { place, settings, signal } = lookup;
    if (signal?.aborted === true) return this.#ask(lookup);
    if (place.unknown === true) {
      return this.#ask(lookup, (caller) => {
        reader.unplaced(place, caller);
      });
    }
    if (near?.validates === true) return this.#getValidated(near, lookup);
    const known = near?.get(place, settings, clock.now());
    return known === undefined ? this.#ask(lookup) : this.#nearHit(lookup, known.value);
  }

  /** Serves the value of the near cache only if the server confirms that it is still the same. */
  async #getValidated(near: NearCache, lookup: Lookup): Promise<unknown> {
    const { gate, clock, reader } = this.#context;
    const { place, settings, signal, limit } = lookup;
    const known = near.validated(place, settings);
    if (known === undefined || gate.abilities?.leases !== true || !reader.mayAsk(place)) return this.#ask(lookup);
    const startedAt = clock.now();
    let identity: Identity | undefined;
    try {
      identity = await this.#identityOf(place, limit, signal);
    } catch (error) {
      // It has had its time: it is not asked once more.
      return this.#ask(lookup, (caller) => {
        reader.unanswered(place, caller, error);
      });
    }
    const same = identity !== undefined && !identity.outdated && identity.cas === known.cas ? known.open() : undefined;
    if (same !== undefined) return this.#nearHit(lookup, same.value);
    return this.#ask({ ...lookup, limit: leftOf(limit, clock.now() - startedAt) });
  }

  #nearHit({ place, onDecided }: Lookup, value: unknown): Promise<unknown> {
    this.#context.events.emit('l1-hit', place.key);
    onDecided?.();
    return Promise.resolve(value);
  }

  /**
   * The caller waits for the server's answer.
   *
   * @param begin what is done in place of a question; without it, as in most calls, no closure is needed
   */
  #ask({ place, load, settings, signal, limit, onDecided }: Lookup, begin?: (caller: Caller) => void): Promise<unknown> {
    if (signal?.aborted === true) {
      onDecided?.();
      return rejected(signal.reason);
    }
    this.#context.broadcast?.open();
    // The promise's closure keeps nothing else: there is one of these for each call.
    let resolve: (value: unknown) => void = ignore;
    const promise = new Promise((settle) => {
      resolve = settle;
    });
    const caller = new Caller(load, settings, resolve);
    caller.onDecided = onDecided;
    if (signal !== undefined) this.#follow(caller, place, signal);
    if (begin === undefined) this.#context.reader.read(place, caller, limit);
    else begin(caller);
    return promise;
  }

  #follow(caller: Caller, place: Place, signal: AbortSignal): void {
    caller.follow(signal, () => {
      this.#context.loads.onGone(place.wireKey);
    });
  }

  /** What the server has now. Rejects when it does not say so in time, and when the caller has gone. */
  #identityOf(place: Place, limit: number, signal: AbortSignal | undefined): Promise<Identity | undefined> {
    const { executor, gate } = this.#context;
    const identified = executor.execute(new IdentityGet(place.wireKey, place.key)).then(async (identity) => {
      // The token came unasked: it is for the next reader, also when this one has not waited for it.
      if (identity?.won === true) await gate.leases?.takeOver(place, identity.cas).catch(() => false);
      return identity;
    });
    return untilAborted(this.#within(limit, 'mg', identified), signal);
  }
}

function ignore(): void {
  // Nothing is to be done.
}
