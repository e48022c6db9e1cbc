import { AsyncResource } from 'node:async_hooks';
import { loads as channel, observed, type LoadMessage } from '../../client/observe';
import { CacheLoadTimeoutError, MemcacheOverloadedError } from '../../errors';
import type { Clock, Timer } from '../../runtime/clock';
import type { CacheSettings } from '../cache-options';
import type { Events } from '../events';
import type { Place } from '../exchange/leases';
import type { Zone } from '../types';
import type { Caller, Old } from './caller';
import type { FailedLoads } from './failed-loads';
import { Flight, type Claim } from './flight';
import type { Pending } from './pending';
import type { Seats, Slots } from './slots';
import type { Storing } from './storing';

/** What is needed to begin a load. */
export interface LoadRequest {
  readonly place: Place;
  /** The caller whose loader, options and async context are used. */
  readonly lead: Caller;
  /** The callers that wait for it. */
  readonly callers: Caller[];
  readonly claim: Claim;
  readonly cas?: string;
  readonly leaseEnds?: number;
  readonly background?: boolean;
  readonly old?: Old | undefined;
  readonly zone: Zone;
}

/** The parts of the cache that loads use. */
export interface LoadsContext {
  readonly settings: CacheSettings;
  readonly clock: Clock;
  readonly events: Events;
  readonly slots: Slots;
  readonly pending: Pending;
  readonly storing: Storing;
  readonly origin: { readonly clientId: number; readonly name: string };
  readonly failed: FailedLoads;
}

/** All loads of a cache: one at a time per key, and at most `maxLoads` in all. */
export class Loads {
  readonly #context: LoadsContext;
  readonly #flights = new Map<string, Flight>();
  /** Every load under way, those that were detached from their key included. */
  readonly #running = new Set<Flight>();
  /** Those of them that were detached from their key. */
  readonly #detached = new Set<Flight>();
  /** In the async context of the cache's creation: refreshes belong to no request. */
  readonly #resource = new AsyncResource('TsmemcacheRefresh', { requireManualDestroy: true });
  #background = 0;

  constructor(context: LoadsContext) {
    this.#context = context;
  }

  get flights(): number {
    return this.#flights.size;
  }

  /** Refreshes under way. */
  get background(): number {
    return this.#background;
  }

  /** The load of a key, if callers may join it. */
  of(wireKey: string): Flight | undefined {
    return this.#flights.size === 0 ? undefined : this.#flights.get(wireKey);
  }

