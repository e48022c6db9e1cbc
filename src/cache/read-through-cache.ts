import { onAbort, rejected } from '../client/abort';
import { Client } from '../client/client';
import { DeleteCommand, TouchCommand } from '../client/commands/item';
import type { Keys } from '../client/cache-api';
import type { CallOptions, Executor } from '../client/executor';
import { hasMethods } from '../options/rule';
import { nextClientId } from '../client/observe';
import { FallbackClient } from '../client/policies/fallback-client';
import { otherCopy } from '../client/policies/other-copy';
import { MemcacheError, MemcacheIllegalInputError, MemcacheUnknownCommandError } from '../errors';
import { isBytes } from '../protocol/bytes';
import { encodePrefix, keyList, type Key } from '../protocol/key';
import { systemClock, type Clock } from '../runtime/clock';
import { systemRandom } from '../runtime/random';
import type { CacheValue } from '../serde/typed-serde';
import { TypedSerde } from '../serde/typed-serde';
import type { Serde } from '../serde/serde';
import { cacheSettings, callSettings, expireOf, tagList, type CacheOptions, type CacheSettings, type EntryOptions, type EntrySettings } from './cache-options';
import { Caller, type Load } from './engine/caller';
import { Durations } from './engine/durations';
import { Loads } from './engine/loads';
import { Pending } from './engine/pending';
import { Reader } from './engine/reader';
import { Slots } from './engine/slots';
import { Storing } from './engine/storing';
import { leftOf, TimeLimits } from './engine/time-limits';
import { Events } from './events';
import { limitAnswer } from './exchange/answer-time';
import { Chunks, type Chunked } from './exchange/chunks';
import { ClassicLeases, takeTimes } from './exchange/classic-leases';
import { Gate } from './exchange/gate';
import { IdentityGet, type Identity } from './exchange/identity-get';
import type { Leases, Place } from './exchange/leases';
import { MetaLeases } from './exchange/meta-leases';
import { PlainGet } from './exchange/plain-get';
import { rejecting } from './exchange/rejecting';
import { Reply } from './exchange/reply';
import { CasNumbers } from './exchange/tokens';
import { allOf, EntryReader } from './format/entry-reader';
import { EntryWriter } from './format/entry-writer';
import { Circuits } from './health/circuit';
import { Recovery } from './health/recovery';
import { Broadcast } from './near/broadcast';
import { NearCache } from './near/near-cache';
import { Batch } from './batch';
import { KeySpace, NAMESPACE_COUNTER, type VersionRules } from './key-space';
import { RequestScope } from './request-scope';
import { ServerCounters } from './tags/counters';
import { Versions, type CounterHealth } from './tags/versions';
import type { CacheStats, Loader, ManyLoader, Stored } from './types';

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

/**
 * A cache that loads the values it does not have: one load per key for all processes together, and no outdated value stays for
 * good.
 *
 * ```ts
 * const cache = new ReadThroughCache(new Client('localhost:11211'), { expire: 60, stale: 30 });
 * const user = await cache.get('user:1', () => db.user(1));
 * await cache.delete('user:1'); // after a write to the database
 * ```
 *
 * Failures of the cache never reject a read: the loader then runs, and nothing is stored. Errors of loaders reach all callers
 * as they are. Closing the cache does not close the client.
 *
 * @typeParam Out - what reading returns; inferred from the client
 * @typeParam In - what storing accepts; inferred from the client
 */
export class ReadThroughCache<Out = CacheValue, In = Out> {
  readonly #executor: Executor;
  readonly #settings: CacheSettings;
  readonly #keys: KeySpace;
  readonly #clock: Clock;
  readonly #gate: Gate;
  readonly #events: Events;
  readonly #loads: Loads;
  readonly #slots: Slots;
  readonly #reader: Reader;
  readonly #storing: Storing;
  readonly #versions: Versions;
  readonly #pending = new Pending();
  readonly #limits: TimeLimits;
  readonly #entryReader: EntryReader;
  readonly #near: NearCache | undefined;
  readonly #broadcast: Broadcast | undefined;
  readonly #recovery: Recovery;
  readonly #writer: EntryWriter;
  readonly #durations: Durations;
  readonly #chunks: Chunks;
  /** The last write under way of each key. */
  readonly #writes = new Map<string, Promise<void>>();
  #epoch = 0;

