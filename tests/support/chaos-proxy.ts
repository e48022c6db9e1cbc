import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { SeededRandom } from './seeded-random';
import { ToxicStream, type Toxic } from './toxics';

/** A proxy in front of a real server that does to connections what toxics do. */
export class ChaosProxy {
  readonly strikes = new Map<string, number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(port: number, toxics: readonly Toxic[], random: SeededRandom): Promise<ChaosProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new ChaosProxy(server, port, toxics, random);
  }

  private constructor(server: Server, port: number, toxics: readonly Toxic[], random: SeededRandom) {
    this.#server = server;
    server.on('connection', (client) => {
      this.#join(client, connect({ port, host: '127.0.0.1', noDelay: true }), toxics, random.fork());
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, upstream: Socket, toxics: readonly Toxic[], random: SeededRandom): void {
    const stream = new ToxicStream(random.chance(0.7) ? random.pick(toxics) : undefined, random);
    let life = 5 + random.below(60);
    let passing = Promise.resolve();
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => upstream.write(bytes));
    upstream.on('data', (bytes: Buffer) => {
      const before = stream.strikes;
      const steps = stream.pass(Buffer.from(bytes));
      if (stream.toxic !== undefined && stream.strikes > before) {
        this.strikes.set(stream.toxic, (this.strikes.get(stream.toxic) ?? 0) + stream.strikes - before);
      }
      passing = passing.then(async () => {
        for (const step of steps) {
          if ('bytes' in step) {
            // Real time is dear: a tenth of it will do.
            if (step.delay >= 1) await new Promise((resolve) => setTimeout(resolve, step.delay / 10));
            if (client.writable) client.write(step.bytes);
          } else if (step.end === 'fin') client.end();
          else if (step.end === 'rst') client.resetAndDestroy();
        }
        if (--life === 0) client.resetAndDestroy();
      });
    });
  }
}
