import { Client } from '../client/client';
import type { ClientOptions } from '../client/client-options';
import { Connection } from '../client/connection';
import { MemcacheIllegalInputError } from '../errors';
import { checkOptionNames } from '../options/option';
import { DEFAULT_MAX_VALUE_SIZE } from '../protocol/limits';
import type { CacheValue } from '../serde';
import { MemoryStore, ServerContext } from '../server';
import { DirectReads } from './direct-reads';
import { connectInProcess } from './session-transport';

/** Options of an {@link EmbeddedClient}: those of a client that mean something without a server. */
export type EmbeddedClientOptions<Out = CacheValue, In = Out> = Omit<
  ClientOptions<Out, In>,
  'auth' | 'connect' | 'connectTimeout' | 'keepAlive' | 'noDelay' | 'retryTimeout' | 'tls'
>;

/**
 * A client with the cache in its own process: every command, no server, no socket.
 *
 * Several clients may share a {@link MemoryStore}, and a `MemcachedServer` may offer the same store to other processes.
 */
export class EmbeddedClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  /** The items. */
  readonly store: MemoryStore;

  /**
   * @param given - where the items are kept. By default a store of its own, of 64 MiB, whose items expire by the `clock` of the
   *   options
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(given?: MemoryStore, options: EmbeddedClientOptions<Out, In> = {}) {
    checkOptionNames(options, new.target.optionNames);
    if (given !== undefined && !(given instanceof MemoryStore)) throw new MemcacheIllegalInputError('store must be a MemoryStore, or undefined for one of its own; options are the second argument');
    const store = given ?? new MemoryStore({ clock: options.clock });
    const context = new ServerContext({ store });
    // Not a copy, which would lack what the options inherit.
    const settings: object = { __proto__: options, connect: connectInProcess(context) };
    const connection = new Connection({ path: 'embedded' }, settings);
    super(new DirectReads(connection, context, options.maxValueSize ?? DEFAULT_MAX_VALUE_SIZE), options);
    this.store = store;
  }
}
