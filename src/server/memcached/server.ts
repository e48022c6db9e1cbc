import { MemcacheIllegalInputError } from '../../errors';
import { optionsAmong, settingsOf } from '../../options/option';
import type { MemoryStore } from '../engine/store';
import { Listener } from '../net/listener';
import { faultHook, type Faults } from '../shared/faults';
import { checkStoreOptions, CONTEXT_OPTIONS, ServerContext, type ClusterConfig } from './commands/context';
import { SERVER_OPTIONS, type MemcachedServerOptions } from './options';
import { metricsOf, type EmbeddedMetrics } from '../shared/metrics';
import { VERB_NAMES } from './commands/verbs';
import { Session } from './session';

/**
 * A memcached server in this process, on TCP, TLS or a unix socket.
 *
 * ```ts
 * const server = await MemcachedServer.start();
 * const client = new Client(server.address);
 * …
 * await server.close();
 * ```
 */
export class MemcachedServer {
  /** Where it listens, as clients write it: `127.0.0.1:11211`, `[::1]:11211`, or the path of the unix socket. */
  readonly address: string;
  /** The TCP port; 0 on a unix socket. */
  readonly port: number;
  readonly #listener: Listener<Session>;
  readonly #context: ServerContext;
  #faults: Faults | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Starts a server.
   *
   * @throws MemcacheIllegalInputError naming the option that is not legal; the system's error when it cannot listen, for
   *   example `EADDRINUSE`
   */
  static async start(options: MemcachedServerOptions = {}): Promise<MemcachedServer> {
    settingsOf(SERVER_OPTIONS, options);
    checkStoreOptions(options);
    return new MemcachedServer(await Listener.open(options), options);
  }

  private constructor(listener: Listener<Session>, options: MemcachedServerOptions) {
    if (!(listener instanceof Listener)) throw new MemcacheIllegalInputError('a server is made by MemcachedServer.start(options)');
    const { onShutdown = () => this.close(), faults } = options;
    const { shutdown = false, ...shared } = optionsAmong(CONTEXT_OPTIONS, options);
    const context = new ServerContext(shutdown ? { ...shared, shutdown: () => void onShutdown() } : shared);
    this.#listener = listener;
    this.#context = context;
    this.faults = faults;
    this.port = listener.port;
    this.address = listener.address;
    context.address = listener.address;
    const { host, path, tls, backlog, pathMode, idleTimeout, maxCommandsPerTurn } = listener.settings;
    context.settings
      .set('tcpport', this.port)
      .set('inter', host)
      .set('domain_socket', path ?? 'NULL')
      .set('umask', pathMode.toString(8))
      .set('reqs_per_event', maxCommandsPerTurn)
      .set('tcp_backlog', backlog)
      .set('idle_timeout', Math.ceil(idleTimeout / 1000))
      .set('ssl_enabled', tls === undefined ? 'no' : 'yes');
    context.listConnections = () => Array.from(listener.connections, (connection) => connection.info);
    listener.serve(context.service('ERROR Too many open connections', (output, limits, id) => new Session(context, output, limits, id)));
  }

  /** The items. */
  get store(): MemoryStore {
    return this.#context.store;
  }

  /** What it has counted since its start. */
  get metrics(): EmbeddedMetrics {
    return metricsOf(this.#context, VERB_NAMES);
  }

  /** The cluster that this server says it is part of. It may be set at any time, each time with a higher version. */
  get cluster(): ClusterConfig | undefined {
    return this.#context.cluster;
  }

  set cluster(cluster: ClusterConfig | undefined) {
    this.#context.cluster = cluster;
  }

  /** Makes the next commands on all connections fail; `undefined` for none. */
  get faults(): Faults | undefined {
    return this.#faults;
  }

  set faults(faults: Faults | undefined) {
    const context = this.#context;
    this.#faults = faults;
    context.hook = faults === undefined ? undefined : faultHook(faults, context.store.clock);
  }

  /** Stops the server and ends every connection; it does not keep the process alive afterwards. May be called again. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#listener.close();
      this.#context.close();
    }
    return this.#closing;
  }

  /** As {@link close}: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
