/**
 *     config get cluster\r\n              CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> …\n\r\nEND\r\n
 *     get AmazonElastiCache:cluster\r\n   the same as a value, on engines before 1.4.14
 *
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoDiscovery.AddingToYourClientLibrary.html
 */
import { MemcacheUnknownCommandError, MemcacheUnknownError } from '../../errors';
import { Client } from '../../client/client';
import type { ConnectionOptions } from '../../client/client-options';
import { option, settingsOf, type OptionTable } from '../../options/option';
import { MILLISECONDS, SWITCH } from '../../options/rule';
import { parseServerAddress, type ServerInput } from '../../client/server-address';
import { RawSerde, type CacheValue } from '../../serde';
import type { Discovery } from './discovery';
import { HashClient, type HashClientOptions } from '../hash-client';

/** How the servers of a managed cluster are found. */
export interface ElastiCacheOptions {
  /** Milliseconds between two looks at the list; trouble with a server makes the next one come sooner. @default 60000 */
  refreshInterval?: number | undefined;
  /**
   * Whether servers are known by their private address instead of their host name: faster, and the placement of
   * pymemcache's client; but certificates are made out to host names. What the list does not have, the other stands in for.
   * @default true, with TLS false
   */
  useVpc?: boolean | undefined;
}

/** The options that say how the servers of a managed cluster are found. */
export const ELASTICACHE_OPTIONS = {
  refreshInterval: option(MILLISECONDS, 60_000),
  useVpc: option(SWITCH),
} satisfies OptionTable<ElastiCacheOptions>;

/** How an {@link ElastiCacheClient} behaves. */
export interface ElastiCacheClientOptions<Out = CacheValue, In = Out> extends HashClientOptions<Out, In>, ElastiCacheOptions {}

/**
 * A cluster client that follows the list of servers of Amazon ElastiCache or Google Memorystore: what the configuration
 * endpoint answers to `config get cluster`. When the list changes, only the keys that must move do, and calls under way
 * finish where they are.
 */
export class ElastiCacheClient<Out = CacheValue, In = Out> extends HashClient<Out, In> {
  protected static override readonly optionNames: object = { ...super.optionNames, ...ELASTICACHE_OPTIONS };

  /**
   * @param configEndpoint for example `my-cluster.abc.cfg.use1.cache.amazonaws.com:11211`
   * @throws MemcacheIllegalInputError naming the option that is not legal
   */
  constructor(configEndpoint: ServerInput, options: ElastiCacheClientOptions<Out, In> = {}) {
    super(elastiCacheDiscovery(configEndpoint, options), options);
  }
}

/** The nodes of a cluster, and how often they have changed. */
interface ClusterConfig {
  readonly version: bigint;
  readonly nodes: readonly ClusterNode[];
}

interface ClusterNode {
  readonly host: string;
  readonly ip: string;
  readonly port: number;
}

/** So many of those who know the list are asked before a look counts as failed. */
const MAX_ASKED = 3;

/**
 * The list of servers behind an {@link ElastiCacheClient}.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function elastiCacheDiscovery(configEndpoint: ServerInput, options: ElastiCacheOptions & ConnectionOptions = {}): Discovery {
  const { endpoint, tls: secure } = parseServerAddress(configEndpoint);
  const tls = options.tls ?? secure;
  const { refreshInterval: interval, useVpc = tls === false || 'path' in endpoint } = settingsOf(ELASTICACHE_OPTIONS, options);
  return async function* ({ signal, wait }) {
    let config: ClusterConfig | undefined;
    while (!signal.aborted) {
      // Any server of the cluster can answer when the endpoint does not.
      const known = config?.nodes.map((node) => serverOf(node, useVpc)) ?? [];
      const found = await askAnyOf([configEndpoint, ...known], options);
      // A lower version is an answer of old, from a server that has not heard the news.
      if (config === undefined || found.version > config.version) config = found;
      yield config.nodes.map((node) => serverOf(node, useVpc));
      await wait(interval);
    }
  };
}

function serverOf({ host, ip, port }: ClusterNode, useVpc: boolean): { host: string; port: number } {
  return { host: useVpc ? ip || host : host || ip, port };
}

async function askAnyOf(servers: readonly ServerInput[], options: ConnectionOptions): Promise<ClusterConfig> {
  let failure: unknown;
  for (const server of servers.slice(0, MAX_ASKED)) {
    try {
      return await ask(server, options);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function ask(server: ServerInput, options: ConnectionOptions): Promise<ClusterConfig> {
  const { connectTimeout, timeout, noDelay, tls, auth, clock, connect } = options;
  const client = new Client(server, { connectTimeout, timeout, noDelay, tls, auth, clock, connect, serde: new RawSerde() });
  try {
    return parseConfig(await askForConfig(client));
  } finally {
    await client.close();
  }
}

/** The payload of the answer. */
async function askForConfig(client: Client<Buffer, string | Uint8Array>): Promise<string> {
  try {
    return payloadOf((await client.raw('config get cluster', '\r\nEND\r\n')).toString('latin1'));
  } catch (error) {
    if (!(error instanceof MemcacheUnknownCommandError)) throw error;
    const value = await client.get('AmazonElastiCache:cluster');
    if (value === undefined) throw error;
    return value.toString('latin1');
  }
}

function payloadOf(answer: string): string {
  const [, length, payload = ''] = /^CONFIG cluster [0-9]+ ([0-9]+)\r\n(.*)$/s.exec(answer) ?? [];
  if (payload.length !== Number(length)) throw malformed();
  return payload;
}

function parseConfig(payload: string): ClusterConfig {
  const [, version, list] = /^([0-9]{1,20})\r?\n(.*?)\r?\n?$/s.exec(payload) ?? [];
  if (version === undefined || list === undefined) throw malformed();
  return { version: BigInt(version), nodes: list.trim().split(/ +/).map(parseNode) };
}

function parseNode(text: string): ClusterNode {
  const [host = '', ip = '', port = '', ...rest] = text.split('|');
  const names = [host, ip].filter(Boolean);
  if (rest.length > 0 || names.length === 0 || !/^[0-9]{1,5}$/.test(port)) throw malformed();
  try {
    for (const name of names) parseServerAddress([name, Number(port)]);
  } catch {
    throw malformed();
  }
  return { host, ip, port: Number(port) };
}

function malformed(): MemcacheUnknownError {
  return new MemcacheUnknownError('the answer to "config get cluster" makes no sense', { command: 'config', certainty: 'executed' });
}
