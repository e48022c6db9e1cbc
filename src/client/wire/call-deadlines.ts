/**
 * Deadlines in a process that is busy. While the event loop stands still, what has come waits to be read, and what is to be sent
 * is not sent. So being late is the server's fault only when the process was free to notice. On the other hand a process that
 * is always busy must have deadlines too. Hence, for whatever has a time-out:
 *
 * - it is due after the time-out and the stalls of its own lifetime, at most 200 ms for each stall, and at most the time-out for
 *   all together;
 * - if it comes due during a stall, it has one more chance: it is judged when the socket was read again, and as much
 *   time as the stall took, 20 to 200 ms, has passed since the stall's end;
 * - if that ends in another stall, it has a second chance, of 20 ms, and no third. A machine that is as busy as the process
 *   takes away the processor just after the process has used much of it.
 */
import type { Clock, Timer } from '../../runtime/clock';
import { AFTER_STALL, MAX_STALL, STALL } from '../../runtime/stall';
import { withoutStacks } from '../../runtime/without-stacks';
import type { Call } from '../call';
import type { Timed } from '../timed';

const MAX_CHANCES = 2;

/** Keeps account of how long the event loop stood still, as far as anybody noticed. */
class Stalls {
  /** The last stall. */
  from = -Infinity;
  to = -Infinity;
  #counted = 0;
  #total = 0;

  /** Milliseconds of all stalls so far, 200 for each at the most. */
  get total(): number {
    return this.#total;
  }

  get totalBeforeLast(): number {
    return this.#total - this.#counted;
  }

  /** Takes note that the event loop did not turn between two times; how long the whole stall is that this was a part of. */
  note(from: number, to: number): number {
    // A clock that goes back is another clock: somebody fakes the time.
    const another = from > this.to || to < this.to;
    if (another) {
      this.from = from;
      this.#counted = 0;
    }
    this.to = to;
    const length = to - this.from;
    const counted = length > STALL ? Math.ceil(Math.min(length, MAX_STALL)) : 0;
    if (counted > this.#counted) {
      this.#total += counted - this.#counted;
      this.#counted = counted;
    }
    return length;
  }
}

/** It is the process that stands still, so all connections keep one account; a clock made for a test has its own. */
const accounts = new WeakMap<Clock, Stalls>();

function stallsOf(clock: Clock): Stalls {
  let stalls = accounts.get(clock);
  if (stalls === undefined) accounts.set(clock, (stalls = new Stalls()));
  return stalls;
}

/** Decides what is due at one moment. */
export class Verdict {
  readonly #time: number;
  readonly #stalls: number;
  readonly #mostStalls: number;

  constructor(time: number, stalls: number, mostStalls: number) {
    this.#time = time;
    this.#stalls = stalls;
    this.#mostStalls = mostStalls;
  }

