import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A way to a server that a frozen process loses: a thread of its own ends the connections while this one stands still. */
export class FreezingRelay {
  readonly #thread: Worker;
  readonly #thawed: Int32Array;
  readonly address: string;

  /** @param port of the server, on this machine */
  static async start(port: number): Promise<FreezingRelay> {
    const thawed = new Int32Array(new SharedArrayBuffer(4));
    const thread = new Worker(RELAY, { eval: true, workerData: { server: port, thawed } });
    const [own] = (await once(thread, 'message')) as [number];
    return new FreezingRelay(thread, thawed, `127.0.0.1:${own}`);
  }

  private constructor(thread: Worker, thawed: Int32Array, address: string) {
    this.#thread = thread;
    this.#thawed = thawed;
    this.address = address;
  }

  /** Stands still until all connections have ended, as far as the other end is concerned. */
  freeze(): void {
    Atomics.store(this.#thawed, 0, 0);
    this.#thread.postMessage('end them');
    Atomics.wait(this.#thawed, 0, 0);
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}

// It tells of the end when the sockets are closed: the system has said goodbye by then.
const RELAY = `
const net = require('node:net');
const { parentPort, workerData: { server, thawed } } = require('node:worker_threads');
const sockets = new Set();
const relay = net.createServer((socket) => {
  sockets.add(socket);
  const there = net.connect(server, '127.0.0.1');
  for (const [from, to] of [[socket, there], [there, socket]]) from.on('error', () => {}).on('close', () => to.destroy()).pipe(to);
});
relay.listen(0, '127.0.0.1', () => parentPort.postMessage(relay.address().port));
parentPort.on('message', async () => {
  const closed = Array.from(sockets, (socket) => socket.destroyed || new Promise((resolve) => socket.on('close', resolve).destroy()));
  sockets.clear();
  await Promise.all(closed);
  Atomics.store(thawed, 0, 1);
  Atomics.notify(thawed, 0);
});`;
