import {
  MemcacheClientError,
  MemcacheError,
  MemcacheIllegalInputError,
  MemcachePartialError,
  MemcacheSerdeError,
} from '../../errors';
import { encodeExptime } from '../../protocol/exptime';
import { systemClock, type Clock } from '../../runtime/clock';
import type { CacheValue } from '../../serde';
import { Client } from '../client';
import { CLIENT_OPTIONS } from '../client-options';
import { Failures, weakestFailure } from '../certainty';
import type { Command, Deleting, KeyOf, Reading } from '../command';
import { MetaCommand, MetaRequest } from '../commands/meta';
import type { ExecuteOptions, Executor, Monitor } from '../executor';
import { mergeMetrics, type ServerMetrics } from '../meter';
import { Deletions } from './deletions';
import { option, settingsOf, type OptionTable } from '../../options/option';
import { SWITCH } from '../../options/rule';
import { otherCopy } from './other-copy';

/** How a {@link FallbackClient} behaves. */
export interface FallbackOptions {
  /**
   * Whether a cache that fails counts as a miss, as long as another one answers.
   * @default true
   */
  ignoreFailures?: boolean | undefined;
  /**
   * Whether a hit in an older cache is copied into the first, with its remaining time to live, unless the first has the key by
   * then. The reader does not wait for it; `close` does. What `metaGet` finds is not copied. Needs meta commands (memcached 1.6).
   * A key that another process deletes at the same moment may still be copied.
   * @default false
   */
  copyHits?: boolean | undefined;
}

/** The options of {@link FallbackClient}. */
export const FALLBACK_OPTIONS = {
  ignoreFailures: option(SWITCH, true),
  copyHits: option(SWITCH, false),
} satisfies OptionTable<FallbackOptions>;

/**
 * A client over several caches, the one in use first and the oldest last, for the time of a migration. Reads fall through to
 * the next cache for what they miss. Writes go to the first. Deletes (`metaDelete` too) and `flushAll` go to all caches, and
 * wait for all of them; whether a key was there is what the first cache says.
 *
 * A `cas` after a `gets` that an older cache answered stores only if the first cache still has no such item: that is what its
 * token means.
 *
 * The options of the first client apply to keys and values.
 */
export class FallbackClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** Its own among them, so that `util.inspect` shows these too. */
  protected static override readonly optionNames: object = { ...CLIENT_OPTIONS, ...FALLBACK_OPTIONS };

  /** @throws MemcacheIllegalInputError when `clients` is not an array of at least one client */
  constructor(clients: readonly Client<Out, In>[], options: FallbackOptions = {}) {
    const list: unknown = clients;
    if (!Array.isArray(list) || !list.every((client) => client instanceof Client)) {
      throw new MemcacheIllegalInputError(`clients must be an array of clients${Array.isArray(list) ? list.map(otherCopy).join('') : ''}`);
    }
    const [first, ...older] = clients;
    if (first === undefined) throw new MemcacheIllegalInputError('clients must hold at least one client');
    super(new Fallback([first.executor, ...older.map((client) => client.executor)], options, first.options.clock), { ...first.options, ...options });
  }
}

/** A copy of an item into the first cache, while it is being made. */
interface Copy {
  /** Whether its key was deleted meanwhile. */
  cancelled: boolean;
  /** Whether it is being stored already, so that it can only be deleted again. */
  storing: boolean;
  readonly done: Promise<void>;
}

/** The policy behind {@link FallbackClient}, for executors. */
export class Fallback implements Executor {
  readonly #executors: readonly [Executor, ...Executor[]];
  readonly #ignoreFailures: boolean;
  readonly #clock: Clock;
  /** Copies under way, by key as it travels. */
  readonly #copies = new Map<string, Copy>();
  /** Kept only when hits are copied. */
  readonly #deletions: Deletions | undefined;

  constructor(executors: readonly [Executor, ...Executor[]], options: FallbackOptions = {}, clock: Clock = systemClock) {
    this.#executors = executors;
    const { ignoreFailures, copyHits } = settingsOf(FALLBACK_OPTIONS, options);
    this.#ignoreFailures = ignoreFailures;
    this.#deletions = copyHits ? new Deletions() : undefined;
    this.#clock = clock;
  }

