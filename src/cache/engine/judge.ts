import { NO_CAS } from '../../client/command';
import type { EntrySettings } from '../cache-options';
import type { Place } from '../exchange/leases';
import { NO_GUARD, type Reply } from '../exchange/reply';
import { MISS } from '../../serde/serde';
import type { Zone } from '../types';
import type { Bypass } from './bypass';
import { leadOf } from './caller';
import type { Judging, Questions } from './questions';
import type { Read } from './read';
import type { ReadingContext } from './reading-context';
import type { Sightings } from './sightings';
import type { Waits } from './waits';

/** Decides by an answer of the cache: callers get its value, or load, or join a load, or wait for that of another process. */
export class Judge implements Judging {
  readonly #context: ReadingContext;
  readonly #bypass: Bypass;
  readonly #questions: Questions;
  readonly #waits: Waits;
  readonly #sightings: Sightings;
  /** Reads whose entry is judged as soon as the versions of its tags are known. */
  readonly #unjudged = new Map<Read, Reply>();

  constructor(context: ReadingContext, bypass: Bypass, questions: Questions, waits: Waits, sightings: Sightings) {
    this.#context = context;
    this.#bypass = bypass;
    this.#questions = questions;
    this.#waits = waits;
    this.#sightings = sightings;
  }

  judge(read: Read, reply: Reply): void {
    const tags = reply.cold ? this.#tagsOfLoad(read, reply) : reply.tags;
    if (tags !== '' && reply.unreadable === undefined) {
      const valid = this.#context.versions.check(tags);
      if (valid === true) this.#decide(read, reply);
      else if (valid === false) this.#invalid(read, reply);
      else {
        // A part of the same read, within its time limit.
        read.over = false;
        this.#unjudged.set(read, reply);
        void valid.then((is) => {
          if (!this.#unjudged.delete(read)) return;
          read.over = true;
          if (is === true) this.#decide(read, reply);
          else if (is === false) this.#invalid(read, reply);
          else this.#unknown(read, reply);
          read.judged();
        });
        return;
      }
    } else this.#decide(read, reply);
    read.judged();
  }

  judgeLate(read: Read): boolean {
    const reply = this.#unjudged.get(read);
    if (reply === undefined) return false;
    this.#unjudged.delete(read);
    this.#unknown(read, reply);
    return true;
  }

  /** The versions from before a load of this process whose place-holder it is: whoever asks after one has changed does not join it. */
  #tagsOfLoad({ place }: Read, { cas }: Reply): string {
    const flight = this.#context.loads.of(place.wireKey);
    return flight?.isFor(cas) === true && typeof flight.tags === 'string' ? flight.tags : '';
  }

