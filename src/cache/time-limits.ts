import { MemcacheTimeoutError } from '../errors';
import type { Clock, Timer } from '../runtime/clock';
import { AFTER_STALL, MAX_STALL, STALL } from '../runtime/stall';

/** Something with a time limit. */
export interface Limited {
  /** When it is due, on the monotonic clock. */
  due: number;
  /** Whether the limit no longer applies. */
  readonly over: boolean;
  onTime(): void;
}

/**
 * What is left of a limit in milliseconds, at least 1; 0, for none, stays 0. More than the limit has only gone by when the event
 * loop was blocked, as the question before would have been given up: that is not the cache's time.
 */
export function leftOf(limit: number, elapsed: number): number {
  if (limit === 0) return 0;
  return elapsed > limit + STALL ? Math.min(limit, AFTER_STALL) : Math.max(1, Math.ceil(limit - elapsed));
}

/** One timer for everything with the same time limit: they are due in the order in which they were added. */
class Line {
  readonly #clock: Clock;
  readonly #limit: number;
  #items: Limited[] = [];
  #head = 0;
  #added = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  get #isSet(): boolean {
    return this.#timer !== undefined && this.#timer.isLost !== true;
  }

  add(item: Limited, now: number): void {
    const due = now + this.#limit;
    // A clock that a test has put back must not keep this item waiting for those before it.
    if ((this.#items.at(-1)?.due ?? due) > due) for (const each of this.#items) each.due = Math.min(each.due, due);
    item.due = due;
    this.#items.push(item);
    if (!this.#isSet) this.#set(this.#limit, due);
    if ((++this.#added & 255) === 0) this.#trim();
  }

  #set(delay: number, due: number): void {
    const timer = this.#clock.setTimeout(() => {
      // Timers that a test has faked without the time are believed.
      const now = Math.max(due, this.#clock.now());
      const late = now - (this.#items[this.#head]?.due ?? now);
      // Replies that arrived meanwhile are read first: the cache is only late if this process was free to listen.
      if (late > STALL) this.#later(Math.min(late, MAX_STALL), now);
      else this.#clock.setImmediate(() => { this.#judge(now); });
    }, delay);
    timer.unref();
    this.#timer = timer;
  }

  #later(grace: number, now: number): void {
    const timer = this.#clock.setTimeout(() => {
      this.#clock.setImmediate(() => { this.#judge(now); });
    }, grace);
    timer.unref();
    this.#timer = timer;
  }

  #judge(now: number): void {
    this.#timer = undefined;
    this.#trim();
    for (let next = this.#items[this.#head]; next !== undefined && next.due <= now; next = this.#items[this.#head]) {
      this.#head++;
      if (!next.over) next.onTime();
    }
    this.#trim();
    const next = this.#items[this.#head];
    // What was due may have added something with the same limit, which has set the timer.
    if (next !== undefined && !this.#isSet) this.#set(Math.max(0, next.due - this.#clock.now()), next.due);
  }

  /** Drops what is over, so that no memory is kept for calls that have settled. */
  #trim(): void {
    while (this.#items[this.#head]?.over === true) this.#head++;
    if (this.#head === this.#items.length) this.#items = [];
    else if (this.#head > 0) this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  /** Lets go of its timer, unless something is under way. */
  close(): void {
    this.#items = this.#items.slice(this.#head).filter(({ over }) => !over);
    this.#head = 0;
    if (this.#items.length > 0) return;
    this.#timer?.close();
    this.#timer = undefined;
  }
}

/** Time limits of many short things, without a timer for each. */
export class TimeLimits {
  readonly #clock: Clock;
  readonly #lines = new Map<number, Line>();
  #lastLimit = 0;
  #lastLine: Line | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param limit in milliseconds; 0 for none */
  add(item: Limited, limit: number, now: number): void {
    if (limit === 0) return;
    if (limit === this.#lastLimit && this.#lastLine !== undefined) {
      this.#lastLine.add(item, now);
      return;
    }
    let line = this.#lines.get(limit);
    if (line === undefined) {
      if (this.#lines.size >= 100) this.#lines.clear();
      this.#lines.set(limit, (line = new Line(this.#clock, limit)));
    }
    this.#lastLimit = limit;
    this.#lastLine = line;
    line.add(item, now);
  }

  /**
   * Limits the time for one answer: calls `onTime` unless what it returns is called before.
   *
   * @param limit in milliseconds, the option `cacheTimeout`; 0 for none
   */
  limitAnswer(limit: number, command: string, onTime: (error: MemcacheTimeoutError) => void): () => void {
    const answer = {
      due: 0,
      over: false,
      onTime: () => {
        answer.over = true;
        onTime(new MemcacheTimeoutError(`the cache did not answer within ${limit} ms; see cacheTimeout`, { command, certainty: 'maybeExecuted' }));
      },
    };
    this.add(answer, limit, this.#clock.now());
    return () => {
      answer.over = true;
    };
  }

  close(): void {
    for (const line of this.#lines.values()) line.close();
  }
}
