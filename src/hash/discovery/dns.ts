/** Lists of servers from the DNS, which is asked repeatedly. */
import { lookup, resolveSrv } from 'node:dns/promises';
import { MemcacheIllegalInputError } from '../../errors';
import { option, settingsOf, type OptionTable } from '../../options/option';
import { functionOf, MILLISECONDS, wholeNumber } from '../../options/rule';
import type { Discovery } from './discovery';
import type { ClusterServer } from './member';

/** How often the DNS is asked. */
export interface DnsOptions {
  /** The most milliseconds between two look-ups; the least is three quarters of it, so that many processes do not look together; trouble with a server brings the next one forward to within a second. @default 60000 */
  refreshInterval?: number | undefined;
}

/** How the addresses of a name become servers. */
export interface DnsDiscoveryOptions extends DnsOptions {
  /** The port of every server. @default 11211 */
  port?: number | undefined;
  /** Resolves the name. @default `lookup` of node:dns, which asks the operating system */
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

/** The options of {@link dnsDiscovery}. */
export const DNS_OPTIONS = {
  refreshInterval: option(MILLISECONDS, 60_000),
  port: option(wholeNumber(1, 65_535), 11_211),
  lookup: option(functionOf<NonNullable<DnsDiscoveryOptions['lookup']>>()),
} satisfies OptionTable<DnsDiscoveryOptions>;

/** The options of {@link srvDiscovery}. */
export const SRV_OPTIONS = {
  refreshInterval: option(MILLISECONDS, 60_000),
  resolveSrv: option(functionOf<NonNullable<SrvDiscoveryOptions['resolveSrv']>>(), resolveSrv),
} satisfies OptionTable<SrvDiscoveryOptions>;

/**
 * A source for {@link HashClient}: all addresses of a name, for example of a headless service of Kubernetes.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function dnsDiscovery(name: string, options: DnsDiscoveryOptions = {}): Discovery {
  checkName(name);
  const settings = settingsOf(DNS_OPTIONS, options);
  const { port, refreshInterval } = settings;
  const find = settings.lookup ?? ((host) => lookup(host, { all: true, verbatim: true }));
  return repeatedly(refreshInterval, async () => {
    const addresses = await find(name);
    // Sorted, as resolvers rotate the order; an address may be listed once per socket type.
    return [...new Set(addresses.map(({ address }) => address))].sort().map((host) => ({ host, port }));
  });
}

/**
 * A source for {@link HashClient}: the servers in the SRV records of a name (`_memcache._tcp.example.org`) that have the best
 * priority, each with its weight.
 *
 * @throws MemcacheIllegalInputError naming the option that is not legal
 */
export function srvDiscovery(name: string, options: SrvDiscoveryOptions = {}): Discovery {
  checkName(name);
  const { resolveSrv: find, refreshInterval } = settingsOf(SRV_OPTIONS, options);
  return repeatedly(refreshInterval, async () => {
    const records = await find(name);
    const best = Math.min(...records.map(({ priority }) => priority));
    return records
      .filter(({ priority }) => priority === best)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.port - b.port))
      .map((record) => ({ server: { host: record.name, port: record.port }, weight: Math.max(1, record.weight) }));
  });
}

function repeatedly(interval: number, find: () => Promise<readonly ClusterServer[]>): Discovery {
  return async function* ({ signal, wait }) {
    while (!signal.aborted) {
      yield await find();
      await wait(interval);
    }
  };
}

function checkName(name: unknown): void {
  if (typeof name !== 'string' || !/^[A-Za-z0-9._-]{1,253}$/.test(name)) {
    throw new MemcacheIllegalInputError('name must be a DNS name');
  }
}
