import { MemcacheError, MemcacheIllegalInputError, MemcachePartialError, MemcacheUnknownCommandError } from '../errors';
import { checkOptionNames, settingsAmong } from '../options/option';
import { checkValue, isIterable, isObject, SWITCH, wholeNumber, type Rule } from '../options/rule';
import { isBytes } from '../protocol/bytes';
import { encodeExptime, type Expire } from '../protocol/exptime';
import { encodeBase64Key, encodeKey, encodePrefix, keyList, keyText, type Key, type KeyRules } from '../protocol/key';
import { encodeCas, encodeClientFlags, encodeCount } from '../protocol/numbers';
import { toBlock } from '../protocol/request';
import type { Clock } from '../runtime/clock';
import { serializeValue } from '../serde/read';
import type { Fixed, Serde } from '../serde/serde';
import { TypedSerde, type CacheValue } from '../serde/typed-serde';
import type { CacheApi, Entries, Keys, NoreplyOptions, StoreOptions, Widened } from './cache-api';
import { CALL_OPTIONS, META_OPTIONS } from './call-options';
import { Failures } from './certainty';
import { CLIENT_OPTIONS, VALUE_OPTIONS, type ClientOptions } from './client-options';
import { ClosingCommand, OkCommand, RawCommand, StatsCommand, VersionCommand } from './commands/admin';
import type { Command } from './command';
import { ArithmeticCommand, DeleteCommand, DeleteManyCommand, TouchCommand } from './commands/item';
import { MetaGetCommand } from './commands/meta-get';
import { MetaCommand, MetaRequest, NoopCommand, type MetaParts, type MetaResult } from './commands/meta';
import {
  metaArithmeticFlags,
  metaDeleteFlags,
  metaGetFlags,
  metaSetFlags,
  type MetaArithmeticOptions,
  type MetaDeleteOptions,
  type MetaGetOptions,
  type MetaSetOptions,
} from './commands/meta-options';
import {
  MetaCountCommand,
  metaDebugInfo,
  metaWriteResult,
  type MetaCount,
  type MetaItem,
  type MetaWriteResult,
} from './commands/meta-results';
import { forPairs, forValues, GatCommand, GetCommand, GetManyCommand, type Question, type ValueWithCas } from './commands/retrieval';
import { CasCommand, lastOfEach, SetManyCommand, StoreCommand, type Entry, type Item, type StorageVerb } from './commands/storage';
import { CallObserver } from './call-observer';
import { locate } from './call';
import { isAbortSignal, rejected } from './abort';
import { Connection } from './connection';
import type { CallOptions, Executor } from './executor';
import { failedKeys, type ClientMetrics, type ServerMetrics } from './meter';
import { nextClientId } from './observe';
import { overview } from './overview';
import { failFast } from './policies/fail-fast';
import { ProxyGate } from './policies/proxy-gate';
import type { ServerInput } from './server-address';

/**
 * A memcached client.
 *
 * **Connection.** It opens with the first call, and again after it was lost. Any number of calls may be under way, and those of
 * one tick are sent together. A call that gets no reply within `timeout` rejects and ends the connection, so that a late reply
 * cannot reach another call.
 *
 * **Keys and values.** Keys are checked before anything is sent. Values pass through the `serde`; the default returns what went in.
 *
 * **Errors.** Methods return promises and never throw; the constructor throws. Every error is a `MemcacheError` with a
 * stable `code` and a `certainty` that says whether the server may have executed the command.
 *
 * @typeParam Out - what reading returns; inferred from the serde
 * @typeParam In - what storing accepts; inferred from the serde
 */
export class Client<Out = CacheValue, In = Out> implements CacheApi<Out, In> {
  /** The options of this class, by name; subclasses with more options override it. */
  protected static readonly optionNames: object = CLIENT_OPTIONS;

