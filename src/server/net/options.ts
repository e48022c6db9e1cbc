import type { TlsOptions } from 'node:tls';
import { COUNT, MILLISECONDS, PORT, STRING, objectWith, wholeNumber, type Rules } from '../../options/rules';

/** Where a server listens, and what it lets its clients do to it. */
export interface ListenerOptions {
  /** The address to listen on. @default '127.0.0.1' */
  host?: string;
  /** The TCP port; 0 takes any that is free. @default 0 */
  port?: number;
  /** A unix socket to listen on instead; a socket left there by an earlier server is removed. */
  path?: string;
  /** The access mode of the unix socket. @default 0o700 */
  pathMode?: number;
  /** Serves TLS with these options, and nothing else. */
  tls?: TlsOptions;
  /** How many clients may be connected at once. @default 1024 */
  maxConnections?: number;
  /** A connection that completes no command for so long is closed, in milliseconds; 0 for never. @default 0 */
  idleTimeout?: number;
  /** How many commands of one client are executed before others get their turn. @default 500 */
  maxCommandsPerTurn?: number;
  /** How many connections the system may hold before they are accepted. @default 1024 */
  backlog?: number;
}

export const LISTENER_RULES: Rules<ListenerOptions> = {
  host: STRING,
  port: PORT,
  path: STRING,
  pathMode: { is: 'an access mode from 0 to 0o7777', allows: wholeNumber(0, 0o7777).allows },
  tls: objectWith('an object of options for tls.createServer'),
  maxConnections: COUNT,
  idleTimeout: MILLISECONDS,
  maxCommandsPerTurn: COUNT,
  backlog: wholeNumber(0, 2 ** 31 - 1),
};

/** The options with their defaults, which an `undefined` from JavaScript means too: it must not open a server to all. */
// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- it is the options', with nothing optional
export function withDefaults(options: ListenerOptions) {
  return {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    pathMode: options.pathMode ?? 0o700,
    maxConnections: options.maxConnections ?? 1024,
    idleTimeout: options.idleTimeout ?? 0,
    maxCommandsPerTurn: options.maxCommandsPerTurn ?? 500,
    backlog: options.backlog ?? 1024,
  };
}
