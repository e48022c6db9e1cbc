/**
 * Leases without meta commands: the process that `add`s the place-holder loads. It stands under the key itself, so that any
 * client's `delete` ends it. The envelope of an entry holds the time until which it is fresh, by the clock of the process that
 * stored it; a second key, `<key>~r`, belongs to the process that refreshes.
 *
 *     1 l <owner>\n                                  a place-holder
 *     1 v x=<fresh until> d=<load took> [tags]\n…    a value; x in milliseconds since 1970, 0 for ever
 */
import { NO_CAS } from '../../client/command';
import { DeleteCommand } from '../../client/commands/item';
import { CasCommand, StoreCommand } from '../../client/commands/storage';
import type { CallOptions, Executor } from '../../client/executor';
import { asBuffer } from '../../protocol/bytes';
import { MAX_KEY_LENGTH } from '../../protocol/limits';
import { toBlock } from '../../protocol/request';
import type { Clock } from '../../runtime/clock';
import { allOf, type EntryReader } from '../format/entry-reader';
import { ENVELOPE_FLAG, openEnvelope, seal } from '../format/envelope';
import type { Leases, NewEntry, Place } from './leases';
import { exptimeOf } from './lifetime';
import { PlainGet, type PlainItem } from './plain-get';
import { NO_GUARD, Reply, type Ask, type Stored } from './reply';
import type { CasNumbers } from './tokens';

/** The most bytes that the times add to an entry: a line of its own, with two numbers of 15 digits. */
export const TIMES_LENGTH = 40;
/** How often a place-holder is made that is gone at once. */
const ROUNDS = 3;
/** The refresher's mark: to whoever has an entry of that name it is a place-holder, and no value. */
const MARK = toBlock(seal('l', '', ''));

export class ClassicLeases implements Leases {
  readonly #executor: Executor;
  readonly #reader: EntryReader;
  readonly #clock: Clock;
  /** Names of owners. */
  readonly #names: CasNumbers;

  constructor(executor: Executor, reader: EntryReader, clock: Clock, names: CasNumbers) {
    this.#executor = executor;
    this.#reader = reader;
    this.#clock = clock;
    this.#names = names;
  }

  async read(place: Place, ask: Ask): Promise<Reply> {
    let item = await this.#gets(place, ask.onlyFirst);
    let owner = '';
    // Whoever deletes the place-holder at once leaves nothing that could guard what is loaded.
    for (let round = 0; item === undefined && ask.lease > 0 && round < ROUNDS; round++) [owner, item] = await this.#hold(place, ask.lease);
    const reply = new Reply();
    if (item === undefined) return reply;
    reply.found = true;
    reply.cas = item.cas;
    reply.flags = item.flags;
    const holder = holderOf(item);
    if (holder !== undefined) {
      reply.cold = true;
      reply.won = holder !== '' && holder === owner;
      reply.held = !reply.won;
      return reply;
    }
    this.#reader.read(reply, place.key, allOf(item.bytes, true), item.flags, ask.copies);
    const until = takeTimes(reply);
    if (until !== undefined) await this.#age(place, ask, reply, until);
    if (reply.won && reply.cas === NO_CAS) {
      // An older cache has the old value; in the first there is a place for the new one.
      const [name, own] = await this.#hold(place, Math.max(2, ask.lease));
      reply.won = own !== undefined && holderOf(own) === name;
      reply.held = !reply.won;
      reply.cas = own?.cas ?? '';
    }
    if (reply.won && !reply.inPieces) this.#copyForLoader(reply, place, item);
    // Without meta commands it is not known how often an item is read.
    if (reply.unreadable === undefined && ask.wantsBytes(true)) {
      reply.wanted = true;
      // The value may be a part of the bytes that came.
      if (typeof reply.value === 'object') reply.bytes = Buffer.from(item.bytes);
    }
    return reply;
  }