  /** Carries the commands of this client; a policy goes in front of it: `new Client(policy(client.executor), client.options)`. */
  readonly executor: Executor;
  /** Its options for keys, values and errors, as they were when it was made: for another client over the same or another executor. */
  readonly options: ClientOptions<Out, In>;
  /** All of them as they were given, to be shown. */
  readonly #options: ClientOptions<Out, In>;
  readonly #serde: Serde<Out, In>;
  readonly #values: Question<Out, undefined>;
  readonly #pairs: Question<[Out, string], [undefined, undefined]>;
  readonly #keyRules: KeyRules;
  readonly #clock: Clock;
  readonly #maxValueSize: number;
  readonly #defaultNoreply: boolean;
  readonly #onIgnored: ((error: MemcacheError) => unknown) | undefined;
  /** How many errors became misses, by server; undefined when none do. */
  readonly #ignored: Map<string, number> | undefined;
  readonly #observer: CallObserver;
  /** The number that its messages on `CHANNELS` carry; a client that wraps this one has the same number. */
  readonly clientId: number;

  /**
   * @param server - the server in any of the forms that the README lists, or an executor
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(server: ServerInput | Executor = '127.0.0.1:11211', options: ClientOptions<Out, In> = {}) {
    checkOptionNames(options, new.target.optionNames);
    const settings = settingsAmong(CLIENT_OPTIONS, options);
    const { proxy, keyPrefix, allowUnicodeKeys, clock, maxValueSize, defaultNoreply, ignoreErrors, diagnostics, callerStack } = settings;
    const executor = isExecutor(server)
      ? server
      : failFast(server, settings, (observer) => new Connection(server, settings, observer)).executor;
    this.executor = proxy ? new ProxyGate(executor) : executor;
    // Where none was given, `Out` and `In` are its types.
    this.#serde = options.serde ?? (new TypedSerde() as Serde<CacheValue> as Serde<Out, In>);
    this.#values = forValues(this.#serde);
    this.#pairs = forPairs(this.#serde);
    this.#keyRules = { prefix: encodePrefix(keyPrefix, allowUnicodeKeys), allowUnicode: allowUnicodeKeys };
    this.#clock = clock;
    this.#maxValueSize = maxValueSize;
    this.#defaultNoreply = defaultNoreply;
    this.#onIgnored = typeof ignoreErrors === 'function' ? ignoreErrors : undefined;
    this.#ignored = ignoreErrors === false ? undefined : new Map();
    this.clientId = this.executor.monitor?.clientId ?? nextClientId();
    this.#observer = new CallObserver(this.executor, this.clientId, diagnostics, callerStack);
    this.#options = options;
    this.options = settingsAmong(VALUE_OPTIONS, options) as ClientOptions<Out, In>;
  }

  // ── retrieval ───────────────────────────────────────────────────────────────────────────────────────────

  /** The value of `key`; `undefined` on a miss. */
  get<T extends Out = Out>(key: Key, options?: CallOptions): Promise<Fixed<T> | undefined>;
  get(key: Key, options?: CallOptions): Promise<Out | undefined> {
    // The hot path: no closure and no further promise.
    try {
      const command = new GetCommand(this.#values, encodeKey(key, this.#keyRules), key);
      checkOptions(options);
      const value = this.#execute(command, options);
      return this.#ignored === undefined ? value : this.#orMiss(value, undefined);
    } catch (error) {
      return this.#refused(error, 'get');
    }
  }

  /** The value of `key` and the token for a later `cas`; `[undefined, undefined]` on a miss. */
  gets<T extends Out = Out>(key: Key, options?: CallOptions): Promise<ValueWithCas<Fixed<T>>>;
  gets(key: Key, options?: CallOptions): Promise<ValueWithCas<Out>> {
    return this.#read('gets', () => new GetCommand(this.#pairs, this.#encodeKey(key), key), options, [undefined, undefined]);
  }

  /**
   * The value of `key`, and sets when it expires; `undefined` on a miss. Needs memcached 1.5.3.
   *
   * @param expire seconds from now, 0 for never, negative for at once, or a `Date`
   */
  gat<T extends Out = Out>(key: Key, expire: Expire, options?: CallOptions): Promise<Fixed<T> | undefined>;
  gat(key: Key, expire: Expire, options?: CallOptions): Promise<Out | undefined> {
    return this.#read(
      'gat',
      () => new GatCommand(this.#exptime(expire), this.#values, this.#encodeKey(key), key),
      options,
      undefined,
    );
  }

  /** Like {@link gat}, with the token for a later `cas`; `[undefined, undefined]` on a miss. */
  gats<T extends Out = Out>(key: Key, expire: Expire, options?: CallOptions): Promise<ValueWithCas<Fixed<T>>>;
  gats(key: Key, expire: Expire, options?: CallOptions): Promise<ValueWithCas<Out>> {
    return this.#read(
      'gats',
      () => new GatCommand(this.#exptime(expire), this.#pairs, this.#encodeKey(key), key),
      options,
      [undefined, undefined],
    );
  }

  /** The values of those `keys` that were found: a Map by the caller's own keys, in their order. `getMany<User>(keys)` names their type. */
  getMany<K extends Key, T extends Out = Out>(keys: Keys<K>, options?: CallOptions): Promise<Map<Widened<K>, Fixed<T>>>;
  getMany<T extends Out>(keys: Keys<string>, options?: CallOptions): Promise<Map<string, Fixed<T>>>;
  getMany(keys: Iterable<Key>, options?: CallOptions): Promise<Map<Key, Out>> {
    return this.#readMany(this.#values, keys, options);
  }

  /** Like {@link getMany}, each value with the token for a later `cas`. */
  getsMany<K extends Key, T extends Out = Out>(
    keys: Keys<K>,
    options?: CallOptions,
  ): Promise<Map<Widened<K>, [value: Fixed<T>, cas: string]>>;
  getsMany<T extends Out>(keys: Keys<string>, options?: CallOptions): Promise<Map<string, [value: Fixed<T>, cas: string]>>;
  getsMany(keys: Iterable<Key>, options?: CallOptions): Promise<Map<Key, [Out, string]>> {
    return this.#readMany(this.#pairs, keys, options);
  }

  // ── storage ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Stores `value` under `key`; `true` when stored.
   *
   * A value larger than `maxValueSize` is refused with `MemcacheIllegalInputError` and the key is deleted, since the
   * old value would be stale; the server does the same.
   */
  set(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    return this.#store('set', key, value, options);
  }

  /** Stores `value` if there is no such key; `false` when there is. */
  add(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    return this.#store('add', key, value, options);
  }

  /** Stores `value` if the key exists; `false` when it does not. */
  replace(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    return this.#store('replace', key, value, options);
  }

  /**
   * Adds the bytes that the serde makes of `value` after those stored; `false` when there is no such key. `expire` and flags stay as
   * they are. It is for strings and bytes; `JsonSerde` and `StructuredSerde` refuse it, `VersionedSerde` refuses `prepend`.
   */
  append(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    return this.#store('append', key, value, options);
  }

  /** Like {@link append}, before those stored. */
  prepend(key: Key, value: In, options?: StoreOptions): Promise<boolean> {
    return this.#store('prepend', key, value, options);
  }

  /**
   * Stores `value` if the item has not changed since `gets` returned `cas`: `true` stored, `false` changed since, `undefined`
   * no such key. It waits for the answer unless `noreply` is given here: `defaultNoreply` does not apply.
   */
  cas(key: Key, value: In, cas: string, options?: StoreOptions): Promise<boolean | undefined> {
    return this.#run('cas', () => {
      const wireKey = this.#encodeKey(key);
      const item = this.#item('cas', key, value, options);
      this.#checkSize(item.block.length);
      return new CasCommand(wireKey, key, item, encodeCas('cas', cas), this.#noreply(options, false));
    }, options);
  }

