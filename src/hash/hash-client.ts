import { Client } from '../client/client';
import { CLIENT_OPTIONS, type ClientOptions } from '../client/client-options';
import { Connection } from '../client/connection';
import { parseServerAddress, type ServerInput } from '../client/server-address';
import { MemcacheIllegalInputError } from '../errors';
import { checkPoolSizes, ConnectionPool, POOL_OPTIONS, type PoolOptions } from '../pool/connection-pool';
import { functionOf, isIterable, MILLISECONDS, objectWith, SWITCH, wholeNumber } from '../options/rule';
import { option, settingsAmong, type OptionTable } from '../options/option';
import { routingPart, type Key } from '../protocol/key';
import { LoopLoad } from '../runtime/loop-load';
import { systemRandom, type Random } from '../runtime/random';
import type { CacheValue } from '../serde';
import { ClusterFollower } from './discovery/follower';
import type { Discovery } from './discovery/discovery';
import type { Hasher } from './placement/hasher';
import { HashRouter, type ServerStatus } from './hash-router';
import { toMember, type ClusterServer } from './discovery/member';
import { RendezvousHash } from './placement/rendezvous';

/** How a {@link HashClient} behaves. All durations are in milliseconds. */
export interface HashClientOptions<Out = CacheValue, In = Out> extends ClientOptions<Out, In>, PoolOptions {
  /**
   * Chooses the server of each key. An instance that another client has is refused, until the `close()` of that client has resolved;
   * then that one loses its servers.
   * @default a `RendezvousHash`, which places keys as pymemcache does
   */
  hasher?: Hasher | undefined;
  /**
   * How many probes a failing server gets before it is dead and its keys move to the others.
   * @default 2
   */
  retryAttempts?: number | undefined;
  /**
   * The longest time until a failing server is probed (a quarter to the whole of it, at random); until then calls for it fail
   * at once.
   * @default 1000
   */
  retryTimeout?: number | undefined;
  /**
   * The longest time until a dead server is probed again (a quarter to the whole of it, at random); `retryTimeout` counts as long as all
   * servers are dead.
   * @default 60000
   */
  deadTimeout?: number | undefined;
  /**
   * Whether each server gets a pool of connections instead of a single one; the options of `PooledClient` then apply.
   * @default false
   */
  usePooling?: boolean | undefined;
  /** The source of random numbers, for tests. @default `Math.random` */
  random?: Random | undefined;
}

/** The options of a cluster, without those of a client and of pools. */
export const HASH_OPTIONS = {
  hasher: option(
    objectWith<Hasher>('an object with addNode, removeNode and getNode, for example new KetamaHash()', 'addNode', 'removeNode', 'getNode'),
  ),
  retryAttempts: option(wholeNumber(0, 2 ** 30), 2),
  retryTimeout: option(MILLISECONDS, 1000),
  deadTimeout: option(MILLISECONDS, 60_000),
  usePooling: option(SWITCH, false),
  random: option(functionOf<Random>(), systemRandom),
} satisfies OptionTable<Omit<HashClientOptions<unknown>, Exclude<keyof ClientOptions<unknown> | keyof PoolOptions, 'retryTimeout'>>>;

const ALL_OPTIONS = { ...CLIENT_OPTIONS, ...POOL_OPTIONS, ...HASH_OPTIONS };

/**
 * A client for several servers that share the keys. Each key has an owner, the same in every process that knows the same
 * servers, in pymemcache too; calls for many keys go to all owners at once.
 *
 * When a server fails, calls for its keys fail at once (or miss, with `ignoreErrors`) until it is probed; after `retryAttempts`
 * failed probes it is dead, and its keys move to the others until it answers a probe.
 */
export class HashClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  protected static override readonly optionNames: object = ALL_OPTIONS;

  readonly #router: HashRouter;
  /** Where servers are added and removed by hand. */
  readonly #members: Pick<HashRouter, 'add' | 'remove'>;

  /**
   * @param servers the servers, or a source of them such as {@link srvDiscovery}, which is asked when the first call is made
   * @throws MemcacheIllegalInputError naming the option or server that is not legal
   */
  constructor(servers: (Iterable<ClusterServer> & object) | Discovery, options: HashClientOptions<Out, In> = {}) {
    const settings = settingsAmong(ALL_OPTIONS, options);
    checkPoolSizes(settings);
    const loop = new LoopLoad();
    let follower: ClusterFollower | undefined;
    const router = new HashRouter(
      settings,
      ({ address }, observer) => new (settings.usePooling ? ConnectionPool : Connection)(address, settings, observer, loop),
      () => follower?.onTrouble(),
    );
    if (typeof servers === 'function') {
      follower = new ClusterFollower(router, servers, settings);
    } else {
      if (!isIterable(servers)) {
        throw new MemcacheIllegalInputError('servers must be an array, or a source: the function itself');
      }
      const given = Array.from(servers, toMember);
      if (given.length === 0) throw new MemcacheIllegalInputError('servers must hold at least one server');
      for (const member of given) router.add(member);
    }
    const members = follower ?? router;
    super(members, options);
    this.#router = router;
    this.#members = members;
    router.hold(settings.hasher ?? new RendezvousHash());
  }

  /** The name of the server that owns `key`, at once; `undefined` when no server is known, or all are dead. */
  serverFor(key: Key): string | undefined {
    return this.#router.serverFor(routingPart(key));
  }

  /** The state of each server: a snapshot, at once. */
  servers(): ServerStatus[] {
    return this.#router.servers();
  }

  /**
   * Adds a server, even while calls are under way; it owns its share of the keys at once, before the promise has resolved. It stays
   * until it is removed by hand, whatever a source lists.
   *
   * @returns a promise that rejects with MemcacheIllegalInputError when the server is not legal, or is in the cluster already
   */
  // eslint-disable-next-line @typescript-eslint/require-await -- what is not legal rejects, as with removeServer
  async addServer(server: ClusterServer): Promise<void> {
    this.#members.add(toMember(server));
  }

  /**
   * Removes a server for good, at once, even while calls are under way; the calls that it has finish. It does not come back, not even
   * when a source lists it.
   *
   * @param server the server in any of its forms, or its name as {@link servers} has it
   * @returns a promise that resolves when its connections are closed, and rejects with MemcacheIllegalInputError when it is not in
   *   the cluster
   */
  async removeServer(server: ServerInput): Promise<void> {
    // The name of an IPv6 address with its port, or of a relative path, is not a form of that server.
    return this.#members.remove((this.#router.servers().find(({ name }) => name === server) ?? parseServerAddress(server)).name);
  }
}
