import { AsyncResource } from 'node:async_hooks';
import type { Clock, Timer } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { Place } from '../exchange/leases';
import type { Caller } from './caller';

const FIRST = 10;
const LONGEST = 50;
/** Questions that are due within this part of the pause before them are put together: many keys in one write. */
const TOGETHER = 0.1;

class Wait {
  readonly place: Place;
  /** Many share a timer, and each is to load in the context of the call that began to wait. */
  readonly context = new AsyncResource('TsmemcacheWait', { requireManualDestroy: true });
  callers: Caller[] = [];
  cas = '';
  ends = 0;
  pause = FIRST;
  /** When it is asked again; undefined while nothing is scheduled. */
  timer: Timer | undefined = undefined;
  asking = false;

  constructor(place: Place) {
    this.place = place;
  }
}

/** What happens to callers that wait. */
export interface WaitActions {
  /** Asks again for these callers. When the answer has been judged, `done` is called. */
  ask(place: Place, callers: Caller[], done: () => void): void;
  /** These callers have waited for `leaseWait`. */
  impatient(place: Place, callers: Caller[], cas: string, ends: number): void;
}

/** Callers whose value another process is loading: one question per key is repeated for all, at growing intervals. */
export class Waits {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #actions: WaitActions;
  readonly #waits = new Map<string, Wait>();
  /** By the time at which they are due, in milliseconds: one timer for all that are due at the same time. */
  readonly #due = new Map<number, { readonly timer: Timer; readonly waits: Wait[] }>();

  constructor(clock: Clock, random: Random, actions: WaitActions) {
    this.#clock = clock;
    this.#random = random;
    this.#actions = actions;
  }

  /**
   * @param cas that of the place-holder or token of the other process
   * @param ends when that ends by itself, on the monotonic clock
   */
  add(place: Place, callers: readonly Caller[], cas: string, ends: number): void {
    let wait = this.#waits.get(place.wireKey);
    if (wait === undefined) this.#waits.set(place.wireKey, (wait = new Wait(place)));
    // One by one: there may be more than a call can have arguments.
    for (const caller of callers) wait.callers.push(caller);
    wait.cas = cas;
    wait.ends = ends;
    if (!wait.asking) this.#schedule(wait);
    for (const caller of callers) caller.decide();
  }

  #schedule(wait: Wait): void {
    if (isSet(wait.timer)) return;
    const now = this.#clock.now();
    let delay = wait.pause * (0.75 + 0.5 * this.#random());
    const usual = delay;
    for (const caller of wait.callers) delay = Math.min(delay, Math.max(0, caller.since + caller.settings.leaseWait - now));
    const patient = delay === usual;
    const step = Math.max(1, Math.floor(wait.pause * TOGETHER));
    wait.pause = Math.min(LONGEST, wait.pause * 1.5);
    // Never later than it would be, and not before somebody's patience is at its end.
    const due = patient ? Math.max(now, Math.floor((now + delay) / step) * step) : now + delay;
    const others = this.#due.get(due);
    if (others !== undefined && isSet(others.timer)) {
      others.waits.push(wait);
      wait.timer = others.timer;
      return;
    }
    const waits = [wait];
    // It keeps the process alive, like any call that a caller awaits.
    const timer = this.#clock.setTimeout(() => {
      this.#due.delete(due);
      for (const each of waits) {
        each.timer = undefined;
        each.context.runInAsyncScope(() => { this.#onTime(each); });
      }
    }, due - now);
    wait.timer = timer;
    this.#due.set(due, { timer, waits });
  }

  #onTime(wait: Wait): void {
    const callers = wait.callers.filter((caller) => !caller.settled);
    wait.callers = [];
    if (callers.length === 0) {
      this.#end(wait);
      return;
    }
    const now = this.#clock.now();
    if (callers.some(({ since, settings }) => now >= since + settings.leaseWait)) {
      this.#end(wait);
      this.#actions.impatient(wait.place, callers, wait.cas, wait.ends);
      return;
    }
    wait.asking = true;
    this.#actions.ask(wait.place, callers, () => {
      wait.asking = false;
      if (wait.callers.length > 0) this.#schedule(wait);
      else this.#end(wait);
    });
  }

  #end({ place }: Wait): void {
    this.#waits.delete(place.wireKey);
  }
}

/** Not if the process's timers were replaced since. */
function isSet(timer: Timer | undefined): boolean {
  return timer !== undefined && timer.isLost !== true;
}