  /** Whether a tag of it has changed cannot be had: others may know, so it stays, and is a miss for this process alone. */
  #unknown(read: Read, reply: Reply): void {
    const { place } = read;
    this.#context.events.emit('miss', place.key);
    if (reply.won) this.#questions.passOn(place, reply.cas);
    this.#bypass.around(place, read.callers);
  }

  /** A tag of it has changed: it goes, so that one reader is chosen anew. */
  #invalid(read: Read, reply: Reply): void {
    const { gate, events } = this.#context;
    events.emit('miss', read.place.key);
    this.#questions.again(read, { onlyFirst: reply.cas === NO_CAS, first: gate.leases?.release(read.place, reply.cas) });
  }

  #decide(read: Read, reply: Reply): void {
    // Nobody can store with a place-holder that guards nothing, so nobody waits for it.
    const nothing = !reply.found || (reply.cold && reply.cas === NO_GUARD);
    if (isDeserted(read) && (nothing || reply.unreadable !== undefined)) this.#desert(read, reply);
    else if (nothing) this.#nothing(read);
    else if (reply.cold) this.#cold(read, reply);
    else if (reply.unreadable !== undefined) this.#unreadable(read, reply);
    else this.#value(read, reply);
  }

  /** All callers have gone meanwhile: nobody asks for a load any more. */
  #desert({ place }: Read, reply: Reply): void {
    if (reply.won && reply.cas !== NO_GUARD) this.#questions.passOn(place, reply.cas);
  }

  /** There is no item, nor a place-holder: none was asked for, or the server had no room for it. */
  #nothing(read: Read): void {
    const { loads, events, failed, clock } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    const flight = loads.of(place.wireKey);
    const paused = failed.pausing(place.wireKey);
    if (flight?.outlasts(clock.now()) === true) this.#bypass.join(flight, callers);
    else if (paused !== undefined) for (const caller of callers) caller.reject(paused.error);
    else if (read.lease === 0) this.#questions.again(read);
    else {
      events.emit('miss', place.key);
      loads.begin({ place, lead, callers, claim: 'none', leaseEnds: 0, zone: 'cold' });
    }
  }

  #cold(read: Read, reply: Reply): void {
    const { loads, events, storing, clock } = this.#context;
    const { place, lead, callers } = read;
    const flight = loads.of(place.wireKey);
    if (reply.won) {
      events.emit('miss', place.key);
      events.emit('lease-won', place.key);
      if (callers.every((caller) => caller.settled)) {
        void storing.free(place, reply.cas);
        return;
      }
      if (flight?.outlasts(clock.now()) === true) {
        // Nobody has ended its lease: that was over.
        void storing.free(place, reply.cas);
        this.#bypass.join(flight, callers);
        return;
      }
      // One that was made by another reader, and invalidated since, ends when that one's lease would.
      const seconds = reply.ttl < 0 ? read.lease : Math.min(read.lease, reply.ttl);
      loads.begin({ place, lead: leadOf(callers) ?? lead, callers, claim: 'lease', cas: reply.cas, leaseEnds: endOf(read, seconds), zone: 'cold' });
      return;
    }
    if (flight?.isFor(reply.cas) === true) {
      this.#bypass.join(flight, callers);
      return;
    }
    if (read.onJudged === undefined) {
      events.emit('miss', place.key);
      events.emit('lease-lost', place.key);
    }
    this.#waits.add(place, callers, reply.cas, endOf(read, reply.ttl < 0 ? read.lease : reply.ttl));
  }

  /** A miss, except that the item is replaced only if it is still the same. */
  #unreadable(read: Read, reply: Reply): void {
    const { loads, events } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    // Of another version, as a `VersionedSerde` says, is not broken.
    if (reply.unreadable === MISS) events.emit('miss', place.key);
    else events.emit('decode-error', place.key, { error: reply.unreadable });
    const flight = loads.of(place.wireKey);
    if (flight?.isFor(reply.cas) === true) this.#bypass.join(flight, callers);
    // In an older cache: the first has a place for what is loaded.
    else if (reply.cas === NO_CAS) this.#questions.again(read, { onlyFirst: true });
    else loads.begin({ place, lead, callers, claim: 'token', cas: reply.cas, leaseEnds: endOf(read, reply.ttl), zone: 'cold' });
  }

  #value(read: Read, reply: Reply): void {
    const { near } = this.#context;
    const { settings } = read.lead;
    const { ttl } = reply;
    // Tokens do not expire, so it must be known for how long this one has been out, whoever holds it.
    const age = (reply.held || reply.won) && !reply.timed ? this.#sightings.age(read.place.wireKey, reply.cas, this.#context.clock.now()) : 0;
    if (!reply.marked && (ttl === -1 || ttl >= settings.keep || isToldFresh(read, reply))) {
      if (reply.wanted) near?.onRead(read, reply);
      this.#hit(read, reply, reply.negative ? 'negative-hit' : 'hit', 'fresh');
      if (reply.won) this.#refreshInBackground(read, reply, 'fresh');
      else if (reply.held) {
        if (settings.stale > 0) this.#watch(read, reply, age);
      } else if (ttl !== -1 && ttl < read.wish) this.#questions.askForToken(read);
      return;
    }
    const servable = settings.stale > 0 && (ttl === -1 || ttl >= settings.keep - settings.stale);
    if (servable && (!reply.won || settings.softTimeout === 0)) {
      this.#hit(read, reply, 'stale-hit', 'stale');
      if (reply.won) this.#refreshInBackground(read, reply, 'stale');
      else if (reply.held) this.#watch(read, reply, age);
      else {
        this.#context.events.emit('refresh-skipped', read.place.key);
        this.#questions.askForToken(read);
      }
      return;
    }
    this.#inFront(read, reply, age, servable ? 'stale' : 'error');
  }

  /** There is an old value, which callers get only if nothing better comes in time. */
  #inFront(read: Read, reply: Reply, age: number, zone: Zone): void {
    if (isDeserted(read)) {
      this.#desert(read, reply);
      return;
    }
    const { loads, gate, events, failed } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    const ageMs = ageOf(reply, lead.settings);
    const old = { value: loadersValue(reply), ageMs };
    for (const [i, caller] of callers.entries()) caller.old = { value: valueFor(reply, i), ageMs };
    const flight = loads.of(place.wireKey);
    if (flight?.isFor(reply.cas) === true) {
      if (reply.won) this.#questions.passOn(place, reply.cas);
      this.#bypass.join(flight, callers);
    } else if (reply.won) loads.begin({ place, lead, callers, claim: 'token', cas: reply.cas, leaseEnds: endOf(read, reply.ttl), old, zone });
    else if (failed.hasRefreshFailed(place.wireKey)) this.#hit(read, reply, 'error-hit', 'error');
    else if (!reply.held) this.#questions.again(read, { forced: true });
    else if (this.#isAbandoned(place, age, lead.settings)) {
      events.emit('take-over', place.key);
      this.#sightings.forget(place.wireKey);
      this.#questions.again(read, { first: gate.leases?.takeOver(place, reply.cas) });
    } else {
      for (const caller of callers) loads.limitWait(place, caller);
      this.#waits.add(place, callers, reply.cas, endOf(read, reply.ttl));
    }
  }

  #hit(read: Read, reply: Reply, event: 'hit' | 'stale-hit' | 'error-hit' | 'negative-hit', zone: Zone): void {
    const { events, clock } = this.#context;
    const { callers, place } = read;
    const { settings } = read.lead;
    for (let i = 0; i < callers.length; i++) {
      const caller = callers[i];
      if (caller?.answer(valueFor(reply, i)) === true) events.emit(event, place.key, events.heard ? { zone, ms: clock.now() - caller.since, ageMs: ageOf(reply, settings) } : undefined);
    }
  }

  /** This reader has the token of a value that is served: the value is loaded anew, and nobody waits for it. */
  #refreshInBackground(read: Read, reply: Reply, zone: Zone): void {
    const { loads, events, settings } = this.#context;
    const { place, lead } = read;
    const unused = loads.of(place.wireKey)?.claim === 'none';
    if (zone === 'fresh' && !unused) events.emit('early-refresh', place.key);
    else if (unused || loads.background >= settings.maxBackground) {
      // The key is being loaded without the cache; or an invalidated item gave its token to whoever reads it, unasked: it is for a
      // reader that can use it.
      events.emit('refresh-skipped', place.key);
      this.#questions.passOn(place, reply.cas);
      return;
    }
    loads.begin({ place, lead, callers: [], claim: 'token', cas: reply.cas, leaseEnds: endOf(read, reply.ttl), background: true, old: { value: loadersValue(reply), ageMs: ageOf(reply, lead.settings) }, zone });
  }

  /** Another process has the token of a value that is still served. If it has had it for too long, it may be dead. */
  #watch(read: Read, reply: Reply, age: number): void {
    const { gate, events, pending } = this.#context;
    const { place, lead } = read;
    if (this.#context.loads.of(place.wireKey)?.cas === reply.cas) return;
    if (!this.#isAbandoned(place, age, lead.settings)) return;
    const { leases } = gate;
    if (leases === undefined) return;
    const work = leases.takeOver(place, reply.cas).then((done) => {
      if (!done) return;
      events.emit('take-over', place.key);
      this.#sightings.forget(place.wireKey);
      this.#questions.send(leases, this.#questions.question(place, lead, []));
    });
    pending.track(work, (error) => {
      events.emit('cache-error', place.key, { error });
    });
  }

  #isAbandoned(place: Place, age: number, settings: EntrySettings): boolean {
    return age > this.#context.durations.lease(place.wireKey, settings.lease) * 1000;
  }
}

