import { untilAborted } from '../../client/abort';
import { DeleteCommand, TouchCommand } from '../../client/commands/item';
import type { CallOptions, Executor } from '../../client/executor';
import { MemcacheError, MemcacheIllegalInputError } from '../../errors';
import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import { expireOf, tagsOf, type CacheSettings, type EntrySettings } from '../cache-options';
import type { Events } from '../events';
import type { Chunked, Chunks } from '../exchange/chunks';
import type { Gate } from '../exchange/gate';
import type { Place } from '../exchange/leases';
import type { Stored } from '../exchange/reply';
import type { Block, EntryWriter } from '../format/entry-writer';
import { Recovery } from '../health/recovery';
import type { Broadcast } from '../near/broadcast';
import type { NearCache } from '../near/near-cache';
import type { Versions } from '../tags/versions';
import type { Durations } from './durations';
import type { Flight } from './flight';
import type { Places } from './places';
import type { Reader } from './reader';
import type { Storing } from './storing';

/** The parts of the cache that writing uses. */
export interface WritesContext {
  readonly settings: CacheSettings;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: Events;
  readonly gate: Gate;
  readonly places: Places;
  readonly reader: Reader;
  readonly near: NearCache | undefined;
  readonly broadcast: Broadcast | undefined;
  readonly writer: EntryWriter;
  readonly chunks: Chunks;
  readonly storing: Storing;
  readonly durations: Durations;
  readonly versions: Versions;
}

/** The most seconds that entries live while `change` writes the data behind them. */
const CHANGE_LIMIT = 5;

/**
 * Carries out writes: what callers store and delete. What this process has read before, or is loading, must not undo them. Targets
 * are entries as they would be called without a namespace.
 */
export class Writes {
  readonly #context: WritesContext;
  readonly #recovery: Recovery;
  /** The last write under way of each key. */
  readonly #last = new Map<string, Promise<void>>();
  #epoch = 0;

