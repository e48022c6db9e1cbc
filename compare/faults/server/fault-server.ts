import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ServerContext, Session } from '../../../src/server';
import type { Protocol } from '../clients/adapter';
import { binaryDialect } from './binary';
import { FAULT, type Script } from './exchange';
import { storeCommands, textDialect } from './text';

/** A server that misbehaves when it is asked for a {@link FAULT} key, and only then. */
export class FaultServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #context = new ServerContext();
  readonly #stored: readonly string[];
  readonly #protocol: Protocol;
  readonly #script: Script;
  #asked = 0;

  constructor(protocol: Protocol, stored: readonly string[], script: Script) {
    this.#protocol = protocol;
    this.#stored = stored;
    this.#script = script;
    const commands = Buffer.from(storeCommands(stored), 'latin1');
    new Session(this.#context, { write: () => undefined, end: () => undefined }).push(commands, 0, commands.length);
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#attend(socket);
    });
  }

  /** Listens at a port of 127.0.0.1, any free one by default. */
  async listen(port = 0): Promise<number> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await once(this.#server.close(), 'close');
    this.#context.close();
  }

  #attend(socket: Socket): void {
    const write = (bytes: Buffer): void => {
      if (socket.writable) socket.write(bytes);
    };
    const dialect = this.#protocol === 'text' ? textDialect(this.#context, write) : binaryDialect(new Set(this.#stored), write);
    const closed = once(socket, 'close').catch(() => undefined);
    let received = '';
    let served: Promise<unknown> = Promise.resolve();
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      received += String(text);
      for (;;) {
        const request = dialect.take(received);
        if (request === undefined) return;
        received = received.slice(request.bytes.length);
        const asked = request.keys.filter((key) => key.startsWith(FAULT)).length;
        this.#asked += asked;
        const send = (bytes: string): void => {
          write(Buffer.from(bytes, 'latin1'));
        };
        served = served.then(() =>
          asked > 0 ? this.#script({ request, dialect, asked: () => this.#asked, socket, send, closed }) : dialect.serve(request),
        );
      }
    });
  }
}