/**
 * From when on the item may have expired, and the lease or token with it: servers count whole seconds, so that is up to a second
 * early. Callers that come later join the load: its result is still good.
 *
 * @param seconds that it lives; -1 for ever
 */
function endOf({ sentAt }: Read, seconds: number): number {
  return seconds < 0 ? Infinity : sentAt + (seconds - 1) * 1000;
}

/**
 * Whether the server was asked for the token of what is no longer fresh, and has not said that there is one to be had. Of more than 30 days
 * it is told the date, by the clock of this process, and answers with the time to live by its own: where they differ the token is right.
 */
function isToldFresh({ refresh, lead }: Read, { won, held }: Reply): boolean {
  return refresh > 0 && refresh >= lead.settings.keep && !won && !held;
}

/** How old the value is, in milliseconds, if its time to live tells. */
function ageOf({ ttl, marked, negative }: Reply, { expire, keep }: EntrySettings): number | undefined {
  if (typeof expire !== 'number' || ttl === -1 || marked || negative) return undefined;
  return Math.max(0, expire + keep - ttl) * 1000;
}

/** Whether all who asked have gone; a read in the background has nobody who could go. */
function isDeserted({ callers }: Read): boolean {
  return callers.length > 0 && leadOf(callers) === undefined;
}

/** Of a reply with the token: what the loader is given as the old value. */
function loadersValue({ copies, value }: Reply): unknown {
  return copies === undefined ? value : copies.at(-1);
}

function valueFor(reply: Reply, index: number): unknown {
  return index === 0 ? reply.value : (reply.copies?.[index - 1] ?? reply.value);
}
