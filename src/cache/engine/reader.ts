import { NO_CAS } from '../../client/command';
import { MemcacheError, MemcacheTimeoutError, MemcacheUnknownCommandError } from '../../errors';
import { nextTick, type Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { CacheSettings, EntrySettings } from '../cache-options';
import type { Events } from '../events';
import type { Chunks } from '../exchange/chunks';
import type { Gate } from '../exchange/gate';
import type { Leases, Place } from '../exchange/leases';
import { NO_GUARD, type Reply } from '../exchange/reply';
import type { Circuits } from '../health/circuit';
import { RecentMap } from '../recent-map';
import type { Versions } from '../tags/versions';
import type { Zone } from '../types';
import type { Caller } from './caller';
import { LONGEST_LEASE, type Durations } from './durations';
import type { Flight } from './flight';
import type { Loads } from './loads';
import type { Pending } from './pending';
import { Read, type NearTaker } from './read';
import { Sightings } from './sightings';
import type { Slots } from './slots';
import type { Storing } from './storing';
import { leftOf, type TimeLimits } from '../time-limits';
import { Waits } from './waits';

/** The parts of the cache that reading uses. */
export interface ReaderContext {
  readonly settings: CacheSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly gate: Gate;
  readonly circuits: Circuits;
  readonly loads: Loads;
  readonly slots: Slots;
  readonly durations: Durations;
  readonly storing: Storing;
  readonly versions: Versions;
  readonly limits: TimeLimits;
  readonly pending: Pending;
  readonly chunks: Chunks;
  readonly near: NearTaker | undefined;
  /** The server that owns a key; '' where that is not known. */
  readonly serverOf: (place: Place) => string;
  /** How often this process has written. */
  readonly epoch: () => number;
}

/** How often a key is asked for when its entry turns out to be unusable. */
const ROUNDS = 3;

/** Carries out reads: asks the cache, and by its answer resolves the call, loads, joins a load, or waits. */
export class Reader {
  readonly #context: ReaderContext;
  /** The questions of this tick: calls for the same key share the answer. */
  #tick = new Map<string, Read>();
  readonly #sightings = new Sightings();
  readonly #waits: Waits;
  /** Keys whose load failed, and until when they are not loaded again. */
  readonly #errors = new RecentMap<string, { readonly error: unknown; readonly until: number }>();
  /** Keys whose refresh failed in this process. */
  readonly #failedRefreshes = new RecentMap<string, number>();
  /** Reads whose entry is judged as soon as the versions of its tags are known. */
  readonly #unjudged = new Map<Read, Reply>();
  /** When this tick began, in whole milliseconds. */
  #now = 0;
  /** Questions under way whose answer may begin a refresh. */
  #reserved = 0;
  readonly #onLate = (read: Read): void => {
    this.#late(read);
  };
  readonly #endTick = (): void => {
    // A Map that is cleared hands its old table on to the new one: once in the old space, a table keeps all later ones alive.
    this.#tick = new Map();
  };

  constructor(context: ReaderContext) {
    this.#context = context;
    this.#waits = new Waits(context.clock, context.random, {
      ask: (place, callers, done) => {
        this.#ask(place, callers, done);
      },
      impatient: (place, callers, cas) => {
        this.#impatient(place, callers, cas);
      },
    });
  }

  /**
   * Begins a read; the caller will get its answer.
   *
   * @param limit milliseconds that are left for it
   */
  read(place: Place, caller: Caller, limit: number): void {
    // The clock is read once per tick; whole milliseconds need no object of their own on the heap.
    if (this.#tick.size === 0) this.#now = Math.floor(this.#context.clock.now());
    caller.since = this.#now;
    const shared = this.#tick.get(place.wireKey);
    // An executor may answer within the tick; and each call has its own time limit.
    if (shared?.over === false && shared.lead.settings.cacheTimeout === caller.settings.cacheTimeout) {
      shared.callers.push(caller);
      return;
    }
    const { gate, circuits, serverOf } = this.#context;
    const server = circuits.quiet ? undefined : serverOf(place);
    if (server !== undefined && !circuits.admits(server)) {
      this.#without(place, [caller]);
      return;
    }
    const read = new Read(place, caller, [caller], this.#onLate);
    read.server = server;
    if (this.#tick.size === 0) nextTick(this.#endTick);
    this.#tick.set(place.wireKey, read);
    if (gate.leases === undefined) void this.#open(read, limit);
    else this.#send(gate.leases, read, this.#now, limit);
  }

  /** Whether a question to the server of this key would go out now. */
  mayAsk(place: Place): boolean {
    const { circuits, serverOf } = this.#context;
    return circuits.quiet || !circuits.isOpen(serverOf(place));
  }

  /** A question that somebody else has put for this caller was not answered in time, or failed. */
  unanswered(place: Place, caller: Caller, error: unknown): void {
    caller.since = Math.floor(this.#context.clock.now());
    const read = new Read(place, caller, [caller], this.#onLate);
    read.due = caller.since + caller.settings.cacheTimeout;
    this.#onError(read, error);
  }

  /** The version of the namespace cannot be had: the value is loaded without the cache. */
  unplaced(place: Place, caller: Caller): void {
    const { clock, events } = this.#context;
    caller.since = Math.floor(clock.now());
    events.emit('cache-error', place.key, { error: new MemcacheError('the server does not tell the version of the namespace') });
    this.#without(place, [caller]);
  }

  /** A write of this process: nobody joins what is under way. */
  forget(wireKey: string): void {
    this.#tick.delete(wireKey);
    this.#context.loads.detach(wireKey);
    this.#errors.delete(wireKey);
    this.#sightings.forget(wireKey);
  }

  forgetAll(which: (flight: Flight) => boolean): void {
    this.#tick = new Map();
    this.#context.loads.detachAll(which);
  }

  onFailed(flight: Flight, error: unknown): void {
    const { clock, durations } = this.#context;
    const { place, lead, claim, old } = flight;
    // Also when it was another process's turn, and this one has grown impatient: it need not try again at once.
    if (old !== undefined && (claim === 'token' || claim === 'guard')) this.#failedRefreshes.set(place.wireKey, clock.now() + durations.lease(place.wireKey, lead.settings.lease) * 1000);
    if (old === undefined && lead.settings.errorPause > 0 && flight.startedAt >= 0 && !(flight.over && lead.settings.abortUnused)) {
      this.#errors.set(place.wireKey, { error, until: clock.now() + lead.settings.errorPause });
    }
  }

  // ── asking ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Waits until it is known what the servers can do. */
  async #open(read: Read, limit: number): Promise<void> {
    const { gate, clock } = this.#context;
    // The first connection takes nothing of the time limit.
    const startedAt = gate.isPatient ? Infinity : clock.now();
    try {
      await gate.ready(limit);
    } catch (error) {
      this.#onError(read, error);
      return;
    }
    if (gate.leases === undefined) {
      this.#failed(read);
      this.#without(read.place, read.callers);
      return;
    }
    const now = Math.floor(clock.now());
    this.#send(gate.leases, read, now, leftOf(limit, Math.max(0, now - startedAt)));
  }

  #send(leases: Leases, read: Read, now = Math.floor(this.#context.clock.now()), limit = read.lead.settings.cacheTimeout): void {
    const { loads, durations, slots, settings, limits, near, epoch, gate } = this.#context;
    const { place, lead } = read;
    const { wireKey } = place;
    const known = durations.known(wireKey);
    const flight = loads.of(wireKey);
    read.sentAt = now;
    read.epoch = epoch();
    // A token is asked for only if this process could use it.
    const paused = this.#errors.size > 0 && this.#pausedError(wireKey, now) !== undefined;
    read.lease = paused || (flight?.loading === true && now >= flight.leaseEnds) ? 0 : durations.leaseFor(known, lead.settings.lease);
    // Who has waited for another process's load knows that it takes longer than that, or that the process has died.
    if (read.onJudged !== undefined && read.lease > 0) read.lease = Math.min(LONGEST_LEASE, Math.max(read.lease, Math.ceil(1 + (now - lead.since) / 1000)));
    if (flight === undefined) {
      const wish = refreshBelow(lead.settings.keep, durations.early(known, lead.settings));
      const busy = !read.forced && (loads.background + this.#reserved >= settings.maxBackground || !slots.free);
      read.wish = wish;
      read.refresh = busy ? 0 : wish;
      if (wish > 0 && !busy) this.#reserved++;
    } else read.refresh = read.wish = 0;
    read.near = near;
    read.over = false;
    limits.add(read, limit, now);
    const { tags } = lead.settings;
    if (Array.isArray(tags)) this.#context.versions.prefetch(tags as readonly string[]);
    gate.refresh(now, lead.settings.cacheTimeout);
    leases.read(place, read).then(
      (reply) => {
        this.#onReply(read, reply);
      },
      (error: unknown) => {
        this.#onError(read, error);
      },
    );
  }

  /** Asks again for callers that wait. */
  #ask(place: Place, callers: Caller[], done: () => void): void {
    const { gate, circuits, serverOf, loads } = this.#context;
    const [lead] = callers;
    const flight = loads.of(place.wireKey);
    const server = serverOf(place);
    if (lead === undefined) done();
    else if (flight?.joinable === true && flight.claim !== 'lease') {
      this.#join(flight, callers);
      done();
    } else if (gate.leases === undefined || !circuits.admits(server)) {
      this.#without(place, callers);
      done();
    } else {
      const read = new Read(place, lead, callers, this.#onLate);
      read.server = server;
      read.onJudged = done;
      this.#context.events.emit('lease-wait', place.key);
      this.#send(gate.leases, read);
    }
  }

  /**
   * Asks once more, within the time limit of the first question.
   *
   * @param first what is to be done before; its time counts too
   */
  #again(read: Read, { forced = false, onlyFirst = false, first }: { forced?: boolean; onlyFirst?: boolean; first?: Promise<unknown> | undefined } = {}): void {
    const { clock, limits } = this.#context;
    const next = new Read(read.place, read.lead, read.callers, this.#onLate);
    next.round = read.round + 1;
    next.server = read.server;
    next.forced = forced;
    next.onlyFirst = onlyFirst;
    next.onJudged = read.onJudged;
    read.onJudged = undefined;
    const now = Math.floor(clock.now());
    const { cacheTimeout } = read.lead.settings;
    const limit = leftOf(cacheTimeout, cacheTimeout - (read.due - now));
    if (first === undefined) {
      this.#sendAgain(next, now, limit);
      return;
    }
    limits.add(next, limit, now);
    const send = (): void => {
      if (!next.over) this.#sendAgain(next, Math.floor(clock.now()), 0);
    };
    first.then(send, send);
  }

  /** @param limit 0 when its time runs already */
  #sendAgain(next: Read, now: number, limit: number): void {
    const { leases } = this.#context.gate;
    if (leases !== undefined && next.round <= ROUNDS) this.#send(leases, next, now, limit);
    else {
      // What the servers can do could not be asked: if this is the one call that tries a server in trouble, it has failed.
      if (leases === undefined) this.#failed(next);
      next.over = true;
      this.#without(next.place, next.callers);
      next.judged();
    }
  }

  // ── answers ─────────────────────────────────────────────────────────────────────────────────────────────

  #onReply(read: Read, reply: Reply): void {
    if (reply.inPieces) {
      // A part of the same read, within its time limit.
      void this.#context.chunks.fill(reply, read.place, read.copies).then(() => {
        this.#onReply(read, reply);
      });
      return;
    }
    const { circuits, serverOf, storing } = this.#context;
    if (read.refresh > 0) this.#reserved--;
    if (!circuits.quiet) circuits.ok(read.server ?? serverOf(read.place));
    if (read.late) {
      // Its callers have continued without it. Something may have been invalidated between their load and this token, so they
      // must not use it. What guards nothing could take another item in its place.
      if (!reply.won || reply.cas === NO_GUARD) return;
      if (reply.cold) void storing.free(read.place, reply.cas);
      else this.#passOn(read.place, reply.cas);
      return;
    }
    read.over = true;
    this.#judge(read, reply);
  }

  #onError(read: Read, error: unknown): void {
    const { events, gate } = this.#context;
    if (read.refresh > 0) this.#reserved--;
    if (read.late) return;
    read.over = true;
    if (error instanceof MemcacheUnknownCommandError) {
      // Something between tells a version and refuses meta commands: nothing was done, so it is asked once more, without them.
      gate.suspect(error);
      this.#again(read, { first: gate.ready(0) });
      return;
    }
    events.emit(error instanceof MemcacheTimeoutError ? 'cache-timeout' : 'cache-error', read.place.key, { error });
    gate.suspect(error);
    this.#failed(read);
    this.#without(read.place, read.callers);
    read.judged();
  }

  #late(read: Read): void {
    this.#context.events.emit('cache-timeout', read.place.key, { ms: read.lead.settings.cacheTimeout });
    const reply = this.#unjudged.get(read);
    if (reply !== undefined) {
      // The key's own server has answered.
      this.#unjudged.delete(read);
      this.#unknown(read, reply);
    } else {
      this.#failed(read);
      this.#without(read.place, read.callers);
    }
    read.judged();
  }

  #failed({ place, server }: Read): void {
    const { circuits, serverOf, events } = this.#context;
    if (circuits.failed(server ?? serverOf(place))) events.emit('circuit-open', place.key);
  }

  #judge(read: Read, reply: Reply): void {
    if (reply.tags !== '' && reply.unreadable === undefined) {
      const valid = this.#context.versions.check(reply.tags);
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

  /** Whether a tag of it has changed cannot be had: others may know, so it stays, and is a miss for this process alone. */
  #unknown(read: Read, reply: Reply): void {
    const { place } = read;
    this.#context.events.emit('miss', place.key);
    if (reply.won) this.#passOn(place, reply.cas);
    this.#without(place, read.callers);
  }

  /** A tag of it has changed: it goes, so that one reader is chosen anew. */
  #invalid(read: Read, reply: Reply): void {
    const { gate, events } = this.#context;
    events.emit('miss', read.place.key);
    this.#again(read, { onlyFirst: reply.cas === NO_CAS, first: gate.leases?.release(read.place, reply.cas) });
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
    if (reply.won && reply.cas !== NO_GUARD) this.#passOn(place, reply.cas);
  }

  /** There is no item, nor a place-holder: none was asked for, or the server had no room for it. */
  #nothing(read: Read): void {
    const { loads, clock, events } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    const flight = loads.of(place.wireKey);
    const paused = this.#pausedError(place.wireKey, clock.now());
    if (flight?.joinable === true) this.#join(flight, callers);
    else if (paused !== undefined) for (const caller of callers) caller.reject(paused.error);
    else if (read.lease === 0) this.#again(read);
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
      if (flight?.loading === true && clock.now() >= flight.leaseEnds) {
        // Nobody has ended its lease: that was over.
        void storing.free(place, reply.cas);
        this.#join(flight, callers);
        return;
      }
      loads.begin({ place, lead: leadOf(callers) ?? lead, callers, claim: 'lease', cas: reply.cas, leaseEnds: endOf(read, read.lease), zone: 'cold' });
      return;
    }
    if (flight?.joinable === true && flight.cas === reply.cas) {
      this.#join(flight, callers);
      return;
    }
    if (read.onJudged === undefined) {
      events.emit('miss', place.key);
      events.emit('lease-lost', place.key);
    }
    this.#waits.add(place, callers, reply.cas);
  }

  /** A miss, except that the item is replaced only if it is still the same. */
  #unreadable(read: Read, reply: Reply): void {
    const { loads, events } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    events.emit('decode-error', place.key, { error: reply.unreadable });
    const flight = loads.of(place.wireKey);
    if (flight?.joinable === true && (flight.cas === reply.cas || flight.claim === 'none')) this.#join(flight, callers);
    // In an older cache: the first has a place for what is loaded.
    else if (reply.cas === NO_CAS) this.#again(read, { onlyFirst: true });
    else loads.begin({ place, lead, callers, claim: 'token', cas: reply.cas, leaseEnds: 0, zone: 'cold' });
  }

  #value(read: Read, reply: Reply): void {
    const { near } = this.#context;
    const { settings } = read.lead;
    const { ttl } = reply;
    // Tokens do not expire, so it must be known for how long this one has been out, whoever holds it.
    const age = (reply.held || reply.won) && !reply.timed ? this.#sightings.age(read.place.wireKey, reply.cas, this.#context.clock.now()) : 0;
    if (!reply.marked && (ttl === -1 || ttl >= settings.keep)) {
      if (reply.wanted) near?.onRead(read, reply);
      this.#hit(read, reply, reply.negative ? 'negative-hit' : 'hit', 'fresh');
      if (reply.won) this.#refreshInBackground(read, reply, 'fresh');
      else if (reply.held) {
        if (settings.stale > 0) this.#watch(read, reply, age);
      } else if (ttl !== -1 && ttl < read.wish) this.#askForToken(read);
      return;
    }
    const servable = settings.stale > 0 && (ttl === -1 || ttl >= settings.keep - settings.stale);
    if (servable && (!reply.won || settings.softTimeout === 0)) {
      this.#hit(read, reply, 'stale-hit', 'stale');
      if (reply.won) this.#refreshInBackground(read, reply, 'stale');
      else if (reply.held) this.#watch(read, reply, age);
      else {
        this.#context.events.emit('refresh-skipped', read.place.key);
        this.#askForToken(read);
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
    const { loads, clock, gate, events } = this.#context;
    const { place, callers } = read;
    const lead = leadOf(callers) ?? read.lead;
    const ageMs = ageOf(reply, lead.settings);
    const old = { value: loadersValue(reply), ageMs };
    for (const [i, caller] of callers.entries()) caller.old = { value: valueFor(reply, i), ageMs };
    const flight = loads.of(place.wireKey);
    if (reply.won && flight?.joinable === true && flight.claim === 'none') {
      this.#passOn(place, reply.cas);
      this.#join(flight, callers);
    } else if (reply.won) loads.begin({ place, lead, callers, claim: 'token', cas: reply.cas, leaseEnds: endOf(read, reply.ttl), old, zone });
    else if (flight?.joinable === true && (flight.cas === reply.cas || !reply.held)) this.#join(flight, callers);
    else if ((this.#failedRefreshes.get(place.wireKey) ?? 0) > clock.now()) this.#hit(read, reply, 'error-hit', 'error');
    else if (!reply.held) this.#again(read, { forced: true });
    else if (this.#isAbandoned(place, age, lead.settings)) {
      events.emit('take-over', place.key);
      this.#sightings.forget(place.wireKey);
      this.#again(read, { first: gate.leases?.takeOver(place, reply.cas) });
    } else {
      for (const caller of callers) loads.limitWait(place, caller);
      this.#waits.add(place, callers, reply.cas);
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
      this.#passOn(place, reply.cas);
      return;
    }
    loads.begin({ place, lead, callers: [], claim: 'token', cas: reply.cas, leaseEnds: endOf(read, reply.ttl), background: true, old: { value: loadersValue(reply), ageMs: ageOf(reply, lead.settings) }, zone });
  }

  /** Gives a token that this process cannot use to the next reader. */
  #passOn(place: Place, cas: string): void {
    const { gate, events } = this.#context;
    gate.leases?.takeOver(place, cas).catch((error: unknown) => { events.emit('cache-error', place.key, { error }); });
  }

  /**
   * The value should be refreshed, but its reader has not asked for the token, since all others that were under way might have
   * needed the room: it is asked for now, if there is room for it.
   */
  #askForToken({ place, lead, refresh, round }: Read): void {
    const { gate, loads, slots, settings } = this.#context;
    const { leases } = gate;
    if (refresh > 0 || round > 0 || leases === undefined || loads.of(place.wireKey) !== undefined) return;
    if (loads.background + this.#reserved >= settings.maxBackground || !slots.free) return;
    const read = new Read(place, lead, [], this.#onLate);
    // It is not repeated.
    read.round = 1;
    this.#send(leases, read);
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
      this.#send(leases, new Read(place, lead, [], this.#onLate));
    });
    pending.track(work, (error) => {
      events.emit('cache-error', place.key, { error });
    });
  }

  #isAbandoned(place: Place, age: number, settings: EntrySettings): boolean {
    return age > this.#context.durations.lease(place.wireKey, settings.lease) * 1000;
  }

  // ── without the cache ───────────────────────────────────────────────────────────────────────────────────

  /** Loads without the cache; still with one load per key in this process. */
  #without(place: Place, callers: Caller[]): void {
    const { loads, clock, near, events, slots } = this.#context;
    const lead = leadOf(callers);
    if (lead === undefined) return;
    const flight = loads.of(place.wireKey);
    const paused = this.#pausedError(place.wireKey, clock.now());
    if (flight?.loading === true) {
      this.#join(flight, callers);
      return;
    }
    const spare = near?.lastResort(place);
    if (spare !== undefined) for (const caller of callers) caller.old ??= near?.lastResort(place);
    // A value past its time is better than to wait for the turn of a load.
    if (paused !== undefined || (spare !== undefined && !slots.free)) {
      for (const caller of callers) {
        if (caller.old === undefined) caller.reject(paused?.error);
        else if (caller.answer(caller.old.value)) events.emit('error-hit', place.key, { zone: 'error', ageMs: caller.old.ageMs });
      }
      return;
    }
    loads.begin({ place, lead, callers, claim: 'none', leaseEnds: 0, old: lead.old, zone: lead.old === undefined ? 'cold' : 'error' });
  }

  /** Another process's load takes too long. */
  #impatient(place: Place, callers: Caller[], cas: string): void {
    const { loads, events } = this.#context;
    const lead = leadOf(callers);
    if (lead === undefined) return;
    const flight = loads.of(place.wireKey);
    if (flight?.joinable === true) {
      this.#join(flight, callers);
      return;
    }
    events.emit('impatient', place.key);
    loads.begin({ place, lead, callers, claim: 'guard', cas, leaseEnds: 0, old: lead.old, zone: lead.old === undefined ? 'cold' : 'error' });
  }

  #join(flight: Flight, callers: readonly Caller[]): void {
    for (const caller of callers) if (!caller.settled) this.#context.loads.join(flight, caller);
  }

  #pausedError(wireKey: string, now: number): { readonly error: unknown } | undefined {
    const paused = this.#errors.get(wireKey);
    return paused !== undefined && paused.until > now ? paused : undefined;
  }
}

/**
 * The time to live below which the server tells a reader to refresh. It compares strictly, and an item that is not kept has one
 * second left in its last second.
 */
function refreshBelow(keep: number, early: number): number {
  return keep === 0 && early > 0 ? early + 1 : keep + early;
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

/** How old the value is, in milliseconds, if its time to live tells. */
function ageOf({ ttl, marked, negative }: Reply, { expire, keep }: EntrySettings): number | undefined {
  if (typeof expire !== 'number' || ttl === -1 || marked || negative) return undefined;
  return Math.max(0, expire + keep - ttl) * 1000;
}

/** The caller whose loader runs: the first that still waits. */
function leadOf(callers: readonly Caller[]): Caller | undefined {
  return callers.find((caller) => !caller.settled);
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
