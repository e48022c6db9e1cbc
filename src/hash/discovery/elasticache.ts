/**
 *     config get cluster\r\n              CONFIG cluster 0 <bytes>\r\n<version>\n<host>|<ip>|<port> …\n\r\nEND\r\n
 *     get AmazonElastiCache:cluster\r\n   the same as a value, on engines before 1.4.14
 *
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/AutoDiscovery.AddingToYourClientLibrary.html
 */
import { MemcacheUnknownCommandError, MemcacheUnknownError } from '../../errors';
import { Client } from '../../client/client';
import { Connection } from '../../client/connection';
import { CONNECTION_OPTIONS, connectionSettings, type ConnectionOptions } from '../../client/client-options';
import { checkOptionNames, option, settingsAmong, type OptionTable } from '../../options/option';
import { MILLISECONDS, SWITCH } from '../../options/rule';
import { parseServerAddress, type ServerAddress, type ServerInput } from '../../client/server-address';
import { RawSerde } from '../../serde';
import type { Discovery } from './discovery';

/** How the servers of a managed cluster are found. */
export interface ElastiCacheOptions {
  /** The most milliseconds between two look-ups of the list; the least is three quarters of it, so that many processes do not look together; trouble with a server brings the next one forward to within a second. @default 60000 */
  refreshInterval?: number | undefined;
  /**
   * Whether servers are known by their private address instead of their host name: faster, and the placement of
   * pymemcache's client; but certificates are issued for host names. Where the list has only one of the two, that one is used.
   * @default true, with TLS false
   */
  useVpc?: boolean | undefined;
}

/** The options that say how the servers of a managed cluster are found. */
export const ELASTICACHE_OPTIONS = {
  refreshInterval: option(MILLISECONDS, 60_000),
  useVpc: option(SWITCH),
} satisfies OptionTable<ElastiCacheOptions>;

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

/** At most this many servers are asked for the list before a look-up counts as failed. */
const MAX_ASKED = 3;
/** The most milliseconds that a server may take to answer where calls have no time-out: without an end there would be no other look-up. */
const LONGEST_LOOK = 5000;
/** Milliseconds until the next look-up after one that failed. */
const RETRY_AFTER = 1000;
/**
 * When this many look-ups in a row have found another list that is not newer, it is believed: the cluster was made anew under its
 * old name, and counts from 1. While servers are in trouble that takes half a minute or more; answers are outdated for seconds.
 */
const MOST_DOUBTED = 30;

/**
 * A source for {@link HashClient}: the servers of Amazon ElastiCache or Google Memorystore, as `configEndpoint` answers to
 * `config get cluster`. TLS and credentials that its address asks for hold for these servers too.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function elastiCacheDiscovery(configEndpoint: ServerInput, options: ElastiCacheOptions & ConnectionOptions = {}): Discovery {
  checkOptionNames(options, { ...ELASTICACHE_OPTIONS, ...CONNECTION_OPTIONS });
  return discoveryAmong(configEndpoint, options);
}

/** The same with options some of which are those of the client of the cluster, which checks their names. */
export function discoveryAmong(configEndpoint: ServerInput, options: ElastiCacheOptions & ConnectionOptions): Discovery {
  const connection = connectionSettings(configEndpoint, options);
  const { address, tls } = connection;
  const { refreshInterval: interval, useVpc = tls === undefined || 'path' in address.endpoint } = settingsAmong(ELASTICACHE_OPTIONS, options);
  return async function* ({ signal, wait }) {
    let config: ClusterConfig | undefined;
    let failed = 0;
    let doubted = 0;
    while (!signal.aborted) {
      // Any server of the cluster can answer when the endpoint does not; they take turns, so that one that hangs is not asked
      // each time.
      const known = config?.nodes.map((node) => serverOf(node, useVpc, address)) ?? [];
      const from = failed % Math.max(1, known.length);
      try {
        const found = await askAnyOf([address, ...known.slice(from), ...known.slice(0, from)], connection, signal);
        // A lower version is an outdated answer, from a server that does not have the new list yet.
        if (config === undefined || found.version > config.version || isSame(found, config) || ++doubted === MOST_DOUBTED) {
          config = found;
          doubted = 0;
        }
      } catch (error) {
        // The known list is kept: an outdated answer must not be believed after a failed look-up either.
        if (config === undefined || isOver(signal)) throw error;
        failed++;
        await wait(Math.min(RETRY_AFTER, interval));
        continue;
      }
      yield config.nodes.map((node) => serverOf(node, useVpc, address));
      await wait(interval);
    }
  };
}

function isSame(one: ClusterConfig, other: ClusterConfig): boolean {
  const [nodes, others] = [one, other].map((config) => config.nodes.map(({ host, ip, port }) => `${host}|${ip}|${port}`).sort().join(' '));
  return one.version === other.version && nodes === others;
}

/** With the TLS and the credentials of the endpoint's address, which a list does not tell: without them values would travel in the clear. */
function serverOf({ host, ip, port }: ClusterNode, useVpc: boolean, { tls, auth }: ServerAddress): ServerInput {
  const name = useVpc ? ip || host : host || ip;
  if (!tls && auth === undefined) return { host: name, port };
  const credentials = auth === undefined ? '' : `${encodeURIComponent(auth.username)}:${encodeURIComponent(auth.password)}@`;
  return `memcached${tls ? 's' : ''}://${credentials}${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** A function, since TypeScript would assume that `aborted` does not change across an `await`. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function askAnyOf(servers: readonly (ServerInput | ServerAddress)[], options: ConnectionOptions, signal: AbortSignal): Promise<ClusterConfig> {
  let failure: unknown;
  for (const server of servers.slice(0, MAX_ASKED)) {
    if (isOver(signal)) break;
    try {
      return await ask(server, options, signal);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function ask(server: ServerInput | ServerAddress, options: ConnectionOptions, signal: AbortSignal): Promise<ClusterConfig> {
  const { connectTimeout, timeout, noDelay, tls, auth, clock, connect } = options;
  const connection = new Connection(server, { connectTimeout, timeout: timeout === 0 ? LONGEST_LOOK : timeout, noDelay, tls, auth, clock, connect });
  const client = new Client(connection, { serde: new RawSerde() });
  try {
    return parseConfig(await askForConfig(client, signal));
  } finally {
    await client.close();
  }
}

/** The payload of the answer. */
async function askForConfig(client: Client<Buffer, string | Uint8Array>, signal: AbortSignal): Promise<string> {
  try {
    return payloadOf((await client.raw('config get cluster', '\r\nEND\r\n', { signal })).toString('latin1'));
  } catch (error) {
    if (!(error instanceof MemcacheUnknownCommandError)) throw error;
    const value = await client.get('AmazonElastiCache:cluster', { signal });
    if (value === undefined) throw error;
    return value.toString('latin1');
  }
}

function payloadOf(answer: string): string {
  const [, length, payload = ''] = /^CONFIG cluster [0-9]+ ([0-9]+)\r\n(.*)$/s.exec(answer) ?? [];
  // Amazon's servers count up to the end token. Those of tests may leave out line ends before it, or count its own.
  const most = payload.length + '\r\n'.length;
  if (!(Number(length) >= payload.trimEnd().length && Number(length) <= most)) throw malformed();
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
  return new MemcacheUnknownError('the answer to "config get cluster" cannot be understood', { command: 'config', certainty: 'executed' });
}
