import type { Socket } from 'node:net';
import type { ConnectionInfo, Service, SocketSession } from './service';
import { TurnOutput } from './turn-output';

/** A client with more than this many bytes of replies waiting is not read from until it has taken them. */
const MAX_UNSENT = 1024 * 1024;

/** Feeds a session from a socket, no faster than the client takes its replies, and in turns with other clients. */
export class Connection<S extends SocketSession> {
  readonly session: S;
  readonly #socket: Socket;
  readonly #service: Service<S>;
  readonly #id: number;
  readonly #listenAddress: string;
  readonly #output: TurnOutput;
  /** Bytes that were read but not executed yet. */
  #rest: Buffer | undefined;
  #waiting = false;
  #peerEnded = false;
  #lastCommand: number;

  constructor(socket: Socket, service: Service<S>, maxCommands: number, id: number, listenAddress: string) {
    this.#socket = socket;
    this.#service = service;
    this.#id = id;
    this.#listenAddress = listenAddress;
    this.#lastCommand = service.clock.now();
    this.#output = new TurnOutput(socket, service.connections);
    this.session = service.openSession(this.#output, { maxCommands, maxReplyBytes: MAX_UNSENT }, id);
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    this.#listen();
    socket.on('drain', () => {
      this.#onDrain();
    });
    socket.on('close', () => {
      this.session.close();
    });
    socket.on('end', () => {
      this.#peerEnded = true;
      if (this.#rest === undefined) this.session.close();
    });
  }

  /** Milliseconds since the last command was executed. */
  get idle(): number {
    return this.#service.clock.now() - this.#lastCommand;
  }

  get info(): ConnectionInfo {
    const { remoteAddress, remotePort } = this.#socket;
    return {
      id: this.#id,
      address: remoteAddress === undefined ? 'unix' : `tcp:${remoteAddress}:${remotePort ?? 0}`,
      listenAddress: this.#listenAddress,
      secondsSinceLastCommand: Math.floor(this.idle / 1000),
    };
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Takes what the socket reads. Node hands each read to the stream's `push`, which tells the listeners of `data` and looks for
   * more in a tick of its own. While the stream holds nothing and flows, neither is needed: without them a server of small
   * replies uses a sixth less CPU. In all other cases, at the end, and where a run-time does not call `push`, the stream does it.
   */
  #listen(): void {
    const socket = this.#socket;
    const take = (chunk: Buffer): void => {
      this.#service.connections.bytesRead += chunk.length;
      this.#take(chunk);
    };
    socket.on('data', take);
    const push = socket.push.bind(socket);
    socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (!Buffer.isBuffer(chunk) || socket.readableFlowing !== true || socket.readableLength > 0) return push(chunk, encoding);
      take(chunk);
      return true;
    };
  }

  /** Executes what is in `chunk`, or as much of it as this turn allows. */
  #take(chunk: Buffer): void {
    const socket = this.#socket;
    const output = this.#output;
    const { session } = this;
    output.beginTurn();
    const at = session.push(chunk, 0, chunk.length);
    output.endTurn();
    if (session.executed > 0) this.#lastCommand = this.#service.clock.now();
    if (session.ended) {
      this.#rest = undefined;
      return;
    }
    const { pending } = session;
    const congested = socket.writableLength > MAX_UNSENT;
    if (at === chunk.length && !congested && pending === undefined) {
      if (this.#rest !== undefined) this.#readAgain();
      return;
    }
    this.#rest = chunk.subarray(at);
    socket.pause();
    if (pending !== undefined) {
      void pending.then(() => {
        this.#continue();
      });
      return;
    }
    this.#waiting = congested;
    if (congested) return;
    this.#service.connections.yields++;
    this.#service.clock.setImmediate(() => {
      this.#continue();
    });
  }

  #onDrain(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#continue();
  }

  #continue(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#socket.destroyed) return;
    this.#take(rest);
  }

  #readAgain(): void {
    this.#rest = undefined;
    if (this.#peerEnded) this.session.close();
    else this.#socket.resume();
  }
}
