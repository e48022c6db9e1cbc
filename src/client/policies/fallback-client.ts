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
import type { Command, KeyOf } from '../command';
import { MetaCommand, MetaRequest } from '../commands/meta';
import type { ExecuteOptions, Executor } from '../executor';
import { checkOptionNames, option, settingsOf, type OptionTable } from '../../options/option';
import { SWITCH } from '../../options/rule';

/** How a {@link FallbackClient} behaves. */
export interface FallbackOptions {
  /**
   * Whether a cache that fails is a cache that misses, as long as another one answers.
   * @default true
   */
  ignoreFailures?: boolean | undefined;
  /**
   * Whether what an older cache had is copied into the first, with the time it has left to live, unless the first has it
   * by then. It happens behind the reader's back; `close` waits for it. Needs meta commands (memcached 1.6). A key that
   * another process deletes at the same moment may be copied all the same.
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
 * A client over several caches, the one in use first and the oldest last, for the time of a migration: reads fall
 * through to the next cache for what they miss, writes go to the first, deletes and `flushAll` to all of them.
 *
 * Keys and values follow the options of the first client.
 */
export class FallbackClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** @throws MemcacheIllegalInputError when there is no client */
  constructor(clients: readonly Client<Out, In>[], options: FallbackOptions = {}) {
    const list: unknown = clients;
    if (!Array.isArray(list) || !list.every((client) => client instanceof Client)) {
      throw new MemcacheIllegalInputError('clients must be an array of clients');
    }
    checkOptionNames(options, FALLBACK_OPTIONS);
    const [first, ...older] = clients;
    if (first === undefined) throw new MemcacheIllegalInputError('clients must hold at least one client');
    super(new Fallback([first.executor, ...older.map((client) => client.executor)], options, first.options.clock), first.options);
  }
}

/** The policy behind {@link FallbackClient}, for executors. */
export class Fallback implements Executor {
  readonly #executors: readonly [Executor, ...Executor[]];
  readonly #ignoreFailures: boolean;
  readonly #copyHits: boolean;
  readonly #clock: Clock;
  /** Copies under way, by key as it travels. */
  readonly #copies = new Map<string, Promise<void>>();

  constructor(executors: readonly [Executor, ...Executor[]], options: FallbackOptions = {}, clock: Clock = systemClock) {
    this.#executors = executors;
    const { ignoreFailures, copyHits } = settingsOf(FALLBACK_OPTIONS, options);
    this.#ignoreFailures = ignoreFailures;
    this.#copyHits = copyHits;
    this.#clock = clock;
  }

  async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    if (command.reading !== undefined) return this.#read(command, options);
    if (command.concernsCopies) return this.#everywhere(command, options);
    return this.#executors[0].execute(command, options);
  }

  async close(): Promise<void> {
    await Promise.all(this.#copies.values());
    await Promise.all(this.#executors.map((executor) => executor.close()));
  }

  async #read<R>(command: Command<R>, options: ExecuteOptions | undefined): Promise<R> {
    let found: { readonly result: R } | undefined;
    let failure: unknown;
    let next: Command<R> | undefined = command;
    for (const executor of this.#executors) {
      let result: R;
      try {
        result = await executor.execute(next, options);
      } catch (error) {
        if (!this.#ignoreFailures || !isCachesFault(error)) throw error;
        failure = error;
        if (!(error instanceof MemcachePartialError)) continue;
        // What the others of its servers had is worth having.
        result = error.partial as R;
      }
      const { reading }: Command<R> = command;
      if (this.#copyHits && executor !== this.#executors[0]) {
        for (const hit of command.reading?.hits(result) ?? []) this.#copy(hit, executor);
      }
      found = { result: found === undefined || reading === undefined ? result : reading.join(found.result, result) };
      next = reading?.rest(found.result);
      if (next === undefined) break;
    }
    if (found === undefined) throw failure;
    return found.result;
  }

  #copy(hit: KeyOf, from: Executor): void {
    if (this.#copies.has(hit.wireKey) || this.#copies.size >= MAX_COPIES) return;
    const copy = this.#copyItem(hit, from)
      // A copy that fails is one that is not there: the next reader finds the old one again.
      .catch(() => undefined)
      .finally(() => this.#copies.delete(hit.wireKey));
    this.#copies.set(hit.wireKey, copy);
  }

  /** Bytes and flags as they are, whatever serde wrote them. */
  async #copyItem({ key, wireKey }: KeyOf, from: Executor): Promise<void> {
    const item = await from.execute(new MetaRequest(new MetaCommand('mg', key, ['v', 'f', 't']), wireKey));
    const ttl = item.flag('t');
    // One that is stale is to be made anew, and one that is about to expire is not worth it.
    if (item.value === undefined || ttl === undefined || ttl === '0' || item.flag('X') !== undefined) return;
    const flags = ['ME', `F${item.flag('f') ?? '0'}`];
    if (ttl !== '-1') flags.push(`T${encodeExptime(Number(ttl), this.#clock.time)}`);
    await this.#executors[0].execute(new MetaRequest(new MetaCommand('ms', key, flags, item.value), wireKey));
  }

  /** What is deleted in the first must not come back from an older cache. */
  async #everywhere<R>(command: Command<R>, options: ExecuteOptions | undefined): Promise<R> {
    const [first, ...others] = this.#executors;
    // A copy under way would bring back what is deleted.
    if (this.#copies.size > 0) await Promise.all(this.#copies.values());
    const [result] = await Promise.all([first, ...others].map((executor) => executor.execute(command, options)));
    return result as R;
  }
}

/** No more copies than this are under way; what is not copied now is copied when it is read the next time. */
const MAX_COPIES = 256;

/** Whether another cache may do better: not with a request that is wrong, nor with a value that cannot be read. */
function isCachesFault(error: unknown): boolean {
  if (error instanceof MemcachePartialError) return [...error.failures.values()].every(isCachesFault);
  return error instanceof MemcacheError && !(error instanceof MemcacheClientError || error instanceof MemcacheSerdeError);
}
