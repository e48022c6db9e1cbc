import type { Place } from '../exchange/leases';
import { leadOf, type Caller, type Old } from './caller';
import type { Flight } from './flight';
import type { ReadingContext } from './reading-context';

/** The way around the cache, for callers to whom it gives nothing in time: still one load per key in this process. */
export class Bypass {
  readonly #context: ReadingContext;

  constructor(context: ReadingContext) {
    this.#context = context;
  }

  /** Loads without the cache. */
  around(place: Place, callers: Caller[]): void {
    const { loads, near, events, slots, failed } = this.#context;
    const lead = leadOf(callers);
    if (lead === undefined) return;
    const flight = loads.of(place.wireKey);
    const paused = failed.pausing(place.wireKey);
    if (flight?.loading === true) {
      this.join(flight, callers);
      return;
    }
    const spare = near?.lastResort(place);
    if (spare !== undefined) for (const caller of callers) caller.old ??= near?.lastResort(place) ?? spare;
    // A value past its time is better than to wait for the turn of a load.
    if (paused !== undefined || (spare !== undefined && !slots.free)) {
      for (const caller of callers) {
        if (caller.old === undefined) caller.reject(paused?.error);
        else if (caller.answer(caller.old.value)) events.emit('error-hit', place.key, { zone: 'error', ageMs: caller.old.ageMs });
      }
      return;
    }
    loads.begin({ place, lead, callers, claim: 'none', leaseEnds: 0, old: this.#forLoader(place, lead), zone: lead.old === undefined ? 'cold' : 'error' });
  }

  /** Another process's load takes too long: it is loaded here as well. */
  impatient(place: Place, callers: Caller[], cas: string, ends: number): void {
    const { loads, events } = this.#context;
    const lead = leadOf(callers);
    if (lead === undefined) return;
    const flight = loads.of(place.wireKey);
    // A load of this process for another place-holder, that began before they asked: somebody may have deleted since what it loads.
    if (flight?.joinable === true && (flight.isFor(cas) || callers.every(({ since }) => flight.beginsAfter(since)))) {
      this.join(flight, callers);
      return;
    }
    events.emit('impatient', place.key);
    loads.begin({ place, lead, callers, claim: 'guard', cas, leaseEnds: ends, old: this.#forLoader(place, lead), zone: lead.old === undefined ? 'cold' : 'error' });
  }

  /** A copy: the caller may get its old value, and change it, before the loader is done with that. */
  #forLoader({ key }: Place, { old }: Caller): Old | undefined {
    return old && { value: this.#context.copyOf(key, old.value), ageMs: old.ageMs };
  }

  /** Those of the callers that still wait get what `flight` loads. */
  join(flight: Flight, callers: readonly Caller[]): void {
    for (const caller of callers) if (!caller.settled) this.#context.loads.join(flight, caller);
  }
}
