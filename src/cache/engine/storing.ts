import { rejected } from '../../client/abort';
import { MemcacheServerError, MemcacheUnexpectedCloseError } from '../../errors';
import type { Random } from '../../runtime/random';
import { expireOf, tagsOf } from '../cache-options';
import type { Events } from '../events';
import type { Chunked, Chunks } from '../exchange/chunks';
import type { Leases, NewEntry, Place } from '../exchange/leases';
import type { Block, EntryWriter } from '../format/entry-writer';
import type { SerializedValue } from '../../serde/serde';
import type { Versions } from '../tags/versions';
import type { Durations } from './durations';
import type { Flight } from './flight';

/** The near cache, as storing sees it. */
export interface StoredListener {
  /** @param sentAt when it was sent to the server, or earlier, on the monotonic clock */
  onStored(flight: Flight, block: Block, sentAt: number, fresh: number, tags: string): void;
}

/** The parts of the cache that storing uses. */
export interface StoringContext {
  /** Undefined as long as it is not known what the servers can do. */
  readonly leases: () => Leases | undefined;
  readonly writer: EntryWriter;
  readonly events: Events;
  readonly durations: Durations;
  readonly versions: Versions;
  readonly random: Random;
  readonly near: StoredListener | undefined;
  /** How often this process has written. */
  readonly epoch: () => number;
  readonly chunks: Chunks;
}

/** Lives of at least this many seconds are shortened at random. */
const JITTER_FROM = 10;

/** Stores the results of loads, each only in the place that it was loaded for; without a result it frees that place. */
export class Storing {
  readonly #context: StoringContext;
  #longest = 0;

  constructor(context: StoringContext) {
    this.#context = context;
  }

  /**
   * Before the load: the versions of tags as they are then.
   *
   * @returns when they are known; undefined when there is nothing to wait for
   */
  prepare(flight: Flight): Promise<void> | undefined {
    const { tags } = flight.lead.settings;
    flight.epoch = this.#context.epoch();
    if (Array.isArray(tags) && tags.length > 0 && flight.claim !== 'none') flight.tags = this.#context.versions.snapshot(tags as readonly string[], flight.lead.settings.cacheTimeout);
    if (typeof flight.tags !== 'object') return undefined;
    return flight.tags.then((words) => {
      flight.tags = words;
      flight.untagged = words === undefined;
    });
  }

