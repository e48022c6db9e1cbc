import { MemcacheTimeoutError, MemcacheUnknownCommandError } from '../../errors';
import type { Leases, Place } from '../exchange/leases';
import { NO_GUARD, type Reply } from '../exchange/reply';
import { leftOf } from '../time-limits';
import type { Bypass } from './bypass';
import type { Caller } from './caller';
import { LONGEST_LEASE } from './durations';
import { Read } from './read';
import type { ReadingContext } from './reading-context';

/** Decides what an answer means. */
export interface Judging {
  judge(read: Read, reply: Reply): void;
  /** The time of `read` is over. Whether its answer was there, and is judged by what is known. */
  judgeLate(read: Read): boolean;
}

/** How often a key is asked for when its entry turns out to be unusable. */
const ROUNDS = 3;

/** Asks the cache, and sees to it that each question is answered within its time, or passed over. */
export class Questions {
  readonly #context: ReadingContext;
  readonly #bypass: Bypass;
  readonly #judge: Judging;
  /** Questions under way whose answer may begin a refresh. */
  #reserved = 0;
  readonly #onLate = (read: Read): void => {
    this.#late(read);
  };

  constructor(context: ReadingContext, bypass: Bypass, judge: Judging) {
    this.#context = context;
    this.#bypass = bypass;
    this.#judge = judge;
  }

  /** A question that is yet to be sent. */
  question(place: Place, lead: Caller, callers: Caller[]): Read {
    return new Read(place, lead, callers, this.#onLate);
  }

  /** Sends a question once it is known what the servers can do, and there are connections to those that are needed. */
  async open(read: Read, limit: number): Promise<void> {
    const { gate, clock, serverOf, versions } = this.#context;
    const { tags } = read.lead.settings;
    // The first connection to a server takes nothing of the time limit.
    const startedAt = gate.isOpening ? Infinity : clock.now();
    try {
      await gate.opened(() => serverOf(read.place));
      if (Array.isArray(tags)) for (const tag of tags as readonly string[]) await versions.opened(tag);
      if (gate.leases === undefined) await gate.ready(limit);
    } catch (error) {
      this.onError(read, error);
      return;
    }
    if (gate.leases === undefined) {
      this.#failed(read);
      this.#bypass.around(read.place, read.callers);
      return;
    }
    const now = Math.floor(clock.now());
    this.send(gate.leases, read, now, leftOf(limit, Math.max(0, now - startedAt)));
  }

  /** @param limit milliseconds that are left for it; 0 for none, or when its time runs already */
  send(leases: Leases, read: Read, now = Math.floor(this.#context.clock.now()), limit = read.lead.settings.cacheTimeout): void {
    const { loads, durations, slots, settings, limits, near, epoch, gate, failed } = this.#context;
    const { place, lead } = read;
    const { wireKey } = place;
    const known = durations.known(wireKey);
    const flight = loads.of(wireKey);
    read.sentAt = now;
    read.epoch = epoch();
    // A token is asked for only if this process could use it.
    read.lease = failed.pausing(wireKey, now) !== undefined || flight?.outlasts(now) === true ? 0 : durations.leaseFor(known, lead.settings.lease);
    // Who has waited for another process's load knows that it takes longer than that, or that the process has died.
    if (read.onJudged !== undefined && read.lease > 0) read.lease = Math.min(LONGEST_LEASE, Math.max(read.lease, Math.ceil(1 + (now - lead.since) / 1000)));
    if (flight === undefined || read.forced) {
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
        this.onError(read, error);
      },
    );
  }

  /** Asks again for callers that wait. */
  repeat(place: Place, callers: Caller[], done: () => void): void {
    const { gate, circuits, serverOf, loads } = this.#context;
    const [lead] = callers;
    const flight = loads.of(place.wireKey);
    const server = serverOf(place);
    if (lead === undefined) done();
    else if (flight?.isFor('') === true) {
      this.#bypass.join(flight, callers);
      done();
    } else if (gate.leases === undefined || !circuits.admits(server)) {
      this.#bypass.around(place, callers);
      done();
    } else {
      const read = this.question(place, lead, callers);
      read.server = server;
      read.onJudged = done;
      this.#context.events.emit('lease-wait', place.key);
      this.send(gate.leases, read);
    }
  }

  /**
   * Asks once more, within the time limit of the first question.
   *
   * @param first what is to be done before; its time counts too
   */
  again(read: Read, { forced = false, onlyFirst = false, first }: { forced?: boolean; onlyFirst?: boolean; first?: Promise<unknown> | undefined } = {}): void {
    const { clock, limits } = this.#context;
    const next = this.question(read.place, read.lead, read.callers);
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

  /** @param limit 0 for none, or when its time runs already */
  #sendAgain(next: Read, now: number, limit: number): void {
    const { leases } = this.#context.gate;
    if (leases !== undefined && next.round <= ROUNDS) this.send(leases, next, now, limit);
    else {
      // What the servers can do could not be asked: if this is the one call that tries a server in trouble, it has failed.
      if (leases === undefined) this.#failed(next);
      next.over = true;
      this.#bypass.around(next.place, next.callers);
      next.judged();
    }
  }

  /**
   * The value should be refreshed, but its reader has not asked for the token, since all others that were under way might have
   * needed the room: it is asked for now, if there is room for it.
   */
  askForToken({ place, lead, refresh, round }: Read): void {
    const { gate, loads, slots, settings } = this.#context;
    const { leases } = gate;
    if (refresh > 0 || round > 0 || leases === undefined || loads.of(place.wireKey) !== undefined) return;
    if (loads.background + this.#reserved >= settings.maxBackground || !slots.free) return;
    const read = this.question(place, lead, []);
    // It is not repeated.
    read.round = 1;
    this.send(leases, read);
  }

  /** Gives a token that this process cannot use to the next reader. */
  passOn(place: Place, cas: string): void {
    const { gate, events } = this.#context;
    gate.leases?.takeOver(place, cas).catch((error: unknown) => { events.emit('cache-error', place.key, { error }); });
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
      else this.passOn(read.place, reply.cas);
      return;
    }
    read.over = true;
    this.#judge.judge(read, reply);
  }

  /** Not answered, or with an error. */
  onError(read: Read, error: unknown): void {
    const { events, gate } = this.#context;
    if (read.refresh > 0) this.#reserved--;
    if (read.late) return;
    read.over = true;
    if (error instanceof MemcacheUnknownCommandError) {
      // Something between tells a version and refuses meta commands: nothing was done, so it is asked once more, without them.
      gate.suspect(error);
      this.again(read, { first: gate.ready(0) });
      return;
    }
    events.emit(error instanceof MemcacheTimeoutError ? 'cache-timeout' : 'cache-error', read.place.key, { error });
    gate.suspect(error);
    this.#failed(read);
    this.#bypass.around(read.place, read.callers);
    read.judged();
  }

  #late(read: Read): void {
    this.#context.events.emit('cache-timeout', read.place.key, { ms: read.lead.settings.cacheTimeout });
    // If it waits for the versions of its tags, the key's own server has answered.
    if (!this.#judge.judgeLate(read)) {
      this.#failed(read);
      this.#bypass.around(read.place, read.callers);
    }
    read.judged();
  }

  #failed({ place, server }: Read): void {
    const { circuits, serverOf, events } = this.#context;
    if (circuits.failed(server ?? serverOf(place))) events.emit('circuit-open', place.key);
  }
}

/**
 * The time to live below which the server tells a reader to refresh. It compares strictly, and an item that is not kept has one
 * second left in its last second.
 */
function refreshBelow(keep: number, early: number): number {
  return keep === 0 && early > 0 ? early + 1 : keep + early;
}