  /**
   * Stores all `entries` in one round trip, and resolves with the keys that were not stored. Among them are keys whose value is
   * larger than `maxValueSize`, which are deleted, and keys whose server, in a cluster, could not be reached. Of a key that is given
   * twice the last value counts. Nothing is sent when one of the entries is not legal.
   *
   * It rejects when a server failed and may have stored what it was sent; with several servers, or values that are too large,
   * that is a `MemcachePartialError`, whose `partial` holds the keys that were certainly not stored.
   */
  setMany(entries: Iterable<readonly [key: Key, value: In]>, options?: StoreOptions): Promise<Key[]>;
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- the union alone takes `rows.map((row) => [row.id, row])` for an array of arrays
  setMany(entries: Entries<In>, options?: StoreOptions): Promise<Key[]>;
  setMany(entries: Entries<In>, options?: StoreOptions): Promise<Key[]> {
    return this.#attempt('set', () => {
      checkOptions(options);
      const items: Entry[] = [];
      let someTooLarge = false;
      const exptime = encodeExptime(options?.expire, this.#clock);
      const given = this.#flagsOf(options);
      for (const [key, value] of pairs(entries)) {
        const wireKey = this.#encodeKey(key);
        const { data, flags } = serializeValue(this.#serde, value, keyText(key), 'set');
        const block = toBlock(data);
        if (block.length > this.#maxValueSize) someTooLarge = true;
        items.push({ wireKey, key, block, flags: given ?? flags, exptime });
      }
      const noreply = this.#noreply(options);
      // What is stored and what is deleted may take different connections.
      if (someTooLarge) return this.#setSome(lastOfEach(items), noreply, options);
      return items.length === 0 ? Promise.resolve([]) : this.#execute(new SetManyCommand(items, noreply), options);
    });
  }

  // ── items ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Deletes `key`; resolves with whether it was there. */
  delete(key: Key, options?: NoreplyOptions): Promise<boolean> {
    return this.#run('delete', () => new DeleteCommand(this.#encodeKey(key), key, this.#noreply(options)), options);
  }

  /** Deletes all `keys` in one round trip; resolves with how many were there (with `noreply`: how many were given). */
  deleteMany(keys: Keys<Key>, options?: NoreplyOptions): Promise<number> {
    return this.#attempt('delete', () => {
      checkOptions(options);
      const all = keyList(keys);
      const command = new DeleteManyCommand(all.map((key) => this.#encodeKey(key)), all, this.#noreply(options));
      return all.length === 0 ? Promise.resolve(0) : this.#execute(command, options);
    });
  }

  /**
   * Sets when `key` expires; resolves with whether it was there.
   *
   * @param expire seconds from now, 0 for never, negative for at once, or a `Date`
   */
  touch(key: Key, expire: Expire, options?: NoreplyOptions): Promise<boolean> {
    return this.#run(
      'touch',
      () => new TouchCommand(this.#encodeKey(key), key, this.#exptime(expire), this.#noreply(options)),
      options,
    );
  }

  /**
   * Adds `delta` (default 1) to the decimal number stored under `key`; resolves with the new count in the type of `delta`,
   * `undefined` on a miss.
   *
   * Counts are unsigned 64-bit numbers and wrap around. A count that a `number` cannot hold exactly rejects with
   * `MemcacheInexactNumberError`, whose `exact` has it. It waits for the answer unless `noreply` is given here.
   */
  incr(key: Key, delta?: number, options?: NoreplyOptions): Promise<number | undefined>;
  incr(key: Key, delta: bigint, options?: NoreplyOptions): Promise<bigint | undefined>;
  incr(key: Key, delta: number | bigint = 1, options?: NoreplyOptions): Promise<number | bigint | undefined> {
    return this.#count('incr', key, delta, options);
  }

  /** Like {@link incr}, but subtracts; stops at 0. */
  decr(key: Key, delta?: number, options?: NoreplyOptions): Promise<number | undefined>;
  decr(key: Key, delta: bigint, options?: NoreplyOptions): Promise<bigint | undefined>;
  decr(key: Key, delta: number | bigint = 1, options?: NoreplyOptions): Promise<number | bigint | undefined> {
    return this.#count('decr', key, delta, options);
  }

  // ── servers ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The version of each server: a Map by server name. */
  version(options?: CallOptions): Promise<Map<string, string>> {
    return this.#read('version', () => new VersionCommand(), options, new Map<string, string>());
  }

  /**
   * The statistics of each server: a Map by server name, of names and values as the server writes them. The last argument may
   * be options.
   */
  stats(...args: string[] | [...string[], CallOptions]): Promise<Map<string, Map<string, string>>> {
    const options = typeof args.at(-1) === 'object' ? (args.pop() as CallOptions) : undefined;
    return this.#read(
      'stats',
      () => new StatsCommand(args.map(checkWord)),
      options,
      new Map<string, Map<string, string>>(),
    );
  }

