import type { TlsOptions } from 'node:tls';
import { option, type OptionTable } from '../../options/option';
import { MILLISECONDS, STRING, SWITCH, objectWith, valueThat, wholeNumber } from '../../options/rule';

/** Where a server listens, and the limits for its clients. */
export interface ListenerOptions {
  /** The address to listen on. @default '127.0.0.1' */
  host?: string | undefined;
  /** The TCP port; 0 for any free one. @default 0 */
  port?: number | undefined;
  /** Whether the address `::` is for clients with IPv6 alone. @default false: for those with IPv4 too */
  ipv6Only?: boolean | undefined;
  /** A unix socket to listen on instead; a socket left there by an earlier server is removed. */
  path?: string | undefined;
  /** The access mode of the unix socket. @default 0o700 */
  pathMode?: number | undefined;
  /** Options of `node:tls`; then the server speaks TLS only. */
  tls?: TlsOptions | undefined;
  /** How many clients may be connected at once; the next gets an error and is closed. @default 1024 */
  maxConnections?: number | undefined;
  /** Milliseconds after which a connection that completes no command is closed; 0 for never. @default 0 */
  idleTimeout?: number | undefined;
  /** How many commands of one client are executed before the others get their turn. @default 500 */
  maxCommandsPerTurn?: number | undefined;
  /** How many connections may wait in the system to be accepted. @default 1024 */
  backlog?: number | undefined;
}

const COUNT = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** A TCP port. */
export const PORT = wholeNumber(0, 65_535);

/** The options of a {@link Listener}. */
export const LISTENER_OPTIONS = {
  host: option(STRING, '127.0.0.1'),
  port: option(PORT, 0),
  path: option(STRING),
  pathMode: option(valueThat<number>('an access mode from 0 to 0o7777', wholeNumber(0, 0o7777).allows), 0o700),
  tls: option(objectWith<TlsOptions>('an object of options for tls.createServer')),
  maxConnections: option(COUNT, 1024),
  idleTimeout: option(MILLISECONDS, 0),
  maxCommandsPerTurn: option(COUNT, 500),
  backlog: option(wholeNumber(0, 2 ** 31 - 1), 1024),
  ipv6Only: option(SWITCH, false),
} satisfies OptionTable<ListenerOptions>;
