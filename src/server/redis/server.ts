import { MemcacheIllegalInputError } from '../../errors';
import { settingsOf } from '../../options/option';
import { checkValue } from '../../options/rule';
import { STORE, type MemoryStore } from '../engine/store';
import { Listener } from '../net/listener';
import { metricsOf, type EmbeddedMetrics } from '../shared/metrics';
import { COMMAND_NAMES } from './commands/command';
import { RedisContext } from './commands/context';
import { REDIS_OPTIONS, type RedisServerOptions } from './options';
import { RedisSession } from './session';

/**
 * A server in this process for Redis clients, on the items of a {@link MemoryStore}: strings, counters and expiry.
 *
 * ```ts
 * const memcached = await MemcachedServer.start();
 * const redis = await RedisServer.start({ store: memcached.store, port: 6379 });
 * …
 * await redis.close();
 * ```
 */
export class RedisServer {
  /** Where it listens, as clients write it: `127.0.0.1:6379`, `[::1]:6379`, or the path of the unix socket. */
  readonly address: string;
  /** The TCP port; 0 on a unix socket. */
  readonly port: number;
  /** The items. */
  readonly store: MemoryStore;
  readonly #listener: Listener<RedisSession>;
  readonly #context: RedisContext;
  #closing: Promise<void> | undefined;

  /**
   * Starts a server.
   *
   * @throws MemcacheIllegalInputError naming the option that is not legal; the system's error when it cannot listen, for
   *   example `EADDRINUSE`
   */
  static async start(options: RedisServerOptions): Promise<RedisServer> {
    settingsOf(REDIS_OPTIONS, options);
    checkValue('store', STORE.rule, options.store);
    return new RedisServer(await Listener.open(options), options);
  }

  private constructor(listener: Listener<RedisSession>, options: RedisServerOptions) {
    if (!(listener instanceof Listener)) throw new MemcacheIllegalInputError('a server is made by RedisServer.start(options)');
    const context = new RedisContext(options);
    this.#listener = listener;
    this.#context = context;
    this.store = context.store;
    this.port = listener.port;
    this.address = listener.address;
    context.address = listener.address;
    context.port = listener.port;
    context.listClients = () =>
      Array.from(listener.connections, ({ info, session }) => {
        const { name, libraryName, libraryVersion, protocol } = session.client;
        const address = info.address.replace(/^tcp6?:/, '');
        const { id, secondsSinceLastCommand } = info;
        return { id, address, secondsSinceLastCommand, name, libraryName, libraryVersion, protocol };
      });
    listener.serve(context.service('-ERR max number of clients reached', (output, limits, id) => new RedisSession(context, output, limits, id)));
  }

  /** What it has counted since its start. */
  get metrics(): EmbeddedMetrics {
    return metricsOf(this.#context, COMMAND_NAMES);
  }

  /** Stops the server and ends every connection; the store stays open. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#listener.close();
    return this.#closing;
  }

  /** As {@link close}: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
