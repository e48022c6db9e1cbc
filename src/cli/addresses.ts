import { lookup } from 'node:dns/promises';
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { messageOf } from '../runtime/message-of';
import { EX_OSERR, UsageError, type Listener } from './options';

/** How error messages name it. */
export function listenerName(listener: Listener): string {
  if ('path' in listener) return listener.path;
  const { host, port } = listener;
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * The same with the names of hosts resolved. Beside an IPv4 address `::` is for IPv6 alone, as in memcached: else it would need the port on that one too.
 *
 * @throws UsageError
 */
export async function allResolved<L extends Listener>(listeners: readonly L[]): Promise<(L & { ipv6Only?: boolean })[]> {
  const all = (await Promise.all(listeners.map(resolved))).flat();
  const ipv6Only = all.some((listener) => 'host' in listener && isIPv4(listener.host));
  return all.map((listener) => ('host' in listener ? { ...listener, ipv6Only } : listener));
}

/** A listener for each address of its host's name, as in memcached: a look-up takes turns of the event loop, so it is done beforehand. */
async function resolved<L extends Listener>(listener: L): Promise<L[]> {
  if (!('host' in listener) || isIP(listener.host) !== 0) return [listener];
  try {
    const all = await lookup(listener.host, { all: true });
    // Where IPv6 is switched off, `localhost` often has an address of it all the same.
    const usable = all.filter(({ family }) => family === 4 || hasIPv6());
    const addresses = new Set((usable.length > 0 ? usable : all).map(({ address }) => address));
    return Array.from(addresses, (host) => ({ ...listener, host }));
  } catch (error) {
    throw new UsageError(`failed to listen on ${listenerName(listener)}: ${messageOf(error)}`, EX_OSERR);
  }
}

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((address) => address?.family === 'IPv6');
}