  async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    const { reading, deleting } = command;
    if (reading !== undefined) return this.#read(command, reading, options);
    if (deleting !== undefined) return this.#delete(command, deleting, options);
    return this.#executors[0].execute(command.ifAbsent ?? command, options);
  }

  async close(): Promise<void> {
    // From now on, hits of calls under way are not copied.
    this.#deletions?.begin(undefined);
    this.#deletions?.end(undefined);
    await Promise.all(Array.from(this.#copies.values(), ({ done }) => done));
    // One after the other, since what one cache misses is asked of the next.
    for (const executor of this.#executors) await executor.close();
  }

  get monitor(): Monitor | undefined {
    const { monitor } = this.#executors[0];
    if (monitor === undefined) return undefined;
    return {
      clientId: monitor.clientId,
      serverFor: (part) => monitor.serverFor?.(part),
      metrics: () => mergeMetrics(this.#executors.map((executor) => executor.monitor?.metrics() ?? new Map<string, ServerMetrics>())),
    };
  }

  async #read<R>(command: Command<R>, reading: Reading<R>, options: ExecuteOptions | undefined): Promise<R> {
    const since = this.#deletions?.now() ?? 0;
    const failures: unknown[] = [];
    let found: { readonly result: R } | undefined;
    let next: Command<R> | undefined = command;
    for (const executor of this.#executors) {
      let result: R;
      try {
        result = await executor.execute(next, options);
      } catch (error) {
        if (!this.#ignoreFailures || !isCachesFault(error)) throw error;
        failures.push(error);
        if (!(error instanceof MemcachePartialError)) continue;
        // The results of its other servers are kept.
        result = error.partial as R;
      } finally {
        if (executor !== this.#executors[0]) nameNoServer(options);
      }
      if (executor !== this.#executors[0]) {
        for (const hit of reading.hits(result)) this.#copy(hit, executor, since);
        // In the first cache, a token of this one could match an unrelated item.
        result = reading.withoutTokens(result);
      }
      found = { result: found === undefined ? result : reading.join(found.result, result) };
      next = reading.rest(found.result);
      if (next === undefined) break;
    }
    if (found === undefined) throw weakestFailure(failures);
    return found.result;
  }

  /** Deletes in all caches: what is deleted in the first must not come back from an older one. */
  async #delete<R>(command: Command<R>, deleting: Deleting<R>, options: ExecuteOptions | undefined): Promise<R> {
    const { wireKeys, elsewhere } = deleting;
    const [first, ...older] = this.#executors;
    // Nothing is awaited before this, so that the deletion precedes whatever the caller does next.
    const deletion = first.execute(command, options);
    const copies = this.#cancelCopies(wireKeys);
    this.#deletions?.begin(wireKeys);
    try {
      if (deleting.onlyAfter !== undefined) {
        const result = await deletion;
        if (!deleting.onlyAfter(result)) return result;
      }
      // One of the user's own that throws must not leave the others alone.
      const others = older.map(async (executor) => executor.execute(elsewhere, options));
      const outcomes = await Promise.allSettled([deletion, ...others]);
      if (older.length > 0) nameNoServer(options);
      await Promise.all(copies);
      return resultOf(command.verb, outcomes);
    } finally {
      this.#deletions?.end(wireKeys);
    }
  }

  /** Cancels copies under way, which would bring back what is deleted; returns those that may have been stored already. */
  #cancelCopies(wireKeys: readonly string[] | undefined): Promise<void>[] {
    const storing: Promise<void>[] = [];
    if (this.#copies.size === 0) return storing;
    for (const key of wireKeys ?? this.#copies.keys()) {
      const copy = this.#copies.get(key);
      if (copy === undefined) continue;
      copy.cancelled = true;
      if (copy.storing) storing.push(copy.done);
    }
    return storing;
  }

  #copy(hit: KeyOf, from: Executor, since: number): void {
    const { wireKey } = hit;
    if (this.#deletions?.untouchedSince(since, wireKey) !== true || this.#copies.has(wireKey) || this.#copies.size >= MAX_COPIES) return;
    let settle: () => void = () => undefined;
    const copy: Copy = { cancelled: false, storing: false, done: new Promise<void>((resolve) => (settle = resolve)) };
    this.#copies.set(wireKey, copy);
    void this.#copyItem(hit, from, copy)
      // A copy that fails is missing, and the next reader finds the old item again.
      .catch(() => undefined)
      .finally(() => {
        this.#copies.delete(wireKey);
        settle();
      });
  }

  /** Copies bytes and flags as they are, whichever serde wrote them. */
  async #copyItem({ key, wireKey }: KeyOf, from: Executor, copy: Copy): Promise<void> {
    const item = await from.execute(new MetaRequest(new MetaCommand('mg', key, ['v', 'f', 't']), wireKey));
    const ttl = item.flag('t');
    // A stale item must be made anew, and one that is about to expire is not worth copying.
    if (copy.cancelled || item.value === undefined || ttl === undefined || ttl === '0' || item.flag('X') !== undefined) return;
    const flags = ['ME', 'c', `F${item.flag('f') ?? '0'}`];
    if (ttl !== '-1') flags.push(`T${encodeExptime(Number(ttl), this.#clock)}`);
    copy.storing = true;
    const stored = await this.#executors[0].execute(new MetaRequest(new MetaCommand('ms', key, flags, item.value), wireKey));
    const cas = stored.flag('c');
    if (!this.#wasCancelled(copy) || stored.code !== 'HD' || cas === undefined) return;
    // The copy may have been stored after the deletion, so it is deleted; by its cas, so that newer items stay.
    await this.#executors[0].execute(new MetaRequest(new MetaCommand('md', key, [`C${cas}`]), wireKey));
  }

  /** A function, since TypeScript would assume that `cancelled` does not change across an `await`. */
  #wasCancelled(copy: Copy): boolean {
    return copy.cancelled;
  }
}

/** Several caches were asked, so there is no single server for the trace of the call to name. */
function nameNoServer(options: ExecuteOptions | undefined): void {
  if (options?.trace !== undefined) options.trace.server = undefined;
}

/** The most copies under way; a hit that is not copied now may be copied when it is read again. */
const MAX_COPIES = 256;

/**
 * The result of the first cache, if all of them succeeded.
 *
 * @throws MemcacheError the failure with the weakest certainty of all
 */
function resultOf<R>(command: string, outcomes: readonly PromiseSettledResult<R>[]): R {
  const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  if (results.length === 0) throw weakestFailure(outcomes.flatMap((outcome): unknown[] => (outcome.status === 'rejected' ? [outcome.reason] : [])));
  const failures = new Failures();
  for (const outcome of outcomes) failures.addOutcome(outcome);
  if (failures.any) throw failures.toError(command, results[0]);
  return results[0] as R;
}

/** Whether another cache may succeed: not with a wrong request, nor with a value that cannot be read. */
function isCachesFault(error: unknown): boolean {
  if (error instanceof MemcachePartialError) return [...error.failures.values()].every(isCachesFault);
  return error instanceof MemcacheError && !(error instanceof MemcacheClientError || error instanceof MemcacheSerdeError);
}
