import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What stands on the way of the bytes of one connection. */
export interface Passage {
  /** Bytes that the client sent. @default they go to the server as they are */
  fromClient?(bytes: Buffer, server: Socket): void;
  /** Bytes that the server sent. @default they go to the client as they are */
  fromServer?(bytes: Buffer, client: Socket): void;
}

/** A wire between clients and a real server, on which somebody listens, or does worse. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  /** @param open is told of each connection, and says what happens to its bytes */
  static async start(port: number, open: () => Passage): Promise<Relay> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Relay(server, port, open);
  }

  private constructor(server: Server, port: number, open: () => Passage) {
    this.#server = server;
    server.on('connection', (client) => {
      this.#connections++;
      this.#join(client, connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }), open());
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** How many connections were made through it. */
  get connections(): number {
    return this.#connections;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, upstream: Socket, passage: Passage): void {
    client.on('data', (bytes: Buffer) => {
      if (passage.fromClient === undefined) upstream.write(bytes);
      else passage.fromClient(bytes, upstream);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (passage.fromServer === undefined) client.write(bytes);
      else passage.fromServer(bytes, client);
    });
    client.on('end', () => upstream.end());
    // What may still be on its way through the passage goes first.
    upstream.on('end', () => {
      if (passage.fromServer === undefined) client.end();
    });
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
