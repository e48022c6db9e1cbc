import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startMemcached } from '../../../tests/support/memcached';
import { storeCommands } from './text';

/** What no command of a client should ever remove. */
const CANARY = 'canary';

/** A real memcached behind a wire that keeps what clients sent. */
export interface Relay {
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

export async function startRelay(stored: readonly string[]): Promise<Relay> {
  const memcached = await startMemcached(['-t', '1']);
  await converse(memcached.port, storeCommands([...stored, CANARY]));
  let sent = '';
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: memcached.port, host: '127.0.0.1', noDelay: true });
    client.on('data', (bytes) => (sent += bytes.toString('latin1')));
    client.pipe(upstream).pipe(client);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sent: () => sent,
    flushed: async () => !(await converse(memcached.port, `get ${CANARY}\r\n`)).includes(CANARY),
    close: async () => {
      server.close();
      await memcached.stop();
    },
  };
}