  constructor(context: WritesContext) {
    this.#context = context;
    const { clock, random, settings, executor, places, events } = context;
    this.#recovery = new Recovery({
      clock,
      random,
      limit: settings.recovery,
      remove: async (target) => {
        const place = await places.toWrite(target);
        await executor.execute(new DeleteCommand(place.wireKey, place.key, false));
        this.#wrote(place);
      },
      onRecovered: ({ key }) => {
        events.emit('recovered', key);
      },
      onOverflow: ({ key }) => {
        events.emit('recovery-overflow', key);
      },
    });
  }

  /** How often something was written, here or in another thread of this process. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Another thread of this process has written an entry. */
  heard(wireKey: string): void {
    this.#epoch++;
    this.#context.near?.forget(wireKey);
  }

  /** Stores a value, and resolves with whether it was stored. */
  set(target: Place, value: unknown, settings: EntrySettings, call: CallOptions | undefined): Promise<boolean> {
    const { writer, versions, storing, chunks, durations, gate, places } = this.#context;
    const { keep, jitter, tags } = settings;
    // Serialized now: the caller may change the value before it is sent.
    const serialized = writer.serialize(target.key, value);
    const fresh = expireOf(settings.expire, value, target.key);
    const names = tagsOf(tags, value);
    return this.#inOrder(target, call, async () => {
      if (fresh < 0) {
        await this.#delete(target, call);
        return false;
      }
      const place = await places.toWrite(target);
      this.#wrote(place);
      // How large an entry may be depends on what the servers can do; and the first connection counts against no time limit.
      await gate.known();
      const words = names.length === 0 ? '' : await versions.snapshot(names);
      if (words === undefined) throw new MemcacheError('the versions of the tags cannot be had from the server', { command: 'set' });
      const life = storing.jittered(fresh, jitter);
      let block: Block;
      let chunked: Chunked | undefined;
      try {
        if (!chunks.cuts(writer.size(serialized, words))) block = writer.block(serialized, words);
        else block = chunked = await chunks.write(place, serialized, life === 0 ? 0 : life + keep, words);
      } catch (error) {
        // The old entry is out of date.
        if (error instanceof MemcacheIllegalInputError) await this.#delete(target, call);
        throw error;
      }
      if (call?.signal?.aborted === true) chunked?.remove();
      call?.signal?.throwIfAborted();
      const entry = { ...block, fresh: life, keep, delta: durations.of(place.wireKey) };
      let outcome: Stored | undefined;
      try {
        outcome = await gate.run((leases) => {
          this.#wrote(place);
          return leases.store(place, entry, undefined, call);
        });
      } finally {
        // Without their entry nobody would ever find them.
        if (outcome !== 'stored') chunked?.remove();
      }
      storing.lives(fresh, keep);
      this.#recovery.forget(target.wireKey);
      this.#wrote(place);
      return outcome === 'stored';
    });
  }

  /** Deletes an entry, and resolves with whether it was there. */
  delete(target: Place, call?: CallOptions): Promise<boolean> {
    return this.#inOrder(target, call, () => this.#delete(target, call));
  }

  /** Marks an entry as outdated, and resolves with whether it was there. */
  invalidate(target: Place, settings: EntrySettings, call: CallOptions | undefined): Promise<boolean> {
    if (settings.stale === 0) return this.delete(target, call);
    return this.#inOrder(target, call, () =>
      this.#remove(target, settings, (place) =>
        this.#context.gate.run((leases) => {
          this.#wrote(place);
          return leases.invalidate(place, settings.keep, call);
        }),
      ),
    );
  }

  /** Runs `write`, which changes the data behind these entries, and deletes them. */
  async change<R>(targets: readonly Place[], write: () => Promise<R> | R): Promise<R> {
    const { executor, places } = this.#context;
    await Promise.allSettled(
      targets.map(async (target) => {
        const place = await places.toWrite(target);
        this.#wrote(place);
        return executor.execute(new TouchCommand(place.wireKey, place.key, CHANGE_LIMIT, false));
      }),
    );
    const result = await write();
    const deleted = await Promise.allSettled(targets.map((target) => this.delete(target)));
    const failure = deleted.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
    return result;
  }

  /** Invalidates all entries that carry the present version of one of these counters. @param which tells the loads that are of such entries */
  async invalidateVersions(counters: readonly string[], which: (flight: Flight) => boolean): Promise<void> {
    this.#wroteMany(which);
    await Promise.all(counters.map((name) => this.#context.versions.change(name)));
    this.#wroteMany(which);
  }

  /** Until the next write no deletion is repeated, nor one that is under way now. */
  close(): void {
    this.#recovery.close();
  }

  /** Writes of this process to one key reach the server in the order in which they were called. The result ends when its signal fires. */
  async #inOrder<R>({ wireKey }: Place, call: CallOptions | undefined, write: () => Promise<R>): Promise<R> {
    const { signal } = call ?? {};
    signal?.throwIfAborted();
    this.#recovery.open();
    const before = this.#last.get(wireKey);
    const inTurn = (): Promise<R> => {
      signal?.throwIfAborted();
      return write();
    };
    const result = before === undefined ? write() : before.then(inTurn);
    const done = result.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(wireKey, done);
    void done.then(() => {
      if (this.#last.get(wireKey) === done) this.#last.delete(wireKey);
    });
    return untilAborted(result, signal);
  }

  #delete(target: Place, call: CallOptions | undefined): Promise<boolean> {
    return this.#remove(target, this.#context.settings.entry, async (place) => {
      const done = await this.#context.executor.execute(new DeleteCommand(place.wireKey, place.key, false), call);
      this.#recovery.forget(target.wireKey);
      return done;
    });
  }

  /** A removal that fails is made good later. */
  async #remove(target: Place, settings: EntrySettings, remove: (place: Place) => Promise<boolean>): Promise<boolean> {
    let place: Place | undefined;
    try {
      place = await this.#context.places.toWrite(target);
      this.#wrote(place);
      return await remove(place);
    } catch (error) {
      this.#lost(target, settings, error);
      throw error;
    } finally {
      if (place !== undefined) this.#wrote(place);
    }
  }

  /** A deletion failed: it is repeated as soon as the server is back. */
  #lost(target: Place, { expire, keep }: EntrySettings, error: unknown): void {
    if (!(error instanceof MemcacheError) || error instanceof MemcacheIllegalInputError) return;
    // Single calls may have stored it for longer than the cache's own options say.
    const life = typeof expire === 'function' || expire === 0 ? Infinity : (Math.max(expire + keep, this.#context.storing.longest) + 2) * 1000;
    this.#recovery.add(target, life);
  }

  /** After a write of this process, its loads under way must not undo it. */
  #wrote({ wireKey }: Place): void {
    const { reader, near, broadcast } = this.#context;
    this.#epoch++;
    reader.forget(wireKey);
    near?.forget(wireKey);
    broadcast?.tell(wireKey);
  }

  #wroteMany(which: (flight: Flight) => boolean): void {
    this.#epoch++;
    this.#context.reader.forgetAll(which);
  }
}
