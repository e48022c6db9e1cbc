import type { Connect, Transport, TransportHandler } from '../client/wire/transport';
import { asBuffer } from '../protocol/bytes';
import { COPIED_UP_TO } from '../protocol/request';
import { nextTick } from '../runtime/clock';
import { Session, type ServerContext } from '../server';

/** Opens byte streams that lead to sessions in this process. */
export function connectInProcess(context: ServerContext): Connect {
  return (_address, _options, handler) => new SessionTransport(context, handler);
}

/** The bytes of a connection without the connection: what is written in one tick is answered in the next. */
class SessionTransport implements Transport {
  readonly #session: Session;
  readonly #handler: TransportHandler;
  #input: Buffer[] = [];
  #backlog = 0;
  #output: Buffer[] = [];
  #closed = false;

  constructor(context: ServerContext, handler: TransportHandler) {
    this.#handler = handler;
    this.#session = new Session(context, {
      write: (data) => {
        this.#output.push(toBuffer(data));
      },
      end: () => {
        nextTick(() => {
          this.destroy();
        });
      },
    });
    nextTick(() => {
      if (!this.#closed) handler.onOpen();
    });
  }

  get backlog(): number {
    return this.#backlog;
  }

  write(data: string | Uint8Array): void {
    if (this.#input.length === 0) {
      nextTick(() => {
        this.#exchange();
      });
    }
    const bytes = toBuffer(data);
    this.#input.push(bytes);
    this.#backlog += bytes.length;
  }

  cork(): void {
    // What is written in one tick leaves together in any case.
  }

  uncork(): void {
    // See cork.
  }

  ref(): void {
    // Nothing here could keep the process alive.
  }

  unref(): void {
    // See ref.
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session.close();
    nextTick(() => {
      this.#handler.onClose(undefined);
    });
  }

  #exchange(): void {
    const input = Buffer.concat(this.#input);
    this.#input = [];
    this.#backlog = 0;
    this.#session.push(input, 0, input.length);
    const output = this.#output;
    this.#output = [];
    for (const reply of output) if (!this.#closed) this.#handler.onData(reply, reply.length);
    if (!this.#closed) this.#handler.onDrain();
  }
}

/** Only bytes that belong to the caller are copied: both sides have taken what they need by the end of the next tick. */
function toBuffer(data: string | Uint8Array): Buffer {
  if (typeof data === 'string') return Buffer.from(data, 'latin1');
  return data.length > COPIED_UP_TO ? Buffer.from(data) : asBuffer(data);
}
