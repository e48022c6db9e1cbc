import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Connect, Transport, TransportHandler } from '../../src/client/wire/transport';
import { ServerContext, Session } from '../../src/server';
import { turns } from './virtual-clock';

/** What a scripted server does with one connection; what comes after the script is served as it should be. */
export type Script = (connection: ScriptedConnection) => Promise<void> | void;

/**
 * A server that misbehaves as it is told. Each connection follows the next script that waits; without one, and when the
 * script is over, it is served by a real session on `context`.
 */
export class ScriptedServer {
  readonly #server: Server;
  readonly #scripts: Script[] = [];
  /** All connections there have been. */
  readonly connections: ScriptedConnection[] = [];
  readonly context = new ServerContext();
  /** What went wrong in scripts. */
  readonly failures: unknown[] = [];

  static async start(...scripts: Script[]): Promise<ScriptedServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new ScriptedServer(server, scripts);
  }

  private constructor(server: Server, scripts: Script[]) {
    this.#server = server;
    this.#scripts.push(...scripts);
    server.on('connection', (socket) => {
      const connection = new ScriptedConnection(socket);
      this.connections.push(connection);
      void this.#run(connection);
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next connection follows this. */
  next(script: Script): void {
    this.#scripts.push(script);
  }

  /** Puts an item into the store of the real sessions. */
  put(key: string, value: string, flags = 16): void {
    serve(this.context, () => undefined)(`set ${key} ${flags} 0 ${value.length}\r\n${value}\r\n`);
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    this.#server.close();
    await once(this.#server, 'close');
    this.context.close();
  }

  async #run(connection: ScriptedConnection): Promise<void> {
    try {
      await this.#scripts.shift()?.(connection);
    } catch (error) {
      this.failures.push(error);
    }
    connection.serveAs(this.context);
  }
}

/** The server's end of one connection. */
export class ScriptedConnection {
  readonly #socket: Socket;
  #received = '';
  #wake: (() => void) | undefined;
  #answer: ((text: string) => void) | undefined;
  /** When the connection is over. */
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.#socket = socket;
    // The client may drop the connection at any moment: that is what is tested.
    socket.on('error', () => undefined);
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      if (this.#answer !== undefined) {
        this.#answer(String(text));
        return;
      }
      this.#received += String(text);
      this.#wake?.();
    });
    socket.once('end', () => {
      if (this.#answer !== undefined) socket.end();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
        this.#wake?.();
      });
    });
  }

  /** What was received and not yet expected. */
  get received(): string {
    return this.#received;
  }

  /** Waits for exactly these bytes. */
  async expect(bytes: string): Promise<void> {
    while (this.#received.length < bytes.length && !this.#socket.destroyed) await this.#more();
    const got = this.#received.slice(0, bytes.length);
    if (got !== bytes) throw new Error(`expected ${JSON.stringify(bytes)}, received ${JSON.stringify(got)}`);
    this.#received = this.#received.slice(bytes.length);
  }

  /** Waits until something matches, and takes it and all before it. */
  async expectMatch(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#received);
      if (match !== null) {
        this.#received = this.#received.slice(match.index + match[0].length);
        return match;
      }
      if (this.#socket.destroyed) throw new Error(`closed before ${String(pattern)} came`);
      await this.#more();
    }
  }

  /** Sends text of one character per byte; each piece apart. */
  async send(...pieces: string[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await turns();
      if (!this.#socket.destroyed) await new Promise<void>((resolve) => this.#socket.write(piece, 'latin1', () => { resolve(); }));
    }
  }

  /** Sends byte by byte. */
  trickle(text: string): Promise<void> {
    return this.send(...Array.from(text));
  }

  /** Says goodbye. */
  async fin(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.end(() => { resolve(); }));
    await this.closed;
  }

  /** Breaks off. */
  async rst(): Promise<void> {
    this.#socket.resetAndDestroy();
    await this.closed;
  }

  /** Says nothing more until the client goes away. */
  hold(): Promise<void> {
    return this.closed;
  }

  /** Reads no more, so that the client's writes pile up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** From now on it is a real server. */
  serveAs(context: ServerContext): void {
    const answer = serve(
      context,
      (bytes) => {
        if (this.#socket.writable) this.#socket.write(bytes);
      },
      () => {
        this.#socket.end();
      },
    );
    this.#answer = answer;
    answer(this.#received);
    this.#received = '';
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function serve(context: ServerContext, write: (bytes: Buffer) => void, end: () => void = () => undefined): (text: string) => void {
  const session = new Session(context, {
    write: (data) => {
      write(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data));
    },
    end,
  });
  return (text) => {
    const bytes = Buffer.from(text, 'latin1');
    session.push(bytes, 0, bytes.length);
  };
}

/** What a {@link MemoryServer} does with what arrived in one tick: the pieces to send, each as a read of its own; then it may say goodbye. */
export type Answer = (request: string) => readonly string[] | { readonly pieces: readonly string[]; readonly fin?: boolean };

/**
 * A server without a socket: every piece it sends is one read, exactly. Each connection gives the next answers that wait to
 * what it receives first, and is served by a real session afterwards.
 */
export class MemoryServer {
  readonly #answers: Answer[][] = [];
  readonly context = new ServerContext();
  /** What each connection received. */
  readonly received: string[] = [];

  /** The option `connect` of clients. */
  readonly connect: Connect = (_address, _options, handler) => {
    const index = this.received.push('') - 1;
    return new MemoryTransport(handler, this.context, this.#answers.shift() ?? [], (text) => {
      this.received[index] = (this.received[index] ?? '') + text;
    });
  };

  /** The next connection answers like this first, one after the other. */
  next(...answers: Answer[]): void {
    this.#answers.push(answers);
  }

  /** Puts an item into the store of the real sessions. */
  put(key: string, value: string, flags = 16): void {
    serve(this.context, () => undefined)(`set ${key} ${flags} 0 ${value.length}\r\n${value}\r\n`);
  }

  close(): void {
    this.context.close();
  }
}

class MemoryTransport implements Transport {
  readonly backlog = 0;
  readonly #handler: TransportHandler;
  readonly #onWrite: (text: string) => void;
  readonly #serve: (text: string) => void;
  readonly #answers: Answer[];
  #request = '';
  #scheduled = false;
  #closed = false;

  constructor(handler: TransportHandler, context: ServerContext, answers: Answer[], onWrite: (text: string) => void) {
    this.#handler = handler;
    this.#answers = answers;
    this.#onWrite = onWrite;
    this.#serve = serve(context, (bytes) => {
      this.#deliver(bytes);
    });
    process.nextTick(() => {
      handler.onOpen();
    });
  }

  write(data: string | Uint8Array): void {
    const text = typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    this.#onWrite(text);
    this.#request += text;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#exchange();
    });
  }

  #exchange(): void {
    const request = this.#request;
    const answer = this.#answers.shift();
    this.#request = '';
    this.#scheduled = false;
    if (this.#closed) return;
    if (answer === undefined) {
      this.#serve(request);
      return;
    }
    const reply = answer(request);
    const { pieces, fin = false } = 'pieces' in reply ? reply : { pieces: reply };
    for (const piece of pieces) if (piece !== '') this.#deliver(Buffer.from(piece, 'latin1'));
    if (fin) this.destroy();
  }

  /** As from a socket, the buffer is overwritten by the next read. */
  #deliver(bytes: Buffer): void {
    if (this.#closed) return;
    const shared = Buffer.from(bytes);
    this.#handler.onData(shared, shared.length);
    shared.fill('#');
  }

  cork(): void {
    // What is written in one tick is answered together anyhow.
  }

  uncork(): void {
    // See cork.
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    process.nextTick(() => {
      this.#handler.onClose(undefined);
    });
  }

  ref(): void {
    // Nothing here keeps a process alive.
  }

  unref(): void {
    // See ref.
  }
}
