import type { Place } from '../exchange/leases';
import type { Caller, Old } from './caller';
import type { Turn } from './slots';

/**
 * Why a process loads a key, and so what its result may replace:
 *
 * - `lease`: an empty place-holder of its own; freed when the load fails
 * - `token`: an outdated item, or one that cannot be read; left as it is when the load fails, so that nobody tries again before the
 *   lease has passed
 * - `guard`: what another process has the lease or the token of, since that takes too long
 * - `none`: the cache cannot be reached, or has no room for a place-holder. Nothing is stored: nothing would tell of a deletion during
 *   the load
 */
export type Claim = 'lease' | 'token' | 'guard' | 'none';

/** One load of one key in this process, from its beginning until its result is stored. */
export class Flight {
  readonly place: Place;
  readonly lead: Caller;
  readonly claim: Claim;
  /** The CAS that the item must still have when its result is stored; '' for none. */
  readonly cas: string;
  /** When its item ends by itself, on the monotonic clock; 0 where there is none. */
  readonly leaseEnds: number;
  /** Whether it is a refresh that was begun for no caller: it keeps no process alive, and goes on when those who have joined it go. */
  readonly background: boolean;
  readonly old: Old | undefined;
  callers: Caller[];
  /** `loading`, then `loaded` while its result is stored, or `failed`. */
  state: 'queued' | 'loading' | 'loaded' | 'failed' = 'queued';
  /** Its place in the queue, if it has to wait for one among the loads. */
  turn: Turn | undefined = undefined;
  /** After a write of this process: nobody joins it any more, and its result is stored nowhere. */
  detached = false;
  /** Whether its result is no longer wanted: it was aborted, or took too long. */
  over = false;
  value: unknown = undefined;
  /** Resolves when its result is stored, or is not going to be; undefined as long as there is none, and when nothing is stored. */
  stored: Promise<void> | undefined = undefined;
  /** On the monotonic clock; negative before it starts. */
  startedAt = -1;
  /** The versions of its tags as they were before it began; undefined without tags, or when the tags are a function of the value. */
  tags: string | Promise<string | undefined> | undefined;
  /** The versions of its tags cannot be had, so that its result is not stored. */
  untagged = false;
  /** The count of own writes when it began: after another one the near cache does not take its result. */
  epoch = 0;
  /** Tells those who listen that it has ended; undefined when nobody does, or all know. */
  tellEnd: ((failed: boolean, error: unknown) => void) | undefined = undefined;
  /** Told when it is given up, as part of a load of many keys. */
  onAbort: ((reason: unknown) => void) | undefined = undefined;
  /** Why it was given up. */
  reason: unknown = undefined;
  #controller: AbortController | undefined;
  /** The number of callers from which on those are looked for who have gone. */
  #sweepFrom = 64;

  constructor(place: Place, lead: Caller, callers: Caller[], claim: Claim, cas: string, leaseEnds: number, background: boolean, old: Old | undefined) {
    this.place = place;
    this.lead = lead;
    this.callers = callers;
    this.claim = claim;
    this.cas = cas;
    this.leaseEnds = leaseEnds;
    this.background = background;
    this.old = old;
  }

  /** One more caller waits. Those who have gone are dropped now and then, since a load may last for ever. */
  add(caller: Caller): void {
    if (this.callers.length >= this.#sweepFrom) {
      this.callers = this.callers.filter(({ settled }) => !settled);
      this.#sweepFrom = Math.max(64, 2 * this.callers.length);
    }
    this.callers.push(caller);
  }

  /** Made when the loader first reads it: most never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.over) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.over = true;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /** Whether there is an old value, for its loader or for the caller that it was begun for. */
  get refreshes(): boolean {
    return this.background || this.old !== undefined || this.lead.old !== undefined;
  }

  /** Whether a new caller may get its result. */
  get joinable(): boolean {
    return !this.detached && !this.over && this.state !== 'failed';
  }

  /** Whether its loader has not finished: what it gives is not older than a call that is made now. */
  get loading(): boolean {
    return this.joinable && this.state !== 'loaded';
  }

  /**
   * Whether a caller may get its result who was told of an item with this CAS: that of its own item, which nobody has changed since.
   * A load without the cache has none, so that nobody can tell.
   */
  isFor(cas: string): boolean {
    return this.joinable && (this.claim === 'none' || this.cas === cas);
  }

  /** Whether a caller may get its result who was told that there is no item: its own has ended by itself, and it goes on. */
  outlasts(now: number): boolean {
    return this.loading && now >= this.leaseEnds;
  }

  /** Whether its loader runs, or will run, only after this moment, in whole milliseconds. */
  beginsAfter(moment: number): boolean {
    return this.startedAt < 0 || this.startedAt >= moment + 1;
  }

  /** Whether a caller still waits for it. */
  get wanted(): boolean {
    return this.callers.some((caller) => !caller.settled);
  }
}