  /** @returns a promise that resolves when the server has answered; undefined when nothing is stored */
  store(flight: Flight, value: unknown, ms: number): Promise<void> | undefined {
    const { durations } = this.#context;
    const { place, lead } = flight;
    const { settings } = lead;
    let fresh = 0;
    try {
      fresh = value === undefined ? (settings.negativeExpire ?? -1) : expireOf(settings.expire, value, place.key);
    } catch (error) {
      durations.note(place.wireKey, ms, 0);
      return this.#refused(flight, error);
    }
    durations.note(place.wireKey, ms, fresh);
    if (fresh < 0 || flight.detached) return this.release(flight, true);
    if (flight.claim === 'none') return undefined;
    if (flight.untagged) return this.release(flight, true);
    let serialized: SerializedValue | undefined;
    try {
      // Serialized now: whoever waits for the value may change it before the versions of its tags are known.
      serialized = value === undefined ? undefined : this.#context.writer.serialize(place.key, value);
    } catch (error) {
      return this.#refused(flight, error);
    }
    const tags = this.#tagsOf(flight, value);
    if (typeof tags === 'string') return this.#write(flight, serialized, fresh, tags, ms);
    return tags.then(
      (words) => (words === undefined ? this.release(flight, true) : this.#write(flight, serialized, fresh, words, ms)),
      (error: unknown) => this.#refused(flight, error),
    );
  }

  /** Frees the place. @param loaded whether there is a newer value, so that an old one must be deleted too */
  release(flight: Flight, loaded: boolean): Promise<void> | undefined {
    const { claim, place, cas, detached, old } = flight;
    if (claim === 'none' || cas === '') return undefined;
    // Another process's place-holder, under which it still loads.
    if (claim === 'guard' && old === undefined) return undefined;
    if (claim !== 'lease' && (!loaded || detached)) return undefined;
    return this.free(place, cas);
  }

  /** After a load that was given up: the next reader may load. */
  giveBack(flight: Flight): Promise<void> | undefined {
    const { claim, place, cas, old, background } = flight;
    // What is refreshed in the background may be fresh yet, and this would end that.
    if (claim !== 'token' || old === undefined || background) return this.release(flight, false);
    const { leases, events } = this.#context;
    return leases()?.takeOver(place, cas).then(
      () => undefined,
      (error: unknown) => {
        events.emit('cache-error', place.key, { error });
      },
    );
  }

  /** Deletes the item if it still has this CAS. It never rejects. */
  free(place: Place, cas: string): Promise<void> {
    const { leases, events } = this.#context;
    return (leases()?.release(place, cas) ?? Promise.resolve(false)).then(
      (done) => {
        if (done) events.emit('released', place.key);
      },
      (error: unknown) => {
        events.emit('cache-error', place.key, { error });
      },
    );
  }

  /** The longest life of an entry that this process has stored, in seconds. */
  get longest(): number {
    return this.#longest;
  }

  /** An entry is stored. */
  lives(fresh: number, keep: number): void {
    this.#longest = Math.max(this.#longest, fresh === 0 ? Infinity : fresh + keep);
  }

  /** Shortened by a random part. */
  jittered(fresh: number, jitter: number): number {
    if (fresh < JITTER_FROM || jitter === 0) return fresh;
    return Math.max(1, fresh - Math.floor(this.#context.random() * (jitter * fresh + 1)));
  }

  #tagsOf(flight: Flight, value: unknown): string | Promise<string | undefined> {
    const { tags } = flight.lead.settings;
    if (tags === undefined || value === undefined) return typeof tags === 'function' ? '' : (flight.tags ?? '');
    if (typeof tags !== 'function') return flight.tags ?? '';
    try {
      const names = tagsOf(tags, value);
      return names.length === 0 ? '' : this.#context.versions.since(names, flight.startedAt);
    } catch (error) {
      return rejected(error);
    }
  }

  async #write(flight: Flight, serialized: SerializedValue | undefined, fresh: number, tags: string, ms: number): Promise<void> {
    const { events, writer, leases, near, chunks } = this.#context;
    const { place, cas, lead } = flight;
    const life = serialized === undefined ? fresh : this.jittered(fresh, lead.settings.jitter);
    let block: Block;
    let chunked: Chunked | undefined;
    try {
      if (serialized === undefined) block = writer.negative(tags);
      else if (!chunks.cuts(writer.size(serialized, tags))) block = writer.block(serialized, tags);
      else block = chunked = await chunks.write(place, serialized, life === 0 ? 0 : life + lead.settings.keep, tags);
    } catch (error) {
      return this.#refused(flight, error);
    }
    const store = leases();
    // Between the load and now somebody may have written.
    if (store === undefined || flight.detached) {
      chunked?.remove();
      return store === undefined ? undefined : this.release(flight, true);
    }
    try {
      const entry: NewEntry = { ...block, fresh: life, keep: lead.settings.keep, delta: ms };
      const outcome = await store.store(place, entry, cas);
      if (outcome !== 'stored') {
        chunked?.remove();
        events.emit('dropped', place.key);
      } else {
        this.lives(fresh, lead.settings.keep);
        events.emit('stored', place.key);
        if (serialized !== undefined && chunked === undefined) near?.onStored(flight, block, flight.startedAt + ms, life, tags);
      }
    } catch (error) {
      chunked?.remove();
      // A server that says no keeps the place-holder, unless it is one that deletes what it could not replace.
      if (error instanceof MemcacheServerError && !(error instanceof MemcacheUnexpectedCloseError)) return this.#refused(flight, error);
      events.emit('store-error', place.key, { error });
    }
  }

  async #refused(flight: Flight, error: unknown): Promise<void> {
    this.#context.events.emit('store-error', flight.place.key, { error });
    await this.release(flight, true);
  }
}
