import { MemcacheError, MemcacheTimeoutError } from '../../errors';
import { nextTick } from '../../runtime/clock';
import type { Place } from '../exchange/leases';
import { Bypass } from './bypass';
import type { Caller } from './caller';
import type { Flight } from './flight';
import { Judge } from './judge';
import { Questions } from './questions';
import type { Read } from './read';
import type { ReadingContext } from './reading-context';
import { Sightings } from './sightings';
import { Waits } from './waits';

/**
 * Carries out reads: calls of one tick for the same key share a question ({@link Questions}); what its answer means is decided
 * ({@link Judge}); whoever gets nothing from the cache loads without it ({@link Bypass}).
 */
export class Reader {
  readonly #context: ReadingContext;
  readonly #bypass: Bypass;
  readonly #questions: Questions;
  readonly #sightings = new Sightings();
  /** The questions of this tick. */
  #tick = new Map<string, Read>();
  /** When this tick began, in whole milliseconds. */
  #now = 0;
  readonly #endTick = (): void => {
    // A Map that is cleared hands its old table on to the new one: once in the old space, a table keeps all later ones alive.
    this.#tick = new Map();
  };

  constructor(context: ReadingContext) {
    this.#context = context;
    const bypass = new Bypass(context);
    // Each asks the other, so the judge is named before it is made.
    const questions = new Questions(context, bypass, {
      judge: (read, reply) => {
        judge.judge(read, reply);
      },
      judgeLate: (read) => judge.judgeLate(read),
    });
    const waits = new Waits(context.clock, context.random, {
      ask: (place, callers, done) => {
        questions.repeat(place, callers, done);
      },
      impatient: (place, callers, cas, ends) => {
        bypass.impatient(place, callers, cas, ends);
      },
    });
    const judge: Judge = new Judge(context, bypass, questions, waits, this.#sightings);
    this.#bypass = bypass;
    this.#questions = questions;
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
      this.#bypass.around(place, [caller]);
      return;
    }
    const read = this.#questions.question(place, caller, [caller]);
    read.server = server;
    if (this.#tick.size === 0) nextTick(this.#endTick);
    this.#tick.set(place.wireKey, read);
    if (gate.leases === undefined || gate.isOpening) void this.#questions.open(read, limit);
    else this.#questions.send(gate.leases, read, this.#now, limit);
  }

  /** Whether a question to the server of this key would go out now. */
  mayAsk(place: Place): boolean {
    const { circuits, serverOf } = this.#context;
    return circuits.quiet || !circuits.isOpen(serverOf(place));
  }

  /** Whether somebody may look at what there is, taking no token; if so, {@link onPeeked} must be told how that ended. */
  mayPeek(place: Place): boolean {
    const { circuits, serverOf } = this.#context;
    return circuits.quiet || circuits.admits(serverOf(place));
  }

  /** The server has answered, or failed. */
  onPeeked(place: Place, failure?: { readonly error: unknown }): void {
    const { circuits, serverOf, events } = this.#context;
    if (failure === undefined) {
      if (!circuits.quiet) circuits.ok(serverOf(place));
      return;
    }
    events.emit(failure.error instanceof MemcacheTimeoutError ? 'cache-timeout' : 'cache-error', place.key, failure);
    if (circuits.failed(serverOf(place))) events.emit('circuit-open', place.key);
  }

  /** A question that somebody else has put for this caller was not answered in time, or failed. */
  unanswered(place: Place, caller: Caller, error: unknown): void {
    caller.since = Math.floor(this.#context.clock.now());
    const read = this.#questions.question(place, caller, [caller]);
    read.due = caller.since + caller.settings.cacheTimeout;
    this.#questions.onError(read, error);
  }

  /** The version of the namespace cannot be had: the value is loaded without the cache. */
  unplaced(place: Place, caller: Caller): void {
    const { clock, events } = this.#context;
    caller.since = Math.floor(clock.now());
    events.emit('cache-error', place.key, { error: new MemcacheError('the server does not tell the version of the namespace') });
    this.#bypass.around(place, [caller]);
  }

  /** A write of this process: nobody joins what is under way. */
  forget(wireKey: string): void {
    this.#tick.delete(wireKey);
    this.#context.loads.detach(wireKey);
    this.#context.failed.forget(wireKey);
    this.#sightings.forget(wireKey);
  }

  forgetAll(which: (flight: Flight) => boolean): void {
    this.#tick = new Map();
    this.#context.loads.detachAll(which);
  }
}
