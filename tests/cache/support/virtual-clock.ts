import type { Clock, Timer } from '../../../src/runtime/clock';

interface Event extends Timer {
  readonly due: number;
  readonly sequence: number;
  closed: boolean;
  held: boolean;
  readonly callback: () => void;
}

/**
 * Time that jumps from event to event. Between two of them everything that promises and ticks have set going comes to
 * rest, so that one seed has one course of events.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #sequence = 0;
  #events: Event[] = [];

  readonly now = (): number => this.#now;
  readonly time = (): number => 1_750_000_000_000 + this.#now;

  setTimeout(callback: () => void, delay: number): Timer {
    const event: Event = {
      due: this.#now + Math.max(0, delay),
      sequence: this.#sequence++,
      closed: false,
      held: true,
      callback,
      unref: () => (event.held = false),
      close: () => (event.closed = true),
    };
    this.#events.push(event);
    return event;
  }

  setImmediate(callback: () => void): void {
    this.setTimeout(callback, 0).unref();
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#events.filter(({ closed }) => !closed).length;
  }

  /** Those of them that would keep a process alive. */
  get held(): number {
    return this.#events.filter(({ closed, held }) => !closed && held).length;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimeout(resolve, milliseconds);
    });
  }

  /** Lets time pass until the promise has settled. */
  async until<T>(promise: Promise<T>, limit = 3_600_000): Promise<T> {
    let settled = false;
    const done = (): void => {
      settled = true;
    };
    promise.then(done, done);
    const end = this.#now + limit;
    await this.settle();
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- set by what is awaited
    while (!settled) {
      if (!(await this.#step(end))) throw new Error(`somebody waits for nothing, at ${this.#now} ms`);
    }
    return promise;
  }

  /** Lets this much time pass. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await this.settle();
    while (await this.#step(end));
    this.#now = end;
  }

  async settle(): Promise<void> {
    // Ticks and promises are all done before the event loop goes on.
    await new Promise<void>((resolve) => { setImmediate(resolve); });
  }

  /** The next event, unless it is after `end`. */
  async #step(end: number): Promise<boolean> {
    let next: Event | undefined;
    let kept = 0;
    for (const event of this.#events) {
      if (event.closed) continue;
      this.#events[kept++] = event;
      if (next === undefined || event.due < next.due || (event.due === next.due && event.sequence < next.sequence)) next = event;
    }
    this.#events.length = kept;
    if (next === undefined || next.due > end) return false;
    next.closed = true;
    this.#now = Math.max(this.#now, next.due);
    next.callback();
    await this.settle();
    return true;
  }
}
