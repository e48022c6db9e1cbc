/** Lists of servers from the DNS, asked again and again. */
import { lookup, resolveSrv } from 'node:dns/promises';
import { MemcacheIllegalInputError } from '../../errors';
import { duration, wholeNumber } from '../../client/client-options';
import type { Discovery } from './discovery';
import type { ClusterServer } from './member';

/** How often the DNS is asked. */
export interface DnsOptions {
  /** Milliseconds between two looks; trouble with a server makes the next one come sooner. @default 60000 */
  refreshInterval?: number | undefined;
}

/** How the addresses of a name become servers. */
export interface DnsDiscoveryOptions extends DnsOptions {
  /** The port of every server. @default 11211 */
  port?: number | undefined;
  /** Resolves the name. @default `lookup` of node:dns, which asks the system */
  lookup?: ((name: string) => Promise<readonly { readonly address: string }[]>) | undefined;
}

/** How SRV records become servers. */
export interface SrvDiscoveryOptions extends DnsOptions {
  /** Resolves the name. @default `resolveSrv` of node:dns */
  resolveSrv?: ((name: string) => Promise<readonly SrvRecord[]>) | undefined;
}

/** A record of a service: https://www.rfc-editor.org/rfc/rfc2782 */
export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

const REFRESH = 60_000;

/**
 * A cluster of all the addresses that a name has, for example a headless service of Kubernetes.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function dnsDiscovery(name: string, options: DnsDiscoveryOptions = {}): Discovery {
  checkName(name);
  const port = wholeNumber('port', options.port, 11_211, 1, 65_535);
  const find = options.lookup ?? ((host) => lookup(host, { all: true, verbatim: true }));
  return repeatedly(options, async () => {
    const addresses = await find(name);
    // In one order whatever the resolver's; an address may be there once per socket type.
    return [...new Set(addresses.map(({ address }) => address))].sort().map((host) => ({ host, port }));
  });
}

/**
 * A cluster of the servers in the SRV records of a name (`_memcache._tcp.example.org`): those of the best priority, each
 * with its weight.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function srvDiscovery(name: string, options: SrvDiscoveryOptions = {}): Discovery {
  checkName(name);
  const find = options.resolveSrv ?? resolveSrv;
  return repeatedly(options, async () => {
    const records = await find(name);
    const best = Math.min(...records.map(({ priority }) => priority));
    return records
      .filter(({ priority }) => priority === best)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.port - b.port))
      .map((record) => ({ server: { host: record.name, port: record.port }, weight: Math.max(1, record.weight) }));
  });
}

function repeatedly(options: DnsOptions, find: () => Promise<readonly ClusterServer[]>): Discovery {
  const interval = duration('refreshInterval', options.refreshInterval, REFRESH);
  return async function* ({ signal, wait }) {
    while (!signal.aborted) {
      yield await find();
      await wait(interval);
    }
  };
}

function checkName(name: unknown): void {
  if (typeof name !== 'string' || !/^[A-Za-z0-9._-]{1,253}$/.test(name)) {
    throw new MemcacheIllegalInputError('name must be a name of the DNS');
  }
}
