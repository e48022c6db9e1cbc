import type { Socket } from 'node:net';

/** A raw connection, as `nc` makes one, that reads until it has what it waits for. */
export class RawClient {
  readonly socket: Socket;
  #received = '';
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** What comes up to and with `end`. */
  async until(end: string): Promise<string> {
    let at;
    while ((at = this.#received.indexOf(end)) < 0) await this.#more();
    return this.#take(at + end.length);
  }

  /** Sends `text` and takes an answer of that length. */
  async ask(text: string, length: number): Promise<string> {
    this.send(text);
    while (this.#received.length < length) await this.#more();
    return this.#take(length);
  }

  /** Everything that comes until the connection is closed. */
  async untilClosed(): Promise<string> {
    while (!this.#closed) await this.#news();
    return this.#received;
  }

  #take(length: number): string {
    const text = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return text;
  }

  async #more(): Promise<void> {
    if (this.#closed) throw new Error(`closed after ${JSON.stringify(this.#received)}`);
    await this.#news();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