  /**
   * @param client any client; the cache does not close it
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(client: Client<Out, In>, options: CacheOptions<Out & In> = {}) {
    if (!(client instanceof Client)) throw new MemcacheIllegalInputError(`client must be a client, for example new Client()${otherCopy(client)}`);
    const settings = cacheSettings(options);
    const clientOptions = client.options;
    const clock = options.clock ?? clientOptions.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    const serde: Serde<unknown, unknown> = clientOptions.serde ?? new TypedSerde();
    const executor = rejecting(client.executor);
    const allowUnicode = clientOptions.allowUnicodeKeys ?? false;
    const rules = { prefix: encodePrefix(clientOptions.keyPrefix ?? '', allowUnicode), allowUnicode };
    const keys = (this.#keys = new KeySpace(rules, settings.namespace));
    this.#executor = executor;
    this.#settings = settings;
    this.#clock = clock;
    const origin = { clientId: clientIdOf(client), name: settings.name };
    const events = (this.#events = new Events(settings.observe, origin, settings.keyShown ?? clientOptions.diagnostics?.key));
    const entryReader = (this.#entryReader = new EntryReader(serde));
    const writer = (this.#writer = new EntryWriter(serde, clientOptions.maxValueSize ?? 1024 * 1024));
    const gate = (this.#gate = new Gate(executor, clock, ({ leases, ownCas }) => {
      const numbers = new CasNumbers(random);
      if (!leases) return new ClassicLeases(executor, entryReader, clock, numbers);
      return new MetaLeases(executor, entryReader, clock, ownCas ? numbers : undefined, client instanceof FallbackClient);
    }));
    const leases = (): Leases | undefined => gate.leases;
    const { cacheTimeout } = settings.entry;
    const counters = new ServerCounters(executor, gate, random, keys, cacheTimeout);
    const circuits = new Circuits(clock, settings.circuit.failures, settings.circuit.pause);
    const serverOf = serverOfKeys(client);
    const limits = (this.#limits = new TimeLimits(clock));
    const health: CounterHealth = {
      admit: (name) => {
        const place = keys.counter(name);
        // The counter may have another server by the time that the question has ended.
        const server = serverOf(place);
        if (!circuits.quiet && !circuits.admits(server)) return undefined;
        return {
          ok: () => {
            if (!circuits.quiet) circuits.ok(server);
          },
          failed: () => {
            if (circuits.failed(server)) events.emit('circuit-open', place.key);
          },
        };
      },
    };
    const versions = (this.#versions = new Versions({ counters, health, clock, limits, limit: cacheTimeout, maxAge: settings.tagMaxAge }));
    const epoch = (): number => this.#epoch;
    const durations = (this.#durations = new Durations(random));
    const near = (this.#near = settings.l1 === undefined ? undefined : new NearCache({ settings: settings.l1, clock, random, reader: entryReader, versions, durations, epoch }));
    this.#broadcast = settings.l1?.broadcast !== true ? undefined : new Broadcast((wireKey) => {
      this.#epoch++;
      near?.forget(wireKey);
    });
    this.#broadcast?.open();
    const chunks = (this.#chunks = new Chunks(executor, entryReader, clock, random, clientOptions.maxValueSize ?? 1024 * 1024, settings.maxChunked));
    const slots = (this.#slots = new Slots(settings.maxLoads, settings.maxQueuedLoads));
    const storing = (this.#storing = new Storing({ leases, writer, events, durations, versions, random, near, epoch, chunks }));
    const pending = this.#pending;
    const loads = (this.#loads = new Loads({
      settings,
      clock,
      events,
      slots,
      pending,
      storing,
      origin,
      onFailed: (flight, error) => {
        this.#reader.onFailed(flight, error);
      },
    }));
    this.#reader = new Reader({
      settings,
      clock,
      random,
      events,
      gate,
      circuits,
      loads,
      slots,
      durations,
      storing,
      versions,
      limits,
      pending,
      chunks,
      near,
      serverOf,
      epoch,
    });
    this.#recovery = new Recovery({
      clock,
      random,
      limit: settings.recovery,
      remove: async (entry) => {
        const place = await this.#placeToWrite(entry);
        await executor.execute(new DeleteCommand(place.wireKey, place.key, false));
        this.#wrote(place);
      },
      onRecovered: ({ key }) => {
        events.emit('recovered', key);
      },
      onOverflow: (place) => {
        events.emit('recovery-overflow', place.key);
      },
    });
  }

  /** The option `name`, by which messages and metrics tell caches apart. */
  get name(): string {
    return this.#settings.name;
  }

