import type { Clock, Timer } from '../../src/runtime/clock';

/** Lets input and output that is under way arrive. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

class VirtualTimer implements Timer {
  closed = false;
  isLost = false;
  constructor(
    readonly due: number,
    readonly callback: () => void,
  ) {}

  unref(): void {
    // Virtual time keeps no process alive.
  }

  close(): void {
    this.closed = true;
  }
}

/** Time that moves only when a test says so, while real sockets go on in between. */
export class VirtualClock implements Clock {
  #now = 0;
  #timers: VirtualTimer[] = [];

  now(): number {
    return this.#now;
  }

  time(): number {
    return 1_750_000_000_000 + this.#now;
  }

  setTimeout(callback: () => void, delay: number): Timer {
    const timer = new VirtualTimer(this.#now + delay, callback);
    this.#timers.push(timer);
    return timer;
  }

  setImmediate(callback: () => void): void {
    setImmediate(callback);
  }

  /** How many timers are set. */
  get pending(): number {
    this.#timers = this.#timers.filter((timer) => !timer.closed);
    return this.#timers.length;
  }

  /** Time passes while the event loop stands still: no timer fires. */
  jump(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** The timers that are set will never fire, as when fake timers were set and then restored. */
  loseTimers(): void {
    for (const timer of this.#timers) timer.isLost = timer.closed = true;
  }

  /** Moves time on; timers fire in their order, each at its own time, and what they cause happens before the next one. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await turns();
    for (;;) {
      const [next] = this.#timers.filter((timer) => !timer.closed && timer.due <= end).sort((a, b) => a.due - b.due);
      if (next === undefined) break;
      next.closed = true;
      this.#now = Math.max(this.#now, next.due);
      next.callback();
      await turns();
    }
    this.#now = end;
    await turns();
  }
}
