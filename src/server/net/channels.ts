import { channel } from 'node:diagnostics_channel';

/** The names of what servers publish on `node:diagnostics_channel`. No message is made unless somebody listens. */
export const EMBEDDED_CHANNELS = {
  /** A client has connected, the TLS handshake included: {@link ConnectionMessage}. */
  connect: 'tsmemcache:embedded:connect',
  /** A connection has ended: {@link ConnectionMessage}. */
  disconnect: 'tsmemcache:embedded:disconnect',
  /** A client beyond `maxConnections` was turned away: {@link ServerMessage}. */
  refuse: 'tsmemcache:embedded:refuse',
  /** A command was executed: {@link ExecutedMessage}. */
  command: 'tsmemcache:embedded:command',
} as const;

/** What every message has. */
export interface ServerMessage {
  /** Where the server listens; `embedded` for an `EmbeddedClient`. */
  readonly server: string;
  readonly protocol: 'memcached' | 'redis';
}

/** Which connection of which server a message is about. */
export interface ConnectionMessage extends ServerMessage {
  /** The number of the connection: 1 for the first that was made to this server, and so on. */
  readonly connection: number;
}

/** It holds no key, no value, nor anything else that a client has chosen. */
export interface ExecutedMessage extends ConnectionMessage {
  /** The name of the command, `unknown` for one that does not exist. */
  readonly command: string;
  /** How long it took, in milliseconds; for one that is answered later, until it had begun. */
  readonly duration: number;
}

export const connectChannel = channel(EMBEDDED_CHANNELS.connect);
export const disconnectChannel = channel(EMBEDDED_CHANNELS.disconnect);
export const refuseChannel = channel(EMBEDDED_CHANNELS.refuse);
export const commandChannel = channel(EMBEDDED_CHANNELS.command);