  /**
   * The value of `key`: the cached one, or what `load` returns, which is then stored. Only one process loads a key at a time;
   * the others wait for it, or get the old value where the options allow that.
   *
   * Rejects with what the loader throws, with `CacheLoadTimeoutError`, `MemcacheOverloadedError`, the reason of `signal`,
   * or `MemcacheIllegalInputError`; never with a failure of the cache.
   */
  get<T extends (Out & In) | undefined, Old extends (Out & In) | undefined = T>(key: Key, load: Loader<T, Old>, options?: EntryOptions<Stored<T>>): Promise<T>;
  get<T extends Out & In>(key: Key, load: Loader<T | undefined, T>, options?: EntryOptions<Stored<T>>): Promise<T | undefined>;
  get(key: Key, load: Load, options?: EntryOptions<never>): Promise<unknown> {
    let lookup: Lookup;
    try {
      if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the value');
      const settings = callSettings(options, this.#settings.entry);
      lookup = { place: this.#keys.entry(key), load, settings, signal: options?.signal, limit: settings.cacheTimeout };
    } catch (error) {
      return rejected(error);
    }
    return this.#keys.isVersioned ? this.#getVersioned(lookup) : this.#get(lookup);
  }

  /**
   * The values of all `keys`, by the caller's own keys and in their order; `undefined` for keys that the loader does not
   * return. The keys that this process is to load go to one call of `load`. An Error for one key rejects the call, after the
   * others were stored.
   */
  getMany<K extends Key, T extends (Out & In) | undefined>(keys: Keys<K>, load: ManyLoader<K, T>, options?: EntryOptions<Stored<T>>): Promise<Map<K, T>>;
  async getMany(keys: Iterable<Key>, load: ManyLoader<Key, unknown>, options?: EntryOptions<never>): Promise<Map<Key, unknown>> {
    const list = keyList(keys);
    const each = await this.#readEach(list, load, options);
    const settled = await Promise.allSettled(each);
    const result = new Map<Key, unknown>();
    for (const [i, outcome] of settled.entries()) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const key = list[i];
      if (key !== undefined) result.set(key, outcome.value);
    }
    return result;
  }

  /** Reads all keys at once; the result of each key is a promise of its own. */
  async #readEach<K extends Key>(list: readonly K[], load: ManyLoader<K, unknown>, options?: EntryOptions<never>): Promise<Promise<unknown>[]> {
    if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the values');
    const settings = callSettings(options, this.#settings.entry);
    const targets = list.map((key) => ({ key, target: this.#keys.entry(key) }));
    const { signal } = options ?? {};
    const { rules, limit } = this.#keys.isVersioned ? await untilAborted(this.#rulesWithin(settings), signal) : { limit: settings.cacheTimeout };
    const wanted = new Map<string, { readonly place: Place; readonly key: K }>();
    const wireKeys = targets.map(({ key, target }) => {
      const place = this.#keys.within(target, rules);
      if (!wanted.has(place.wireKey)) wanted.set(place.wireKey, { place, key });
      return place.wireKey;
    });
    if (wanted.size === 0) return [];
    const batch = new Batch(load, this.#slots, wanted.size, (key) => {
      this.#events.emit('overloaded', key);
    });
    const values = new Map<string, Promise<unknown>>();
    for (const [wireKey, { place, key }] of wanted) {
      values.set(wireKey, this.#get({ place, load: batch.loaderOf(key), settings, signal, limit, onDecided: batch.decided }));
    }
    // Whoever looks at one of them later must not be too late.
    for (const value of values.values()) value.catch(() => undefined);
    return wireKeys.map((wireKey) => values.get(wireKey) ?? Promise.resolve(undefined));
  }

  /**
   * A cached version of `load`: a function with the same arguments, whose results are cached under the key that `options.key`
   * makes from them.
   */
  wrap<A extends unknown[], T extends (Out & In) | undefined>(
    load: (...args: A) => Promise<T> | T,
    options: { key: (...args: A) => Key } & EntryOptions<Stored<T>>,
  ): (...args: A) => Promise<T> {
    if (typeof load !== 'function') throw new MemcacheIllegalInputError('load must be a function that returns the value');
    if (!hasMethods(options, 'key')) throw new MemcacheIllegalInputError('key must be a function that makes a key of the arguments');
    const { key, ...entry } = options;
    callSettings(entry, this.#settings.entry);
    return (...args) => {
      let made: Key;
      try {
        made = key(...args);
      } catch (error) {
        return rejected(error);
      }
      return this.get<T>(made, () => load(...args), entry);
    };
  }

  /**
   * The cached value, outdated or not; `undefined` on a miss, and for a stored "no such value". It runs no loader, and leaves a
   * refresh to other readers.
   */
  peek<T extends Out = Out>(key: Key, options?: CallOptions): Promise<T | undefined>;
  peek(key: Key, options?: CallOptions): Promise<unknown> {
    return untilAborted(this.#peek(key, options), options?.signal);
  }

  async #peek(key: Key, options: CallOptions | undefined): Promise<unknown> {
    options?.signal?.throwIfAborted();
    const place = await this.#place(this.#keys.entry(key));
    if (place.unknown === true) return undefined;
    const item = await this.#executor.execute(new PlainGet('get', place.wireKey, place.key), options);
    if (item === undefined || (item.bytes.length === 0 && item.flags === 0)) return undefined;
    const reply = new Reply();
    reply.flags = item.flags;
    const kind = this.#entryReader.read(reply, place.key, allOf(item.bytes, true), item.flags, 1);
    if (kind === 'l' || kind === 'n') return undefined;
    if (reply.tags !== '') {
      await this.#leases();
      if (this.#gate.abilities?.leases !== true) takeTimes(reply);
    }
    if (reply.inPieces) await this.#chunks.fill(reply, place, 1);
    if (reply.tags !== '' && !(await this.#versions.check(reply.tags))) return undefined;
    return reply.value;
  }

  /** Stores a value, which wins over any load under way; resolves with whether it was stored. Rejects as the client's `set` does. */
  async set(key: Key, value: In, options?: EntryOptions<never>): Promise<boolean> {
    const { signal } = options ?? {};
    const call = signal === undefined ? undefined : { signal };
    const settings = callSettings(options, this.#settings.entry);
    if (value === undefined) throw new MemcacheIllegalInputError('value must not be undefined; use delete');
    const target = this.#keys.entry(key);
    // Serialized now: the caller may change the value before it is sent.
    const serialized = this.#writer.serialize(key, value);
    const fresh = expireOf(settings.expire, value, key);
    const names = typeof settings.tags === 'function' ? tagList(settings.tags(value)) : (settings.tags ?? []);
    signal?.throwIfAborted();
    const stored = this.#inOrder(target, async () => {
      signal?.throwIfAborted();
      if (fresh < 0) {
        await this.#delete(target, call);
        return false;
      }
      const place = await this.#placeToWrite(target);
      this.#wrote(place);
      const words = names.length === 0 ? '' : await this.#versions.snapshot(names);
      if (words === undefined) throw new MemcacheError('the versions of the tags cannot be had from the server', { command: 'set' });
      const life = this.#storing.jittered(fresh, settings.jitter);
      let block;
      let chunked: Chunked | undefined;
      try {
        if (!this.#chunks.on || this.#writer.fits(serialized, words)) block = this.#writer.block(serialized, words);
        else block = chunked = await this.#chunks.write(place, serialized, life === 0 ? 0 : life + settings.keep, words);
      } catch (error) {
        // The old entry is out of date.
        if (error instanceof MemcacheIllegalInputError) await this.#delete(target, call);
        throw error;
      }
      if (signal?.aborted === true) chunked?.remove();
      signal?.throwIfAborted();
      const entry = { ...block, fresh: life, keep: settings.keep, delta: this.#durations.of(place.wireKey) };
      const outcome = await this.#withLeases((leases) => {
        this.#wrote(place);
        return leases.store(place, entry, undefined, call);
      });
      this.#storing.lives(fresh, settings.keep);
      this.#recovery.forget(target.wireKey);
      this.#wrote(place);
      if (outcome !== 'stored') chunked?.remove();
      return outcome === 'stored';
    });
    return untilAborted(stored, signal);
  }

  /**
   * Deletes the entry for all processes, and resolves with whether it was there. A load under way does not store its outdated
   * value afterwards. Rejects as the client's `delete` does.
   */
  async delete(key: Key, options?: CallOptions): Promise<boolean> {
    return this.#removing(key, options?.signal, (target, call) => this.#delete(target, call));
  }

  /**
   * Marks the entry as outdated, and resolves with whether it was there: it is served for at most `stale` more seconds while
   * one reader refreshes it. Without `stale`, or on servers without meta commands, it is deleted. Rejects as the client's
   * `delete` does.
   */
  async invalidate(key: Key, options?: EntryOptions<never>): Promise<boolean> {
    const settings = callSettings(options, this.#settings.entry);
    return this.#removing(key, options?.signal, (target, call) => (settings.stale === 0 ? this.#delete(target, call) : this.#invalidate(target, settings, call)));
  }

  /** A deletion in its turn, which ends when its signal fires. */
  async #removing(key: Key, signal: AbortSignal | undefined, remove: (target: Place, call: CallOptions | undefined) => Promise<boolean>): Promise<boolean> {
    signal?.throwIfAborted();
    const target = this.#keys.entry(key);
    const removed = this.#inOrder(target, async () => {
      signal?.throwIfAborted();
      return remove(target, signal === undefined ? undefined : { signal });
    });
    return untilAborted(removed, signal);
  }

  #invalidate(target: Place, settings: EntrySettings, call: CallOptions | undefined): Promise<boolean> {
    return this.#remove(target, settings, (place) =>
      this.#withLeases((leases) => {
        this.#wrote(place);
        return leases.invalidate(place, settings.keep, call);
      }),
    );
  }

  /**
   * Runs `write`, which changes the data behind the entries of `keys`, and then deletes these entries. Beforehand they are set
   * to expire within 5 seconds, so that a crash in between leaves nothing outdated for longer, except what was loaded again before
   * `write` was done. Rejects with what `write` throws, or with the error of a failed deletion.
   */
  async change<R>(keys: Key | (Keys<Key> & { readonly length?: never }) | readonly Key[], write: () => Promise<R> | R): Promise<R> {
    if (typeof write !== 'function') throw new MemcacheIllegalInputError('write must be a function');
    const list = isOneKey(keys) ? [keys] : keyList(keys);
    const targets = list.map((key) => this.#keys.entry(key));
    if (this.#keys.isVersioned) for (const target of targets) this.#keys.check(target);
    await Promise.allSettled(
      targets.map(async (target) => {
        const place = await this.#placeToWrite(target);
        this.#wrote(place);
        return this.#executor.execute(new TouchCommand(place.wireKey, place.key, CHANGE_LIMIT, false));
      }),
    );
    const result = await write();
    const deleted = await Promise.allSettled(targets.map((target) => this.#inOrder(target, () => this.#delete(target))));
    const failure = deleted.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
    return result;
  }

  /** Invalidates all entries with one of these tags: they become misses. Other processes see it within `tagMaxAge`. */
  async invalidateTags(tags: string | readonly string[]): Promise<void> {
    const names = tagList(typeof tags === 'string' ? [tags] : tags);
    this.#epoch++;
    this.#reader.forgetAll((flight) => flight.lead.settings.tags !== undefined);
    await Promise.all(names.map((name) => this.#versions.change(name)));
    this.#epoch++;
    this.#reader.forgetAll((flight) => flight.lead.settings.tags !== undefined);
  }

  /** Invalidates all entries of this cache: they become misses. Other processes see it within `tagMaxAge`. Needs the option `namespace`. */
  async invalidateNamespace(): Promise<void> {
    if (!this.#keys.isVersioned) throw new MemcacheIllegalInputError('invalidateNamespace needs the option namespace');
    this.#epoch++;
    this.#reader.forgetAll(() => true);
    await this.#versions.change(NAMESPACE_COUNTER);
    this.#epoch++;
    this.#reader.forgetAll(() => true);
  }

  /** The same reads for one request, each key at most once. The scope remembers values and rejections, and sees no invalidation. */
  scope(): RequestScope<Out, In> {
    return new RequestScope<Out, In>(this, (keys, load, options) => this.#readEach(keys, load, options));
  }

  /** How often each event has happened, and the gauges `loads`, `queued`, `flights`, `l1-entries`, `l1-bytes`. */
  stats(): CacheStats {
    return { ...this.#events.counts, loads: this.#slots.used, queued: this.#slots.queued, flights: this.#loads.flights, 'l1-entries': this.#near?.entries ?? 0, 'l1-bytes': this.#near?.bytes ?? 0 };
  }

  /**
   * Waits at most `closeTimeout` for background loads and stores, then aborts them. The client stays open, and the cache
   * may be used again.
   */
  async close(): Promise<void> {
    const { closeTimeout } = this.#settings;
    if (this.#pending.count > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimeout(() => {
          this.#loads.abortAll(new DOMException('the cache was closed', 'AbortError'));
          resolve();
        }, closeTimeout);
        void this.#pending.whenIdle().then(() => {
          timer.close();
          resolve();
        });
      });
    }
    this.#limits.close();
    this.#recovery.close();
    if (this.#broadcast === undefined) return;
    // From now on it does not hear what others write.
    this.#broadcast.close();
    this.#near?.clear();
  }

  /** As {@link close}: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ── how a call is carried ───────────────────────────────────────────────────────────────────────────────

  /** With a namespace, whose version is a part of the key. */
  async #getVersioned(lookup: Lookup): Promise<unknown> {
    const { place, settings, signal } = lookup;
    this.#keys.check(place);
    const { rules, limit } = await untilAborted(this.#rulesWithin(settings), signal);
    return this.#get({ ...lookup, place: this.#keys.within(place, rules), limit });
  }

  /** Out of the near cache, or as the server answers. */
  #get(lookup: Lookup): Promise<unknown> {
    const { place, settings, signal } = lookup;
    const near = this.#near;
    if (signal?.aborted === true) return this.#ask(lookup);
    if (place.unknown === true) {
      return this.#ask(lookup, (caller) => {
        this.#reader.unplaced(place, caller);
      });
    }
    if (near?.validates === true) return this.#getValidated(near, lookup);
    const known = near?.get(place, settings, this.#clock.now());
    return known === undefined ? this.#ask(lookup) : this.#nearHit(lookup, known.value);
  }

  /** Serves the value of the near cache only if the server confirms that it is still the same. */
  async #getValidated(near: NearCache, lookup: Lookup): Promise<unknown> {
    const { place, settings, signal, limit } = lookup;
    const known = near.validated(place, settings);
    if (known === undefined || this.#gate.abilities?.leases !== true || !this.#reader.mayAsk(place)) return this.#ask(lookup);
    const startedAt = this.#clock.now();
    let identity: Identity | undefined;
    try {
      identity = await this.#identityOf(place, limit, signal);
    } catch (error) {
      // It has had its time: it is not asked once more.
      return this.#ask(lookup, (caller) => {
        this.#reader.unanswered(place, caller, error);
      });
    }
    const same = identity !== undefined && !identity.outdated && identity.cas === known.cas ? known.open() : undefined;
    if (same !== undefined) return this.#nearHit(lookup, same.value);
    return this.#ask({ ...lookup, limit: leftOf(limit, this.#clock.now() - startedAt) });
  }

  #nearHit({ place, onDecided }: Lookup, value: unknown): Promise<unknown> {
    this.#events.emit('l1-hit', place.key);
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
    this.#broadcast?.open();
    // The promise's closure keeps nothing else: there is one of these for each call.
    let resolve: (value: unknown) => void = ignore;
    const promise = new Promise((settle) => {
      resolve = settle;
    });
    const caller = new Caller(load, settings, resolve);
    caller.onDecided = onDecided;
    if (signal !== undefined) this.#follow(caller, place, signal);
    if (begin === undefined) this.#reader.read(place, caller, limit);
    else begin(caller);
    return promise;
  }

