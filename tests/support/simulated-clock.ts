import type { Clock, Timer } from '../../src/runtime/clock';

/**
 * A clock without a machine: time jumps from event to event. Between two of them everything that promises and ticks have set
 * going comes to rest, so that one seed has one course of events.
 */
export class SimulatedClock implements Clock {
  #now = 0;
  #sequence = 0;
  /** A heap: the earliest event first. */
  readonly #events: SimulatedEvent[] = [];

  readonly now = (): number => this.#now;
  readonly time = (): number => 1_750_000_000_000 + this.#now;

  setTimeout(callback: () => void, delay: number): Timer {
    return this.at(this.#now + Math.max(0, delay), callback);
  }

  setImmediate(callback: () => void): void {
    this.at(this.#now, callback).unref();
  }

  at(due: number, callback: () => void): SimulatedEvent {
    const event = new SimulatedEvent(Math.max(due, this.#now), this.#sequence++, callback);
    const events = this.#events;
    let at = events.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = events[parent];
      if (above === undefined || !event.isBefore(above)) break;
      events[at] = above;
      at = parent;
    }
    events[at] = event;
    return event;
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

  /** Lets events happen until `isOver`; false when there are none left before that: somebody waits for nothing. */
  async run(isOver: () => boolean): Promise<boolean> {
    // The tick in which the run begins ends before time goes on.
    await settle();
    while (!isOver()) {
      if (await this.#step(Infinity)) continue;
      await settle();
      if (isOver()) return true;
      if (this.#events.length === 0) return false;
    }
    return true;
  }

  /** Lets time pass until the promise has settled, this many milliseconds at the most. */
  async until<T>(promise: Promise<T>, limit = 3_600_000): Promise<T> {
    let settled = false;
    const onSettled = (): void => {
      settled = true;
    };
    promise.then(onSettled, onSettled);
    const end = this.#now + limit;
    const isOver = (): boolean => settled || this.#now > end;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- set by what is awaited
    if (!(await this.run(isOver)) || !settled) throw new Error(`somebody waits for nothing, at ${this.#now} ms`);
    return promise;
  }

  /** Lets this much time pass. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    while (await this.#step(end));
    this.#now = end;
  }

  /** Lets the next event happen, unless it is after `end`. */
  async #step(end: number): Promise<boolean> {
    for (;;) {
      const next = this.#events[0];
      if (next === undefined || next.due > end) return false;
      this.#take();
      if (next.closed) continue;
      next.closed = true;
      this.#now = next.due;
      next.callback();
      await settle();
      return true;
    }
  }

  #take(): SimulatedEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = events[child + 1];
      let below = events[child];
      if (below === undefined) break;
      if (right?.isBefore(below) === true) {
        below = right;
        child++;
      }
      if (!below.isBefore(last)) break;
      events[at] = below;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

/** What happens at some time. */
export class SimulatedEvent implements Timer {
  closed = false;
  /** Whether it would keep a process alive. */
  held = true;

  constructor(
    readonly due: number,
    readonly sequence: number,
    readonly callback: () => void,
  ) {}

  isBefore(other: SimulatedEvent): boolean {
    return this.due < other.due || (this.due === other.due && this.sequence < other.sequence);
  }

  unref(): void {
    this.held = false;
  }

  close(): void {
    this.closed = true;
  }
}

/** Promises and ticks that an event has set going come to rest: several rounds, since one sets going the next. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Promise<void>((resolve) => { process.nextTick(resolve); });
}