  /** When it is due, as far as is known now. */
  dueAt(timed: Timed): number {
    if (timed.chances > 0) return timed.deadline;
    return timed.deadline + Math.min(Math.max(0, this.#stalls - timed.stallsBefore), this.#mostStalls);
  }

  isDue(timed: Timed): boolean {
    return this.dueAt(timed) <= this.#time;
  }
}

/** Whose deadlines are kept. */
export interface DeadlineKeeper {
  /** All that has a deadline. */
  timed(): Iterable<Timed>;
  /** Settles what is due, and returns the earliest time at which something else is. */
  judge(verdict: Verdict): number;
}

/** One timer for all deadlines of a kind, set for the earliest. A timer per call would cost a quarter of a small get. */
export class Deadlines {
  protected readonly clock: Clock;
  protected readonly stalls: Stalls;
  readonly #mostStalls: number;
  readonly #keeper: DeadlineKeeper;
  #timer: Timer | undefined;
  /** When the timer fires. */
  protected due = Infinity;
  /** What the timer has found, until it is carried out. */
  protected found: Verdict | undefined;
  #closed = false;

  /** @param timeout in milliseconds, 0 = no limit: the most that stalls may add to a deadline */
  constructor(clock: Clock, timeout: number, keeper: DeadlineKeeper) {
    this.clock = clock;
    this.stalls = stallsOf(clock);
    this.#mostStalls = timeout || MAX_STALL;
    this.#keeper = keeper;
  }

  /** Makes sure that the timer fires by `deadline`; at once if that has passed, as it may have where only stalls make something not due yet. */
  watch(deadline: number, now = this.clock.now()): void {
    const due = Math.max(deadline, now);
    if (due < this.due) this.#set(due, now);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.close();
  }

  /** Timers that were exchanged for others may never fire, and their time is another: the next deadline sets a new one. */
  protected dropLostTimer(): void {
    if (this.#timer?.isLost) this.#set(Infinity, 0);
  }

  #set(due: number, now: number): void {
    if (this.#closed) return;
    this.#timer?.close();
    this.due = due;
    if (due === Infinity) return;
    // Whole milliseconds, so that what is due after 200 ms is so when a test has let 200 ms pass.
    this.#timer = this.clock.setTimeout(() => { this.#onTime(due); }, Math.max(0, Math.floor(due - now)));
    this.#timer.unref();
  }

  #onTime(due: number): void {
    const now = this.clock.now();
    if (now - due > STALL) {
      const stall = this.stalls.note(due, now);
      // Whether something came due in this stall is judged without the time that this stall adds, also where another connection has noted it.
      const verdict = new Verdict(now, this.stalls.totalBeforeLast, this.#mostStalls);
      for (const timed of this.#keeper.timed()) if (verdict.isDue(timed)) this.giveChance(timed, now, stall);
    }
    // Where a test has faked the timers but not the time, the timers are right, and the time is not that of its stalls.
    const ahead = Math.max(0, due - now);
    const verdict = ahead > STALL ? new Verdict(due, 0, 0) : this.verdict(now + ahead);
    let next = Infinity;
    for (const timed of this.#keeper.timed()) next = Math.min(next, verdict.dueAt(timed));
    if (next > now + ahead) {
      this.#set(next, now + ahead);
      return;
    }
    // Timers come before input: the socket is read once more first.
    this.found = verdict;
    this.clock.setImmediate(() => {
      this.found = undefined;
      if (this.#closed) return;
      const later = withoutStacks(() => this.#keeper.judge(verdict));
      this.#set(later, this.clock.now() + ahead);
    });
  }

  protected verdict(time: number): Verdict {
    return new Verdict(time, this.stalls.total, this.#mostStalls);
  }

  /**
   * Gives a chance to what came due in a stall, where its timer has not fired yet: it goes on elsewhere before that.
   *
   * @param stall the length of one that has just ended, in milliseconds
   */
  protected catchUp(timed: Timed, now: number, stall = 0): void {
    const late = Math.max(stall, now - this.verdict(now).dueAt(timed));
    if (late > STALL) this.giveChance(timed, now, late);
  }

  protected giveChance(timed: Timed, now: number, stall: number): void {
    if (timed.chances === 0) timed.giveChance(now + Math.min(Math.max(stall, AFTER_STALL), MAX_STALL));
    else if (timed.chances < MAX_CHANCES) timed.giveChance(now + AFTER_STALL);
  }
}

/** Up to this many calls of a tick the clock is looked at for each of them, then for every 32nd: a look takes 40 ns. */
const EACH_UP_TO = 16;
const EVERY = 32;

/**
 * The deadlines of calls: each begins when it is made, as far as one can tell without looking at the clock each time.
 * The calls of a tick begin together, unless it stands still: what one answer keeps waiting then comes due together.
 */
export class CallDeadlines extends Deadlines {
  readonly #timeout: number;
  /** When the tick began, on the monotonic clock. */
  #tick = 0;
  /** The last look at the clock. */
  #now = 0;
  /** When the calls begin that are made now, and when they are due: in whole milliseconds, as a call keeps it. */
  #since = 0;
  #deadline = 0;
  #calls = 0;

  constructor(clock: Clock, timeout: number, keeper: DeadlineKeeper) {
    super(clock, timeout, keeper);
    this.#timeout = timeout;
  }

  /** To be called before the first call of a tick begins. */
  startTick(): number {
    this.#tick = this.#now = this.clock.now();
    this.#beginFrom(this.#now);
    this.#calls = 0;
    this.dropLostTimer();
    return this.#now;
  }

  /** Starts the call's time, unless it has begun elsewhere, and keeps its deadline. */
  begin(call: Call<unknown>): void {
    if (!call.begun) this.#start(call);
    else if (call.deadline < this.#now) this.catchUp(call, this.#now);
    this.watch(call.deadline, this.#now);
  }

  #start(call: Call<unknown>): void {
    const calls = this.#calls++;
    if (calls > 0 && (calls < EACH_UP_TO || calls % EVERY === 0)) {
      const now = this.look();
      if (now - this.#since > STALL) this.#beginFrom(now);
    }
    call.begin(this.#deadline, this.stalls.total);
  }

  #beginFrom(time: number): void {
    this.#since = time;
    this.#deadline = this.#timeout === 0 ? Infinity : Math.ceil(time + this.#timeout);
  }

  /** To be called when the tick ends, and when what began in it goes on: the caller may have held up the event loop. */
  look(): number {
    this.#now = this.clock.now();
    if (this.#now - this.#tick > STALL && !this.clock.isDriven) this.stalls.note(this.#tick, this.#now);
    return this.#now;
  }
}

/**
 * Calls back when `timed` is due, unless the returned timer is closed first.
 *
 * @param timeout in milliseconds, 0 = no limit: the most that stalls may add
 */
export function fairTimeout(clock: Clock, timed: Timed, timeout: number, callback: () => void): { close(): void } {
  const deadlines = new Deadlines(clock, timeout, {
    timed: () => [timed],
    judge: (verdict) => {
      if (!verdict.isDue(timed)) return verdict.dueAt(timed);
      callback();
      return Infinity;
    },
  });
  deadlines.watch(timed.deadline);
  return deadlines;
}

/** The deadline of something that is no call, or none yet, and begins now. */
export class OneDeadline implements Timed {
  deadline: number;
  readonly stallsBefore: number;
  chances = 0;

  /** @param timeout in milliseconds, 0 = no limit */
  constructor(clock: Clock, timeout: number, deadline = clock.now() + (timeout || Infinity)) {
    this.deadline = deadline;
    this.stallsBefore = stallsOf(clock).total;
  }

  giveChance(deadline: number): void {
    this.deadline = deadline;
    this.chances++;
  }
}