  #follow(caller: Caller, place: Place, signal: AbortSignal): void {
    caller.follow(signal, () => {
      this.#loads.onGone(place.wireKey);
    });
  }

  /** What the server has now. Rejects when it does not say so in time, and when the caller has gone. */
  #identityOf(place: Place, limit: number, signal: AbortSignal | undefined): Promise<Identity | undefined> {
    const asked = new Promise<Identity | undefined>((resolve, reject) => {
      const timer = limitAnswer(this.#clock, limit, 'mg', reject);
      const identified = this.#executor.execute(new IdentityGet(place.wireKey, place.key)).then(async (identity) => {
        // The token came unasked: it is for the next reader, also when this one has not waited for it.
        if (identity?.won === true) await this.#gate.leases?.takeOver(place, identity.cas).catch(() => false);
        return identity;
      });
      identified.finally(() => timer?.close()).then(resolve, (error: unknown) => {
        reject(error instanceof Error ? error : new MemcacheError('the server cannot be asked', { cause: error }));
      });
    });
    return untilAborted(asked, signal);
  }

  /** The rules of the present namespace, and the milliseconds that they leave of `cacheTimeout`. */
  async #rulesWithin({ cacheTimeout }: EntrySettings): Promise<{ readonly rules: VersionRules; readonly limit: number }> {
    const startedAt = this.#clock.now();
    const rules = await this.#presentRules();
    return { rules, limit: leftOf(cacheTimeout, this.#clock.now() - startedAt) };
  }

  async #place(target: Place): Promise<Place> {
    return this.#keys.within(target, this.#keys.isVersioned ? await this.#presentRules() : undefined);
  }

  async #presentRules(): Promise<VersionRules> {
    return this.#keys.ofVersion(this.#versions.currentAhead(NAMESPACE_COUNTER) ?? (await this.#versions.ask(NAMESPACE_COUNTER))?.number);
  }

  /**
   * Where an entry is to be written. With a namespace the server is asked for its version each time: if another process has changed
   * it, others already read from there, and a write to the former place would leave them what is outdated.
   *
   * @param target the entry as it would be called without a namespace
   */
  async #placeToWrite(target: Place): Promise<Place> {
    if (!this.#keys.isVersioned) return target;
    this.#keys.check(target);
    return this.#keys.within(target, this.#keys.ofVersion(await this.#versions.present(NAMESPACE_COUNTER)));
  }

  /** Writes of this process to one key reach the server in the order in which they were called. */
  #inOrder<R>({ wireKey }: Place, write: () => Promise<R>): Promise<R> {
    const before = this.#writes.get(wireKey);
    const result = before === undefined ? write() : before.then(write);
    const done = result.then(
      () => undefined,
      () => undefined,
    );
    this.#writes.set(wireKey, done);
    void done.then(() => {
      if (this.#writes.get(wireKey) === done) this.#writes.delete(wireKey);
    });
    return result;
  }

  /** After a write of this process, its loads under way must not undo it. */
  #wrote(place: Place): void {
    this.#epoch++;
    this.#reader.forget(place.wireKey);
    this.#near?.forget(place.wireKey);
    this.#broadcast?.tell(place.wireKey);
  }

  /** A deletion failed: it is repeated as soon as the server is back. */
  #lost(target: Place, settings: EntrySettings, error: unknown): void {
    if (!(error instanceof MemcacheError) || error instanceof MemcacheIllegalInputError) return;
    const { expire, keep } = settings;
    // Single calls may have stored it for longer than the cache's own options say.
    const life = typeof expire === 'function' || expire === 0 ? Infinity : (Math.max(expire + keep, this.#storing.longest) + 2) * 1000;
    this.#recovery.add(target, life);
  }

  #delete(target: Place, call?: CallOptions): Promise<boolean> {
    return this.#remove(target, this.#settings.entry, async (place) => {
      const done = await this.#executor.execute(new DeleteCommand(place.wireKey, place.key, false), call);
      this.#recovery.forget(target.wireKey);
      return done;
    });
  }

  /** A removal that fails is made good later. */
  async #remove(target: Place, settings: EntrySettings, remove: (place: Place) => Promise<boolean>): Promise<boolean> {
    let place: Place | undefined;
    try {
      place = await this.#placeToWrite(target);
      this.#wrote(place);
      return await remove(place);
    } catch (error) {
      this.#lost(target, settings, error);
      throw error;
    } finally {
      if (place !== undefined) this.#wrote(place);
    }
  }

  /** Once more without meta commands where something between tells a version and refuses them: nothing was done then. */
  async #withLeases<R>(work: (leases: Leases) => Promise<R>): Promise<R> {
    try {
      return await work(await this.#leases());
    } catch (error) {
      if (!(error instanceof MemcacheUnknownCommandError)) throw error;
      this.#gate.suspect(error);
    }
    return work(await this.#leases());
  }

  /** Before the first write to a server it must be known what it can do. Rejects as the first command would. */
  async #leases(): Promise<Leases> {
    if (this.#gate.leases === undefined) await this.#gate.ready(0);
    const { leases } = this.#gate;
    if (leases === undefined) throw new MemcacheError('the versions of the servers are not known');
    return leases;
  }
}

/** The most seconds that entries live while `change` writes the data behind them. */
const CHANGE_LIMIT = 5;

function ignore(): void {
  // Replaced before it can be called.
}

/** Rejects with the signal's reason as soon as it fires. */
function untilAborted<R>(work: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return work;
  if (signal.aborted) {
    work.catch(() => undefined);
    return rejected(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const unfollow = onAbort(signal, () => {
      resolve(rejected(signal.reason));
    });
    work.finally(unfollow).then(resolve, reject);
  });
}

function isOneKey(keys: unknown): keys is Key {
  return typeof keys === 'string' || isBytes(keys);
}

/** The number by which messages name a client. */
function clientIdOf(client: object): number {
  return 'clientId' in client && typeof client.clientId === 'number' ? client.clientId : nextClientId();
}

/** Returns the name of the server that owns a key; '' for all keys where the client does not say. */
function serverOfKeys(client: object): (place: Place) => string {
  if (!('serverFor' in client) || typeof client.serverFor !== 'function') return () => '';
  const placing = client as { serverFor(key: Key): string | undefined };
  return ({ key }) => {
    try {
      return placing.serverFor(key) ?? '';
    } catch {
      // A hasher of the user's own: the command itself tells what is wrong with it.
      return '';
    }
  };
}