  /** Makes all items of all servers expire in `delay` seconds. */
  flushAll(delay = 0, options?: NoreplyOptions): Promise<void> {
    return this.#run('flush_all', () => {
      const exptime = this.#exptime(checked('delay', delay, NOT_NEGATIVE));
      return new OkCommand('flush_all', exptime === 0 ? undefined : exptime, this.#noreply(options));
    }, options);
  }

  /** Sets the memory limit of each server, in megabytes. */
  cacheMemlimit(megabytes: number, options?: CallOptions): Promise<void> {
    return this.#run('cache_memlimit', () => new OkCommand('cache_memlimit', checked('megabytes', megabytes, POSITIVE)), options);
  }

  /** Sets how much each server logs. */
  verbosity(level: number, options?: CallOptions): Promise<void> {
    return this.#run('verbosity', () => new OkCommand('verbosity', checked('level', level, NOT_NEGATIVE)), options);
  }

  /** Stops each server; they must have been started with `-A`. */
  shutdown(options?: CallOptions & { graceful?: boolean | undefined }): Promise<void> {
    return this.#run('shutdown', () => {
      return new ClosingCommand('shutdown', `shutdown${checked('graceful', options?.graceful ?? false, SWITCH) ? ' graceful' : ''}`);
    }, options);
  }

  /** Sends `quit` to each server, and closes. The client may be used again. */
  async quit(options?: CallOptions): Promise<void> {
    try {
      await this.#run('quit', () => new ClosingCommand('quit'), options);
    } finally {
      await this.close();
    }
  }

  // ── meta commands ───────────────────────────────────────────────────────────────────────────────────────

  /** Reads an item and what is known about it; `undefined` on a miss. (`mg`) */
  metaGet<T extends Out = Out>(key: Key, options?: MetaGetOptions & CallOptions): Promise<MetaItem<Fixed<T>> | undefined>;
  metaGet(key: Key, options: MetaGetOptions & CallOptions = {}): Promise<MetaItem<Out> | undefined> {
    return this.#read('mg', () => {
      const flags = metaGetFlags(options, this.#clock);
      return new MetaGetCommand(flags, this.#metaKey({ code: 'mg', key, flags }), key, this.#serde);
    }, options, undefined, META_OPTIONS);
  }

  /** Stores a value. (`ms`) */
  metaSet(key: Key, value: In, options: MetaSetOptions & CallOptions = {}): Promise<MetaWriteResult> {
    return this.#run('ms', () => {
      const { data, flags } = serializeValue(this.#serde, value, keyText(key), 'ms', options.mode);
      return this.#metaRequest({ code: 'ms', key, flags: metaSetFlags(options, flags, this.#clock), value: data });
    }, options, META_OPTIONS).then(metaWriteResult);
  }

  /** Deletes an item, or with `invalidate` marks it as stale. (`md`) */
  metaDelete(key: Key, options: MetaDeleteOptions & CallOptions = {}): Promise<MetaWriteResult> {
    return this.#run('md', () => this.#metaRequest({ code: 'md', key, flags: metaDeleteFlags(options, this.#clock) }), options, META_OPTIONS).then(metaWriteResult);
  }

  /**
   * Counts up or down, and with `vivify` creates the counter on a miss; the count is in the type of `delta`, or a number, and
   * `undefined` on a miss. (`ma`)
   */
  metaArithmetic<N extends number | bigint = number>(key: Key, options?: MetaArithmeticOptions<N> & CallOptions): Promise<MetaCount<N>>;
  metaArithmetic(key: Key, options: MetaArithmeticOptions<number | bigint> & CallOptions = {}): Promise<MetaCount<number | bigint>> {
    return this.#run('ma', () => {
      const command: MetaParts = { code: 'ma', key, flags: metaArithmeticFlags(options, this.#clock) };
      return new MetaCountCommand(command, this.#metaKey(command), typeof options.delta === 'bigint' || typeof options.initial === 'bigint');
    }, options, META_OPTIONS);
  }

  /** Asks every server to answer, which shows that it is alive. (`mn`) */
  metaNoop(options?: CallOptions): Promise<void> {
    return this.#run('mn', () => new NoopCommand(), options);
  }

  /** What the server knows about an item, a Map by name; `undefined` on a miss. (`me`) */
  metaDebug(key: Key, options?: CallOptions): Promise<Map<string, string> | undefined> {
    return this.#run('me', () => this.#metaRequest({ code: 'me', key, flags: [] }), options).then(metaDebugInfo);
  }

  /**
   * Sends a hand-made meta command; `keyPrefix` is put in front of its key. When a quiet command gets no answer, the result has
   * the code that the silence stands for.
   */
  executeMeta(command: MetaCommand, options?: CallOptions): Promise<MetaResult> {
    return this.#run('meta', () => {
      if (!(command instanceof MetaCommand)) throw new MemcacheIllegalInputError('command must be a MetaCommand');
      return this.#metaRequest(command);
    }, options);
  }

  /**
   * Sends any one line, and resolves with the bytes that come back before `endToken`. Nothing else is sent on the connection
   * meanwhile; an error line rejects. Neither the prefix nor the key check applies.
   */
  raw(command: string, endToken: string | Uint8Array = '\r\n', options?: CallOptions): Promise<Buffer> {
    return this.#run('raw', () => {
      if (typeof command !== 'string' || !/^[\x20-\x7e]+$/.test(command)) {
        throw new MemcacheIllegalInputError('command must be one line of printable ASCII');
      }
      const until = typeof endToken === 'string' || isBytes(endToken) ? Buffer.from(endToken) : EMPTY;
      if (until.length === 0) throw new MemcacheIllegalInputError('endToken must be a string or bytes, and not empty');
      return new RawCommand(command, until);
    }, options);
  }

  // ── closing ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets calls under way finish, for at most `timeout`, then closes. Idempotent; the client may be used again. */
  close(): Promise<void> {
    return this.executor.close();
  }

  /** As {@link close}: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ── observation ─────────────────────────────────────────────────────────────────────────────────────────

  /**
   * What was counted since the client was made, by server: calls, outcomes, errors, connections, bytes and latency. It lists
   * every configured server before its first call, and continues after `close`. A snapshot, at once: no server is asked.
   */
  metrics(): ClientMetrics {
    const metrics = this.executor.monitor?.metrics() ?? new Map<string, ServerMetrics>();
    for (const [server, ignored] of this.#ignored ?? []) {
      const counted = metrics.get(server);
      if (counted !== undefined) metrics.set(server, { ...counted, ignored: counted.ignored + ignored });
    }
    return metrics;
  }

  /** For `util.inspect` and `console.log`: the servers, and the options that differ from the default, without secrets. */
  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const { optionNames } = this.constructor as typeof Client;
    return `${this.constructor.name} ${inspect(overview(this.metrics(), optionNames, this.#options), { ...options, depth: 3 })}`;
  }

  // ── how a call is carried ───────────────────────────────────────────────────────────────────────────────

  /** Where every call begins. What goes on below reads no object of the caller's, who may use it again at once. */
  #execute<R>(command: Command<R>, given: CallOptions | undefined): Promise<R> {
    const options = given?.signal && { signal: given.signal };
    return this.#observer.idle ? this.executor.execute(command, options) : this.#observer.execute(command, options);
  }

  /**
   * Turns a failed read into a miss. Illegal input and what `proxy` refuses are mistakes of the caller, and an abort was asked
   * for: these still reject.
   */
  async #orMiss<R>(result: Promise<R>, miss: R): Promise<R> {
    try {
      return await result;
    } catch (error) {
      const isRefusal = error instanceof MemcacheUnknownCommandError && error.certainty === 'notSent';
      if (!(error instanceof MemcacheError) || error instanceof MemcacheIllegalInputError || isRefusal) throw error;
      void this.#ignore(error);
      // Of a call to several servers, the results of those that answered are kept.
      return error instanceof MemcachePartialError ? (error.partial as R) : miss;
    }
  }

  async #ignore(error: MemcacheError): Promise<void> {
    const failures = error instanceof MemcachePartialError && error.server === undefined ? error.failures : [[error.server, error] as const];
    for (const [server, failure] of failures) {
      if (server !== undefined) this.#ignored?.set(server, (this.#ignored.get(server) ?? 0) + failedKeys(failure));
    }
    try {
      await this.#onIgnored?.(error);
    } catch {
      // The option is called ignoreErrors: its own errors are ignored too, and rejections.
    }
  }

  /** Rejects a call that was not made: its arguments are not legal, or code of the user's own threw, such as a hasher or an executor. */
  #refused(error: unknown, verb: string): Promise<never> {
    if (error instanceof MemcacheError) locate(error, this.executor.monitor?.server, verb);
    // An error of user code (a getter in the options, say) is passed on as it is.
    return rejected(error);
  }

  /** Calls `begin`, whose errors are refusals. */
  #attempt<R>(verb: string, begin: () => Promise<R>): Promise<R> {
    try {
      return begin();
    } catch (error) {
      return this.#refused(error, verb);
    }
  }

  #run<R>(verb: string, make: () => Command<R>, options: CallOptions | undefined, names: object = CALL_OPTIONS): Promise<R> {
    // As `#attempt` does; a second function for each call took 7 ns.
    try {
      checkOptions(options, names);
      return this.#execute(make(), options);
    } catch (error) {
      return this.#refused(error, verb);
    }
  }

  #read<R>(verb: string, make: () => Command<R>, options: CallOptions | undefined, miss: R, names?: object): Promise<R> {
    const result = this.#run(verb, make, options, names);
    return this.#ignored === undefined ? result : this.#orMiss(result, miss);
  }

  #readMany<R>(question: Question<R>, keys: Iterable<Key>, options: CallOptions | undefined): Promise<Map<Key, R>> {
    const { verb } = question;
    return this.#attempt(verb, () => {
      checkOptions(options);
      const all = keyList(keys);
      const wireKeys = all.map((key) => this.#encodeKey(key));
      const none = new Map<Key, R>();
      return all.length === 0 ? Promise.resolve(none) : this.#read(verb, () => new GetManyCommand(question, wireKeys, all), options, none);
    });
  }

  #store(verb: StorageVerb, key: Key, value: In, options: StoreOptions | undefined): Promise<boolean> {
    try {
      checkOptions(options);
      const wireKey = encodeKey(key, this.#keyRules);
      const item = this.#item(verb, key, value, options);
      const noreply = this.#noreply(options);
      if (item.block.length > this.#maxValueSize) return this.#refuseLarge(verb, wireKey, key, item, options);
      return this.#execute(new StoreCommand(verb, wireKey, key, item, noreply), options);
    } catch (error) {
      return this.#refused(error, verb);
    }
  }

  async #refuseLarge(verb: StorageVerb, wireKey: string, key: Key, item: Item, options?: CallOptions): Promise<never> {
    if (verb === 'set') await this.#deleteAll([wireKey], [key], options);
    return this.#refused(this.#tooLarge(item.block.length, verb === 'set' ? '; the key was deleted, since what it held is out of date' : ''), verb);
  }

  /**
   * Stores those of `entries` that may be stored, and deletes the others, since what their keys held would be out of date; resolves
   * with the keys that were not stored.
   */
  async #setSome(entries: readonly Entry[], noreply: boolean, options?: CallOptions): Promise<Key[]> {
    const items = entries.filter(({ block }) => block.length <= this.#maxValueSize);
    const tooLarge = entries.filter(({ block }) => block.length > this.#maxValueSize);
    const keysTooLarge = tooLarge.map(({ key }) => key);
    const command = new SetManyCommand(items, noreply);
    const storing = items.length === 0 ? [] : this.#execute(command, options);
    const deleting = tooLarge.length === 0 ? 0 : this.#deleteAll(tooLarge.map(({ wireKey }) => wireKey), keysTooLarge, options);
    const [stored, deleted] = await Promise.allSettled([storing, deleting]);
    const failures = new Failures();
    // What was not asked has not been answered either.
    if (items.length > 0) failures.addOutcome(stored);
    if (tooLarge.length > 0) failures.addOutcome(deleted);
    const notStored = [...notStoredOf(stored, command), ...keysTooLarge];
    if (failures.any) throw failures.toError('set', notStored);
    return notStored;
  }

  /** Rejects, and does not throw, what a user's own executor throws. */
  async #deleteAll(wireKeys: readonly string[], keys: readonly Key[], options: CallOptions | undefined): Promise<number> {
    return this.#execute(new DeleteManyCommand(wireKeys, keys, false), options);
  }

  #count(
    verb: 'incr' | 'decr',
    key: Key,
    delta: number | bigint,
    options: NoreplyOptions | undefined,
  ): Promise<number | bigint | undefined> {
    return this.#run(verb, () => {
      const wireKey = this.#encodeKey(key);
      const noreply = this.#noreply(options, false);
      encodeCount('delta', delta);
      return new ArithmeticCommand(verb, wireKey, key, delta, noreply);
    }, options);
  }

  #metaRequest(command: MetaParts): MetaRequest {
    const request = new MetaRequest(command, this.#metaKey(command));
    this.#checkSize(request.valueSize);
    return request;
  }

  // ── arguments ───────────────────────────────────────────────────────────────────────────────────────────

  #encodeKey(key: Key): string {
    return encodeKey(key, this.#keyRules);
  }

  #metaKey({ code, key, flags }: Pick<MetaParts, 'code' | 'key' | 'flags'>): string {
    if (code === 'mn') return '';
    return flags.some((flag) => flag.startsWith('b')) ? encodeBase64Key(key, this.#keyRules) : this.#encodeKey(key);
  }

  #exptime(expire: unknown): number {
    if (expire === undefined) throw new MemcacheIllegalInputError('expire must be given: seconds, or a Date');
    return encodeExptime(expire, this.#clock);
  }

  #noreply(options: NoreplyOptions | undefined, byDefault = this.#defaultNoreply): boolean {
    const noreply = options?.noreply;
    return noreply === undefined ? byDefault : checked('noreply', noreply, SWITCH);
  }

  #item(verb: string, key: Key, value: In, options: StoreOptions | undefined): Item {
    const exptime = encodeExptime(options?.expire, this.#clock);
    const { data, flags } = serializeValue(this.#serde, value, keyText(key), verb);
    return { block: toBlock(data), flags: this.#flagsOf(options) ?? flags, exptime };
  }

  /** Those that were given, in place of the serde's. */
  #flagsOf(options: StoreOptions | undefined): number | undefined {
    return options?.flags === undefined ? undefined : encodeClientFlags(options.flags);
  }

  #checkSize(size: number): void {
    if (size > this.#maxValueSize) throw this.#tooLarge(size);
  }

  #tooLarge(size: number, consequence = ''): MemcacheIllegalInputError {
    return new MemcacheIllegalInputError(`value has ${size} bytes; maxValueSize is ${this.#maxValueSize}${consequence}`);
  }
}

