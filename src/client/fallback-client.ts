import { MemcacheClientError, MemcacheError, MemcacheIllegalInputError, MemcacheSerdeError } from '../errors';
import type { CacheValue } from '../serde';
import { Client } from './client';
import { flag } from './client-options';
import type { Command } from './commands/command';
import type { ExecuteOptions, Executor } from './executor';

/** How a {@link FallbackClient} behaves. */
export interface FallbackOptions {
  /**
   * Whether a cache that fails is a cache that misses, as long as another one answers.
   * @default true
   */
  ignoreFailures?: boolean | undefined;
}

/**
 * A client over several caches, the one in use first and the oldest last, for the time of a migration: reads fall
 * through to the next cache for what they miss, writes go to the first, deletes to all of them.
 *
 * Keys and values follow the options of the first client.
 */
export class FallbackClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** @throws MemcacheIllegalInputError when there is no client */
  constructor(clients: readonly Client<Out, In>[], options: FallbackOptions = {}) {
    const [first, ...older] = clients;
    if (first === undefined) throw new MemcacheIllegalInputError('clients must hold at least one client');
    super(new Fallback([first.executor, ...older.map((client) => client.executor)], options), first.options);
  }
}

/** The policy behind {@link FallbackClient}, for executors. */
export class Fallback implements Executor {
  readonly #executors: readonly [Executor, ...Executor[]];
  readonly #ignoreFailures: boolean;

  constructor(executors: readonly [Executor, ...Executor[]], options: FallbackOptions = {}) {
    this.#executors = executors;
    this.#ignoreFailures = flag('ignoreFailures', options.ignoreFailures, true);
  }

  async execute<R>(command: Command<R>, options?: ExecuteOptions): Promise<R> {
    if (command.reading !== undefined) return this.#read(command, options);
    if (command.concernsCopies) return this.#everywhere(command, options);
    return this.#executors[0].execute(command, options);
  }

  async close(): Promise<void> {
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
        continue;
      }
      const { reading }: Command<R> = command;
      found = { result: found === undefined || reading === undefined ? result : reading.join(found.result, result) };
      next = reading?.rest(found.result);
      if (next === undefined) break;
    }
    if (found === undefined) throw failure;
    return found.result;
  }

  /** What is deleted in the first must not come back from an older cache. */
  async #everywhere<R>(command: Command<R>, options: ExecuteOptions | undefined): Promise<R> {
    const [first, ...others] = this.#executors;
    const [result] = await Promise.all([first, ...others].map((executor) => executor.execute(command, options)));
    return result as R;
  }
}

/** Whether another cache may do better: not with a request that is wrong, nor with a value that cannot be read. */
function isCachesFault(error: unknown): boolean {
  return error instanceof MemcacheError && !(error instanceof MemcacheClientError || error instanceof MemcacheSerdeError);
}
