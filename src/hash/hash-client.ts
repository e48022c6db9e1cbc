import { Client } from '../client/client';
import { CLIENT_OPTIONS, type ClientOptions } from '../client/client-options';
import { Connection, type ConnectionObserver } from '../client/connection';
import { parseServerAddress, type ServerInput } from '../client/server-address';
import { MemcacheIllegalInputError } from '../errors';
import { ConnectionPool, POOL_OPTIONS, type PoolOptions } from '../pool/connection-pool';
import { functionOf, MILLISECONDS, objectWith, SWITCH, wholeNumber } from '../options/rule';
import { option, settingsOf, type OptionTable } from '../options/option';
import { routingPart, type Key } from '../protocol/key';
import { systemRandom, type Random } from '../runtime/random';
import type { CacheValue } from '../serde';
import { ClusterFollower } from './discovery/follower';
import type { Discovery } from './discovery/discovery';
import type { Hasher } from './placement/hasher';
import { HashRouter, type ServerStatus } from './hash-router';
import { toMember, type ClusterServer } from './discovery/member';
import { RendezvousHash } from './placement/rendezvous';
import type { HealthSettings } from '../client/policies/server-health';

/** How a {@link HashClient} behaves. All durations are in milliseconds. */
export interface HashClientOptions<Out = CacheValue, In = Out> extends ClientOptions<Out, In>, PoolOptions {
  /**
   * Which server owns which key. An instance that no other client uses.
   * @default a `RendezvousHash`, which places keys as pymemcache does
   */
  hasher?: Hasher | undefined;
  /**
   * How many probes a failing server gets before it is called dead and its keys move to the others.
   * @default 2
   */
  retryAttempts?: number | undefined;
  /**
   * Time until a failing server is probed, at the latest; until then calls for it fail at once.
   * @default 1000
   */
  retryTimeout?: number | undefined;
  /**
   * Time until a dead server is probed again, at the latest.
   * @default 60000
   */
  deadTimeout?: number | undefined;
  /**
   * Whether each server gets a pool of connections instead of one; then the options of `PooledClient` apply.
   * @default false
   */
  usePooling?: boolean | undefined;
  /** The source of chance, for tests. @default the machine's */
  random?: Random | undefined;
}

/** The options that a cluster has beside those of a client and of pools. */
export const HASH_OPTIONS = {
  hasher: option(
    objectWith<Hasher>('an object with the functions addNode, removeNode and getNode, for example new KetamaHash()', 'addNode', 'removeNode', 'getNode'),
  ),
  retryAttempts: option(wholeNumber(0, 2 ** 30), 2),
  retryTimeout: option(MILLISECONDS, 1000),
  deadTimeout: option(MILLISECONDS, 60_000),
  usePooling: option(SWITCH, false),
  random: option(functionOf<Random>(), systemRandom),
} satisfies OptionTable<Omit<HashClientOptions<unknown>, Exclude<keyof ClientOptions<unknown> | keyof PoolOptions, 'retryTimeout'>>>;

/**
 * A client for several servers that share the keys. Each key has an owner, the same in every process that knows the same
 * servers, in pymemcache too; calls for many keys go to all owners at once.
 *
 * When a server fails, calls for its keys fail at once (or miss, with `ignoreErrors`) until it is probed; after
 * `retryAttempts` vain probes it is dead and its keys move to the others until it answers a probe.
 */
export class HashClient<Out = CacheValue, In = Out> extends Client<Out, In> {
  protected static override readonly optionNames: object = { ...CLIENT_OPTIONS, ...POOL_OPTIONS, ...HASH_OPTIONS };

  readonly #router: HashRouter;
  /** Who keeps the list of servers. */
  readonly #members: Pick<HashRouter, 'add' | 'remove'>;

  /**
   * @param servers the servers, or a source that tells them, such as {@link srvDiscovery}: it is asked with the first call
   * @throws MemcacheIllegalInputError naming the option or server that is not legal
   */
  constructor(servers: (Iterable<ClusterServer> & object) | Discovery, options: HashClientOptions<Out, In> = {}) {
    const { clock, timeout } = settingsOf(CLIENT_OPTIONS, options);
    const { hasher, usePooling, random, retryAttempts, retryTimeout, deadTimeout } = settingsOf(HASH_OPTIONS, options);
    const health: HealthSettings = { clock, random, retryAttempts, retryTimeout, deadTimeout };
    let onTrouble: () => void = () => undefined;
    const router = new HashRouter(hasher ?? new RendezvousHash(), health, ({ server }, observer) => {
      const observing: ConnectionObserver = {
        ...observer,
        onTrouble: (failure) => {
          observer.onTrouble?.(failure);
          onTrouble();
        },
      };
      return usePooling ? new ConnectionPool(server, options, observing) : new Connection(server, options, observing, 'turn');
    });
    if (typeof servers === 'function') {
      const follower = new ClusterFollower(router, servers, { clock, random, timeout });
      onTrouble = () => {
        follower.onTrouble();
      };
      super(follower, options);
      this.#members = follower;
    } else {
      if (typeof servers === 'string' || !(Symbol.iterator in Object(servers))) {
        throw new MemcacheIllegalInputError('servers must be an array of servers, or a source of them: the function itself, not what it returns');
      }
      const members = Array.from(servers, toMember);
      if (members.length === 0) throw new MemcacheIllegalInputError('servers must hold at least one server, or be a source of them');
      for (const member of members) router.add(member);
      super(router, options);
      this.#members = router;
    }
    this.#router = router;
  }

  /** The name of the server that owns `key`, without asking anybody; `undefined` when no server is known or left. */
  serverFor(key: Key): string | undefined {
    return this.#router.serverFor(routingPart(key));
  }

  /** Each server's state. */
  servers(): ServerStatus[] {
    return this.#router.servers();
  }

  /**
   * Adds a server, also while calls are under way; it owns its share of the keys from now on. It stays until it is removed
   * by hand, whatever a source says.
   *
   * @throws MemcacheIllegalInputError when it is not legal, or in the cluster already
   */
  addServer(server: ClusterServer): void {
    this.#members.add(toMember(server));
  }

  /**
   * Removes a server for good, also while calls are under way; those it has finish. It does not come back by itself, nor
   * because a source has it in its list.
   *
   * @returns when its connections are closed
   * @throws MemcacheIllegalInputError when it is not in the cluster
   */
  removeServer(server: ServerInput): Promise<void> {
    return this.#members.remove(parseServerAddress(server).name);
  }
}