  /** From now on no caller joins the load of this key, and its result is not stored. */
  detach(wireKey: string): void {
    const flight = this.#flights.get(wireKey);
    if (flight === undefined) return;
    flight.detached = true;
    this.#flights.delete(wireKey);
    if (this.#running.has(flight)) this.#detached.add(flight);
  }

  detachAll(which: (flight: Flight) => boolean): void {
    for (const [wireKey, flight] of this.#flights) if (which(flight)) this.detach(wireKey);
  }

  /** Adds a caller to a load that is under way, or has just finished. */
  join(flight: Flight, caller: Caller): void {
    if (flight.state === 'loaded') this.#answer(flight, caller);
    else {
      flight.add(caller);
      this.limitWait(flight.place, caller);
      caller.decide();
    }
  }

  /** To be called when a caller has given up. */
  onGone(wireKey: string): void {
    this.#endUnused(this.#flights.get(wireKey));
    // A write of this process has taken it from its key, but not from its callers.
    for (const flight of this.#detached) if (flight.place.wireKey === wireKey) this.#endUnused(flight);
  }

  #endUnused(flight: Flight | undefined): void {
    if (flight === undefined || flight.background || flight.wanted) return;
    // Others could have its place in the queue.
    if (flight.state === 'queued' || (flight.state === 'loading' && flight.lead.settings.abortUnused)) {
      this.#end(flight, new DOMException('no caller waits for this load any more', 'AbortError'), false);
    }
  }

  begin({ place, lead, callers, claim, cas = '', leaseEnds = Infinity, background = false, old, zone }: LoadRequest): Flight {
    const flight = new Flight(place, lead, callers, claim, cas, leaseEnds, background, old);
    this.detach(place.wireKey);
    this.#flights.set(place.wireKey, flight);
    this.#running.add(flight);
    this.#context.pending.begin();
    if (background) this.#background++;
    for (const caller of callers) this.limitWait(place, caller);
    const { events } = this.#context;
    const seats = this.#seatsOf(flight);
    if (seats.take()) this.#start(flight, zone);
    else {
      const turn = seats.wait();
      if (turn === undefined) {
        events.emit('overloaded', place.key);
        this.#refuse(flight);
      } else {
        flight.turn = turn;
        // The callback keeps the async context of the first caller, which is the present one.
        void turn.come.then(() => {
          if (flight.over) seats.give();
          else this.#start(flight, zone);
        });
      }
    }
    for (const caller of callers) caller.decide();
    return flight;
  }

  abortAll(reason: unknown): void {
    for (const flight of [...this.#running]) if (flight.state === 'loading' || flight.state === 'queued') this.#end(flight, reason, false);
  }

  #start(flight: Flight, zone: Zone): void {
    const { clock, events, storing } = this.#context;
    const { place, old } = flight;
    flight.state = 'loading';
    flight.startedAt = clock.now();
    events.emit(flight.refreshes ? 'refresh' : 'load', place.key, { zone, ageMs: old?.ageMs });
    const prepared = storing.prepare(flight);
    if (prepared === undefined) this.#run(flight);
    else {
      // What is loaded before the versions of its tags are known may be older than they are.
      void prepared.then(() => {
        if (!flight.over) this.#run(flight);
      });
    }
  }

  #run(flight: Flight): void {
    const { clock, events, origin } = this.#context;
    const { lead, place, background, old } = flight;
    flight.startedAt = clock.now();
    const context = {
      key: place.key,
      old: old?.value,
      get signal(): AbortSignal {
        return flight.signal;
      },
    };
    const inBatch = lead.load.slot !== undefined;
    const call = (): unknown => (inBatch ? lead.load(context, { flight, onBegun: () => { this.#limitLoad(flight); } }) : lead.load(context));
    const run = background ? (): unknown => this.#resource.runInAsyncScope(call) : call;
    // In the context of the stores bound to the channel, its end too, as with Node's `tracePromise`.
    const begin = (): void => {
      const result = run();
      if (!inBatch) this.#limitLoad(flight);
      Promise.resolve(result).then(
        (value) => {
          this.#settle(flight, value, undefined, false);
        },
        (error: unknown) => {
          this.#settle(flight, undefined, error, true);
        },
      );
    };
    try {
      if (channel.heard) {
        const key = events.keyShown(place.key);
        const message: LoadMessage = { ...origin, ...(key !== undefined && { key }), ...(old?.ageMs !== undefined && { ageMs: old.ageMs }) };
        const beginHeard = (): void => {
          // Others may end it, in a context of theirs.
          flight.tellEnd = AsyncResource.bind((failed: boolean, error: unknown) => {
            // The object that `start` had: who listens knows the load by it.
            message.outcome = failed ? 'load-error' : 'loaded';
            if (failed) message.error = observed(error);
            channel.finish(message);
          });
          begin();
        };
        channel.begin(message, beginHeard, undefined);
      } else begin();
    } catch (error) {
      this.#settle(flight, undefined, error, true);
    }
  }

  /** Tells of the end of a load, unless that was done, nobody listened when it began, or it has not begun. */
  #tellEnd(flight: Flight, failed: boolean, error: unknown): void {
    const { tellEnd } = flight;
    flight.tellEnd = undefined;
    tellEnd?.(failed, error);
  }

  /** The loader has finished, in time or not. */
  #settle(flight: Flight, value: unknown, error: unknown, failed: boolean): void {
    const { clock, events, pending, storing } = this.#context;
    const { place } = flight;
    const ms = clock.now() - flight.startedAt;
    this.#tellEnd(flight, failed, error);
    if (flight.over) {
      events.emit('late-load', place.key, { ms });
      return;
    }
    this.#leave(flight);
    if (failed) {
      events.emit('load-error', place.key, { ms, error });
      this.#fail(flight, error, true);
      return;
    }
    flight.state = 'loaded';
    flight.value = value;
    // Sent before the callers are answered, so that it comes before whatever they ask next.
    flight.stored = storing.store(flight, value, ms);
    for (const caller of flight.callers) this.#answer(flight, caller);
    flight.callers.length = 0;
    if (flight.stored === undefined) {
      this.#forget(flight);
      pending.end();
      return;
    }
    void flight.stored.then(() => {
      this.#forget(flight);
      pending.end();
    });
  }

  /** @param tried whether that is the fault of its loader, or of too many loads */
  #fail(flight: Flight, error: unknown, tried: boolean): void {
    const { pending, storing, failed } = this.#context;
    flight.state = 'failed';
    this.#forget(flight);
    if (tried) failed.add(flight, error);
    const released = tried ? storing.release(flight, false) : storing.giveBack(flight);
    for (const caller of flight.callers) this.#disappoint(flight, caller, error);
    flight.callers.length = 0;
    if (released === undefined) pending.end();
    else void released.then(() => { pending.end(); });
  }

  /**
   * Ends a flight before its loader has finished.
   *
   * @param late whether it took too long; else it is not wanted any more, or the cache was closed
   */
  #end(flight: Flight, reason: unknown, late: boolean): void {
    const queued = flight.state === 'queued';
    flight.abort(reason);
    // Its loader may never finish.
    this.#tellEnd(flight, true, reason);
    if (queued) this.#unqueue(flight);
    else this.#leave(flight);
    this.#fail(flight, reason, late);
  }

  /** Refuses a load, since too many wait. */
  #refuse(flight: Flight): void {
    const { maxLoads, maxQueuedLoads } = this.#context.settings;
    flight.over = true;
    this.#unqueue(flight);
    this.#fail(flight, new MemcacheOverloadedError(`${maxLoads} loads are under way and ${maxQueuedLoads} are waiting; see maxLoads and maxQueuedLoads`), true);
  }

  /** It has no place among the loads to give back. */
  #unqueue(flight: Flight): void {
    flight.turn?.leave();
    this.#endRun(flight);
  }

