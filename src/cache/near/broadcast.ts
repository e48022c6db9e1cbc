import { BroadcastChannel } from 'node:worker_threads';

/** One for all caches of a process: a key of another cache is forgotten in vain, which does no harm. */
const NAME = 'tsmemcache:l1';

/** Tells the near caches in other threads of this process which entries were written. */
export class Broadcast {
  readonly #onWritten: (wireKey: string) => void;
  #channel: BroadcastChannel | undefined;

  /** @param onWritten called when another thread has written */
  constructor(onWritten: (wireKey: string) => void) {
    this.#onWritten = onWritten;
  }

  /** Listens, unless it does so already. */
  open(): BroadcastChannel {
    if (this.#channel !== undefined) return this.#channel;
    const channel = (this.#channel = new BroadcastChannel(NAME));
    channel.onmessage = (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'data' in message && typeof message.data === 'string') this.#onWritten(message.data);
    };
    // It does not keep the thread alive.
    channel.unref();
    return channel;
  }

  tell(wireKey: string): void {
    this.open().postMessage(wireKey);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