  async store({ wireKey, key }: Place, { block, flags, fresh, keep, delta }: NewEntry, unless: string | undefined, options?: CallOptions): Promise<Stored> {
    const times = `x=${fresh === 0 ? 0 : Math.ceil(this.#clock.time() + fresh * 1000)} d=${Math.round(delta)}`;
    const exptime = fresh === 0 ? 0 : exptimeOf(fresh + keep, this.#clock);
    const item = { ...withTimes(block, flags, times), exptime };
    if (unless === undefined) {
      const stored = await this.#executor.execute(new StoreCommand('set', wireKey, key, item, false), options);
      return stored ? 'stored' : 'notStored';
    }
    if (unless === NO_GUARD) return 'exists';
    const stored = await this.#executor.execute(new CasCommand(wireKey, key, item, unless, false));
    if (stored === undefined) return 'notFound';
    if (stored) await this.#endRefresh({ wireKey, key });
    return stored ? 'stored' : 'exists';
  }

  /** There is no conditional deletion: the item with this CAS is replaced by one that has expired already. */
  async release({ wireKey, key }: Place, cas: string): Promise<boolean> {
    return (await this.#executor.execute(new CasCommand(wireKey, key, { block: '', flags: 0, exptime: -1 }, cas, false))) === true;
  }

  /** The mark expires by itself; until then nobody would refresh. */
  async takeOver(place: Place): Promise<boolean> {
    await this.#endRefresh(place);
    return true;
  }

  invalidate({ wireKey, key }: Place, _: number, options?: CallOptions): Promise<boolean> {
    return this.#executor.execute(new DeleteCommand(wireKey, key, false), options);
  }

  /** Its own value for the loader: nothing says beforehand that this reader is to refresh. */
  #copyForLoader(reply: Reply, { key }: Place, { bytes, flags }: PlainItem): void {
    const copy = new Reply();
    this.#reader.read(copy, key, allOf(bytes, false), flags, 1);
    (reply.copies ??= []).push(copy.value);
  }

  #gets({ wireKey, key }: Place, onlyFirst: boolean): Promise<PlainItem | undefined> {
    return this.#executor.execute(new PlainGet('gets', wireKey, key, onlyFirst));
  }

  /** Adds a place-holder; the name in it, and what stands there now. */
  async #hold(place: Place, lease: number): Promise<[string, PlainItem | undefined]> {
    const owner = this.#names.next();
    const block = toBlock(seal('l', owner, ''));
    await this.#executor.execute(new StoreCommand('add', place.wireKey, place.key, { block, flags: ENVELOPE_FLAG, exptime: lease }, false));
    return [owner, await this.#gets(place, true)];
  }

  /** Finds out how old the entry is, and whether this reader is to refresh it. */
  async #age(place: Place, ask: Ask, reply: Reply, until: number): Promise<void> {
    if (until === 0) return;
    reply.ttl = Math.max(0, ask.keep + Math.floor((until - this.#clock.time()) / 1000));
    if (ask.refresh === 0 || reply.ttl >= ask.refresh) return;
    const marker = markerOf(place);
    const added = marker === undefined || (await this.#executor.execute(new StoreCommand('add', marker, place.key, { block: MARK, flags: ENVELOPE_FLAG, exptime: Math.max(2, ask.lease) }, false)));
    reply.won = added;
    reply.held = !added;
    reply.timed = true;
  }

  async #endRefresh(place: Place): Promise<void> {
    const marker = markerOf(place);
    if (marker !== undefined) await this.#executor.execute(new DeleteCommand(marker, place.key, false));
  }
}

/** The owner of a place-holder, '' for one that was made by a meta command; undefined for any other item. */
function holderOf({ bytes, flags }: PlainItem): string | undefined {
  if (flags === 0 && bytes.length === 0) return '';
  const envelope = flags >= ENVELOPE_FLAG ? openEnvelope(bytes, 0, bytes.length) : undefined;
  return envelope?.kind === 'l' ? envelope.words : undefined;
}

/** The key of the refresher's mark; undefined when it would be too long. */
function markerOf({ wireKey }: Place): string | undefined {
  return wireKey.length + 2 <= MAX_KEY_LENGTH ? `${wireKey}~r` : undefined;
}

/** Takes the times out of the words of an envelope, which are no tags, and returns until when it is fresh; undefined when there are none. */
export function takeTimes(reply: Reply): number | undefined {
  const match = /^x=(\d{1,15}) d=\d{1,15}(?: |$)/.exec(reply.tags);
  if (match === null) return undefined;
  reply.tags = reply.tags.slice(match[0].length);
  return Number(match[1]);
}

/** Puts the entry into an envelope with its times. */
function withTimes(block: string | Uint8Array, flags: number, times: string): { block: string | Uint8Array; flags: number } {
  const bytes = typeof block === 'string' ? Buffer.from(block, 'latin1') : asBuffer(block);
  const envelope = flags >= ENVELOPE_FLAG ? openEnvelope(bytes, 0, bytes.length) : undefined;
  if (envelope === undefined) return { block: toBlock(seal('v', times, bytes)), flags: flags + ENVELOPE_FLAG };
  const words = envelope.words === '' ? times : `${times} ${envelope.words}`;
  return { block: toBlock(seal(envelope.kind, words, bytes.subarray(envelope.start))), flags };
}
