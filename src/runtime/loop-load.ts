import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** The event loop is looked at this often, in milliseconds: a look takes a microsecond. */
const INTERVAL = 10;
/** From this share of the time on it has hardly any to spare. */
const BUSY = 0.8;

/** Tells whether the event loop of this thread has time to spare. */
export class LoopLoad {
  #before: EventLoopUtilization | undefined;
  #looked = -Infinity;
  #busy = false;

  /** @param now the time of the monotonic clock, in milliseconds */
  isBusy(now: number): boolean {
    if (now - this.#looked < INTERVAL) return this.#busy;
    this.#looked = now;
    try {
      const total = performance.eventLoopUtilization();
      this.#busy = this.#before !== undefined && performance.eventLoopUtilization(total, this.#before).utilization > BUSY;
      this.#before = total;
    } catch {
      // A run-time that cannot tell: no time is taken from anybody.
    }
    return this.#busy;
  }
}
