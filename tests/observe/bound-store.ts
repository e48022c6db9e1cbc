import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';

/** A store that is bound to the start of a tracing channel, whose value is the message. */
export class BoundStore {
  readonly storage = new AsyncLocalStorage<unknown>();
  /** For each event so far, whether the store was there. */
  readonly seen: boolean[] = [];
  /** Ends it all. */
  readonly stop: () => void;

  constructor(name: string) {
    const channel = tracingChannel(name);
    const look = (message: unknown): void => {
      this.seen.push(this.storage.getStore() === message);
    };
    const subscribers = { start: look, end: look, asyncStart: look, asyncEnd: look, error: look };
    channel.start.bindStore(this.storage, (message) => message);
    channel.subscribe(subscribers);
    this.stop = () => {
      channel.unsubscribe(subscribers);
      channel.start.unbindStore(this.storage);
    };
  }
}
