import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { socketName, type ConnectionInfo, Service, SessionOutput, SocketSession } from './service';

/** A client with more than this many bytes of replies waiting is not read from until it has taken them. */
const MAX_UNSENT = 1024 * 1024;

/** Feeds a session from a socket, no faster than the client takes its replies, and in turns with other clients. */
export class Connection<S extends SocketSession> {
  readonly session: S;
  readonly #socket: Socket;
  readonly #service: Service<S>;
  readonly #id: number;
  readonly #listenAddress: string;
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
    const { connections } = service;
    const output: SessionOutput = {
      write(data) {
        connections.bytesWritten += data.length;
        if (typeof data === 'string') socket.write(data, 'latin1');
        else socket.write(data);
      },
      end() {
        socket.destroySoon();
      },
      reset() {
        // Node resets nothing but plain TCP.
        if (socket.remoteAddress === undefined || socket instanceof TLSSocket) socket.destroy();
        else socket.resetAndDestroy();
      },
    };
    this.session = service.openSession(output, { maxCommands, maxReplyBytes: MAX_UNSENT }, id);
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    socket.on('data', (chunk: Buffer) => {
      connections.bytesRead += chunk.length;
      this.#take(chunk);
    });
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

  /** Milliseconds since the last command was executed; 0 while one is. */
  get idle(): number {
    if (this.session.pending !== undefined) return 0;
    return this.#service.clock.now() - this.#lastCommand;
  }

  get info(): ConnectionInfo {
    const { remoteAddress, remotePort } = this.#socket;
    return {
      id: this.#id,
      address: remoteAddress === undefined ? 'unix' : socketName(remoteAddress, remotePort ?? 0),
      listenAddress: this.#listenAddress,
      secondsSinceLastCommand: Math.floor(this.idle / 1000),
    };
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Executes what is in `chunk`, or as much of it as this turn allows. */
  #take(chunk: Buffer): void {
    const socket = this.#socket;
    const { session } = this;
    socket.cork();
    const at = session.push(chunk, 0, chunk.length);
    socket.uncork();
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
        this.#lastCommand = this.#service.clock.now();
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
