import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { WireParser, type WireCommand } from './wire-parser';

/** A wire between clients and a real server that reads along, strictly, what the clients send. */
export class Tap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #commands: WireCommand[] = [];
  readonly #violations: unknown[] = [];
  #connections = 0;

  static async start(port: number): Promise<Tap> {
    const server = createServer({ noDelay: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Tap(server, port);
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    server.on('connection', (client) => {
      this.#connections++;
      const upstream = connect({ port, host: '127.0.0.1', noDelay: true });
      const parser = new WireParser((command) => this.#commands.push(command));
      client.on('data', (bytes: Buffer) => {
        try {
          parser.push(bytes.toString('latin1'));
        } catch (error) {
          this.#violations.push(error);
        }
        upstream.write(bytes);
      });
      upstream.on('data', (bytes: Buffer) => client.write(bytes));
      for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('end', () => other.end());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections were made through it. */
  get connections(): number {
    return this.#connections;
  }

  /** What was sent since the last look. */
  takeCommands(): WireCommand[] {
    return this.#commands.splice(0);
  }

  /** What the parser could not accept since the last look. */
  takeViolations(): unknown[] {
    return this.#violations.splice(0);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
