import { LRUCache } from 'lru-cache';
import type { Clock } from '../../runtime/clock';
import type { Random } from '../../runtime/random';
import type { EntrySettings, NearSettings } from '../cache-options';
import type { Durations } from '../engine/durations';
import type { Flight } from '../engine/flight';
import type { Read } from '../engine/read';
import type { Place } from '../exchange/leases';
import { Reply } from '../exchange/reply';
import { CasNumbers } from '../exchange/tokens';
import type { Block } from '../format/entry-writer';
import { allOf, type EntryReader } from '../format/entry-reader';
import type { Versions } from '../tags/versions';

/** A value in this process. */
interface Near {
  /** The value that callers get: a primitive, or with `share` any value. */
  readonly value: unknown;
  /** For all other values their bytes, read anew for each caller, so that no caller can change another's value. */
  readonly bytes: Buffer | undefined;
  readonly flags: number;
  /** Until when it may be served without asking the server, on the monotonic clock. */
  readonly until: number;
  /** Until when it was good for certain: from then on it is a last resort. */
  sure: number;
  /** When it is no longer fresh, and from when on it may be refreshed before that. */
  readonly expires: number;
  readonly earliest: number;
  readonly tags: string;
  /** Its CAS, with `validate`. */
  readonly cas: string;
  readonly size: number;
}

/** The memory of an entry besides key and value, in bytes: the object, its places in the map and the lists. */
const OVERHEAD = 256;
/** One in this many reads of a hot value puts it into the near cache. */
const ONE_IN = 8;

/** Whether it cannot be changed. */
function isPrimitive(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

/** What the near cache works with. */
export interface NearContext {
  readonly settings: NearSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly reader: EntryReader;
  readonly versions: Versions;
  readonly durations: Durations;
  /** How often this process has written. */
  readonly epoch: () => number;
}

/** Values in this process, in front of the server: bounded by number and bytes, and by time. */
export class NearCache {
  readonly #context: NearContext;
  readonly #entries: LRUCache<string, Near>;
  /** The option `validate`. */
  readonly validates: boolean;

  constructor(context: NearContext) {
    this.#context = context;
    const { maxEntries, maxBytes, validate } = context.settings;
    this.validates = validate;
    this.#entries = new LRUCache({ max: maxEntries, maxSize: maxBytes, sizeCalculation: ({ size }) => size });
  }

  get entries(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** Whether reads must ask the server how often an item is read. */
  get looksAtUse(): boolean {
    return this.#context.settings.admit === 'hot';
  }

  /** Whether to keep an item that was read. @param hot whether it is read often */
  wants(hot: boolean): boolean {
    if (this.#context.settings.admit === 'all') return true;
    return hot && this.#context.random() * ONE_IN < 1;
  }

  /** The value, if it may be served without asking the server. */
  get(place: Place, settings: EntrySettings, now: number): { readonly value: unknown } | undefined {
    const near = this.#current(place, settings, now);
    return near === undefined ? undefined : this.#open(place, near);
  }

  /**
   * The value and its CAS; it is opened, and served, if the server confirms the CAS. That must be one of our own: a server that was
   * started anew gives its own numbers once more, to other values.
   */
  validated(place: Place, settings: EntrySettings): { readonly cas: string; readonly open: () => { readonly value: unknown } | undefined } | undefined {
    const now = this.#context.clock.now();
    const near = this.#current(place, settings, now);
    if (near === undefined || !CasNumbers.includes(near.cas)) return undefined;
    const open = (): { readonly value: unknown } | undefined => {
      near.sure = now;
      return this.#open(place, near);
    };
    return { cas: near.cas, open };
  }

  /** A value past its time, for when there is no other. */
  lastResort(place: Place): { readonly value: unknown } | undefined {
    const near = this.#entries.get(place.wireKey);
    if (near === undefined || this.#context.clock.now() >= near.sure + this.#context.settings.staleIfError) return undefined;
    // The server cannot be asked about its tags, but what this process knows to be invalid is no resort.
    if (this.#context.versions.differ(near.tags)) return undefined;
    return this.#open(place, near);
  }

  onRead(read: Read, reply: Reply): void {
    if (read.epoch !== this.#context.epoch() || reply.negative) return;
    const { ttl } = reply;
    const life = ttl < 0 ? Infinity : (ttl - read.keep) * 1000;
    this.#put(read.place, read.lead.settings, read.sentAt, reply.value, reply.bytes, reply.flags, life, reply.tags, reply.cas);
  }

  onStored(flight: Flight, block: Block, sentAt: number, fresh: number, tags: string): void {
    const { settings, epoch } = this.#context;
    if (settings.admit !== 'all' || settings.validate || flight.epoch !== epoch() || flight.detached) return;
    const { value } = flight;
    // With `share` only their number is of use.
    const bytes = isPrimitive(value) ? undefined : typeof block.block === 'string' ? Buffer.from(block.block, 'latin1') : Buffer.from(block.block);
    this.#put(flight.place, flight.lead.settings, sentAt, value, bytes, block.flags, fresh === 0 ? Infinity : fresh * 1000, tags, '');
  }

  forget(wireKey: string): void {
    this.#entries.delete(wireKey);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The entry, if its time is not over, none of its tags has changed, and this reader need not refresh it. */
  #current({ wireKey }: Place, settings: EntrySettings, now: number): Near | undefined {
    const near = this.#entries.get(wireKey);
    if (near === undefined || now >= near.until) return undefined;
    // The server gives one of those who ask it the token for an early refresh, so some must ask.
    if (now >= near.earliest && this.#context.durations.isDue(wireKey, settings, near.expires - now)) return undefined;
    return near.tags === '' || this.#context.versions.check(near.tags) === true ? near : undefined;
  }

  /** @param sentAt when the server was asked: it may have answered long ago, if this process stood still meanwhile */
  #put(place: Place, settings: EntrySettings, sentAt: number, value: unknown, bytes: Buffer | undefined, flags: number, life: number, tags: string, cas: string): void {
    const { durations, settings: { ttl, share, validate } } = this.#context;
    const kept = isPrimitive(value) || share;
    if (!kept && bytes === undefined) return;
    const size = OVERHEAD + place.wireKey.length + (kept ? sizeOf(value, bytes) : (bytes?.length ?? 0)) + tags.length;
    // With `validate` the server is asked each time, so only the value's own life counts.
    const until = sentAt + (validate ? life : Math.min(ttl, life));
    const expires = sentAt + life;
    const earliest = expires - durations.reach(place.wireKey, settings);
    this.#entries.set(place.wireKey, { value: kept ? value : undefined, bytes: kept ? undefined : bytes, flags, until, sure: validate ? sentAt : until, expires, earliest, tags, cas, size });
  }

  #open(place: Place, near: Near): { readonly value: unknown } | undefined {
    const { bytes } = near;
    if (bytes === undefined) return near;
    const reply = new Reply();
    this.#context.reader.read(reply, place.key, allOf(bytes, false), near.flags, 1);
    return reply.unreadable === undefined ? reply : undefined;
  }
}

function sizeOf(value: unknown, bytes: Buffer | undefined): number {
  if (typeof value === 'string') return value.length * 2;
  return bytes === undefined ? 64 : bytes.length * 4;
}
