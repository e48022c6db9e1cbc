import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { startMemcached } from '../../../tests/support/memcached';
import { Relay } from '../../../tools/relay';
import { storeCommands } from './text';

/** What no command of a client should ever remove. */
const CANARY = 'canary';

/** A real memcached behind a wire that keeps what clients sent. */
export interface Listener {
  readonly port: number;
  /** All bytes that clients sent, one character each. */
  sent(): string;
  /** Whether something that was sent as a key or a value was executed as `flush_all`. */
  flushed(): Promise<boolean>;
  close(): Promise<void>;
}

async function converse(port: number, commands: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`${commands}quit\r\n`);
  return text(socket);
}

export async function startRelay(stored: readonly string[]): Promise<Listener> {
  const memcached = await startMemcached(['-t', '1']);
  await converse(memcached.port, storeCommands([...stored, CANARY]));
  let sent = '';
  const relay = await Relay.start(memcached.port, () => ({
    fromClient: (bytes, server) => {
      sent += bytes.toString('latin1');
      server.write(bytes);
    },
  }));
  return {
    port: relay.port,
    sent: () => sent,
    flushed: async () => !(await converse(memcached.port, `get ${CANARY}\r\n`)).includes(CANARY),
    close: async () => {
      await relay.close();
      await memcached.stop();
    },
  };
}