  #leave(flight: Flight): void {
    if (this.#endRun(flight)) this.#seatsOf(flight).give();
  }

  /** @returns whether it was under way */
  #endRun(flight: Flight): boolean {
    if (!this.#running.delete(flight)) return false;
    this.#detached.delete(flight);
    this.#timers.get(flight)?.close();
    this.#timers.delete(flight);
    if (flight.background) this.#background--;
    return true;
  }

  #seatsOf({ lead }: Flight): Seats {
    return lead.load.slot ?? this.#context.slots;
  }

  #forget(flight: Flight): void {
    const { wireKey } = flight.place;
    if (this.#flights.get(wireKey) === flight) this.#flights.delete(wireKey);
  }

  #answer(flight: Flight, caller: Caller): void {
    if (!caller.answer(flight.value)) return;
    const counted = caller === flight.lead && !flight.refreshes;
    if (!counted) this.#context.events.emit('joined', flight.place.key);
  }

  #disappoint(flight: Flight, caller: Caller, error: unknown): void {
    const { events } = this.#context;
    const { key } = flight.place;
    if (caller.old !== undefined) {
      if (caller.answer(caller.old.value)) events.emit('error-hit', key, { zone: 'error', ageMs: caller.old.ageMs });
      return;
    }
    const counted = (caller === flight.lead && !flight.refreshes) || flight.startedAt < 0;
    if (caller.reject(error) && !counted) events.emit('joined', key);
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #timers = new Map<Flight, Timer>();

  #limitLoad(flight: Flight): void {
    const { loadTimeout } = flight.lead.settings;
    // A loader may end its own load before it returns, by the signal of its caller.
    if (loadTimeout === 0 || flight.over || this.#timers.has(flight)) return;
    const timer = this.#context.clock.setTimeout(() => {
      const error = new CacheLoadTimeoutError(`the loader took longer than ${loadTimeout} ms; see loadTimeout`);
      this.#context.events.emit('load-timeout', flight.place.key, { ms: loadTimeout });
      this.#end(flight, error, true);
    }, loadTimeout);
    // A refresh does not keep the process alive; a load that a caller awaits does, like any call.
    if (flight.background) timer.unref();
    this.#timers.set(flight, timer);
  }

  /** Whoever has an old value waits for `softTimeout` at the most. */
  limitWait(place: Place, caller: Caller): void {
    const { softTimeout } = caller.settings;
    // Its time runs from the first time that it had to wait.
    if (caller.old === undefined || softTimeout === 0 || caller.onSettled !== undefined) return;
    const { clock, events } = this.#context;
    const timer = clock.setTimeout(() => {
      if (caller.old !== undefined && caller.answer(caller.old.value)) events.emit('stale-hit', place.key, { zone: 'stale', ageMs: caller.old.ageMs });
    }, softTimeout);
    caller.onSettled = () => {
      timer.close();
    };
  }
}