const EMPTY = Buffer.alloc(0);

/** The keys of a `setMany` that were certainly not stored. */
function notStoredOf(outcome: PromiseSettledResult<Key[]>, command: SetManyCommand): Key[] {
  if (outcome.status === 'fulfilled') return outcome.value;
  const reason: unknown = outcome.reason;
  if (reason instanceof MemcachePartialError) return reason.partial as Key[];
  return reason instanceof MemcacheError && reason.certainty === 'notSent' ? (command.whenNotSent ?? []) : [];
}

function isExecutor(server: unknown): server is Executor {
  return isObject(server) && 'execute' in server;
}

function checkOptions(options: CallOptions | undefined, known: object = CALL_OPTIONS): void {
  if (options === undefined) return;
  checkOptionNames(options, known);
  if (options.signal !== undefined && !isAbortSignal(options.signal)) {
    throw new MemcacheIllegalInputError('signal must be an AbortSignal');
  }
}

function pairs<V>(entries: Entries<V>): (readonly [Key, V])[] {
  if (!isObject(entries)) throw new MemcacheIllegalInputError('entries must be a Map, an iterable of pairs, or an object');
  if (!isIterable(entries)) return Object.entries<V>(entries);
  const list = [...(entries as Iterable<readonly [Key, V]>)];
  if (list.some((pair: unknown) => !Array.isArray(pair) || pair.length !== 2)) {
    throw new MemcacheIllegalInputError('entries must be pairs [key, value]');
  }
  return list;
}

const NOT_NEGATIVE = wholeNumber(0, 2 ** 31 - 1);
const POSITIVE = wholeNumber(1, 2 ** 31 - 1);

/** An argument that must keep to its rule; undefined does not. */
function checked<T>(name: string, value: T, rule: Rule<T>): T {
  checkValue(name, rule, value);
  return value;
}

function checkWord(word: unknown): string {
  if (typeof word !== 'string' || !/^[\x21-\x7e]{1,250}$/.test(word)) {
    throw new MemcacheIllegalInputError('stats: an argument must be one word of printable ASCII');
  }
  return word;
}
