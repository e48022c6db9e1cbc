/**
 * Values larger than an item. Their bytes stand in numbered pieces, which are stored first; the entry itself says which
 * they are, and is stored last, under the lease's CAS as any other:
 *
 *     <key>:<id>:<number>                                  a piece
 *     1 c i=<id> n=<pieces> b=<bytes> r=<CRC-32> [tags]\n    the entry
 */
import { DeleteCommand } from '../../client/commands/item';
import { StoreCommand } from '../../client/commands/storage';
import type { Executor } from '../../client/executor';
import { MemcacheIllegalInputError, MemcacheSerdeError } from '../../errors';
import { asBuffer } from '../../protocol/bytes';
import { MAX_KEY_LENGTH } from '../../protocol/limits';
import { toBlock } from '../../protocol/request';
import type { Clock } from '../../runtime/clock';
import { crc32Bytes } from '../../runtime/crc32';
import type { Random } from '../../runtime/random';
import type { SerializedValue } from '../../serde/serde';
import { allOf, type EntryReader } from '../format/entry-reader';
import type { Block } from '../format/entry-writer';
import { ENVELOPE_FLAG, seal } from '../format/envelope';
import { pieceKeys } from '../key-space';
import type { Place } from './leases';
import { exptimeOf } from './lifetime';
import { PlainGet } from './plain-get';
import type { Reply } from './reply';

/** An entry in pieces: what is stored for it, and how to take its pieces away when it is not. */
export interface Chunked extends Block {
  remove(): void;
}

/** What an entry of pieces says. */
const HEAD = /^i=([0-9a-z]{1,12}) n=(\d{1,4}) b=(\d{1,10}) r=(\d{1,10})(?: |$)/;
/** No more are asked for, whatever an entry says: each is a call. */
const MAX_PIECES = 9999;
/** A server's item has a key and a head as well. */
const SPARE = 512;
/** Seconds for which pieces outlive their entry: servers count whole ones. */
const LONGER = 2;

export class Chunks {
  readonly #executor: Executor;
  readonly #reader: EntryReader;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #size: number;
  readonly #maxValue: number;

  /**
   * @param maxItem the most bytes of an item
   * @param maxValue the most bytes of a value in pieces; 0 to make none
   */
  constructor(executor: Executor, reader: EntryReader, clock: Clock, random: Random, maxItem: number, maxValue: number) {
    this.#executor = executor;
    this.#reader = reader;
    this.#clock = clock;
    this.#random = random;
    this.#size = Math.max(1, Math.ceil(maxItem / 2), maxItem - SPARE);
    this.#maxValue = maxValue;
  }

  /** Whether a value is cut into pieces whose entry would have `size` bytes: an item of that many has no room for its key and head. */
  cuts(size: number): boolean {
    return this.#maxValue > 0 && size > this.#size;
  }

  /**
   * Stores the pieces.
   *
   * @param seconds that the entry will live; 0 for ever
   * @throws MemcacheIllegalInputError when it is too large even so
   */
  async write(place: Place, { data, flags }: SerializedValue, seconds: number, tags: string): Promise<Chunked> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : asBuffer(data);
    if (bytes.length > this.#maxValue) throw new MemcacheIllegalInputError(`value has ${bytes.length} bytes; chunk.maxValue is ${this.#maxValue}`);
    if (flags >= ENVELOPE_FLAG) throw new MemcacheSerdeError('the serde uses bit 31 of the flags, which marks the entries of a ReadThroughCache', { command: 'ms' });
    const id = Math.floor(this.#random() * 2 ** 48).toString(36);
    const count = Math.ceil(bytes.length / this.#size);
    if (count > MAX_PIECES) throw new MemcacheIllegalInputError(`value has ${bytes.length} bytes, which would take ${count} pieces; ${MAX_PIECES} are the most`);
    const keys = pieceKeys(place, id, count);
    if (keys.some((key) => key.length > MAX_KEY_LENGTH)) throw new MemcacheIllegalInputError('the key is too long for a value in pieces');
    const remove = (): void => {
      for (const key of keys) this.#executor.execute(new DeleteCommand(key, place.key, false)).catch(() => undefined);
    };
    const exptime = seconds === 0 ? 0 : exptimeOf(seconds + LONGER, this.#clock);
    const stored = await Promise.allSettled(
      keys.map((key, i) => {
        const block = toBlock(bytes.subarray(i * this.#size, (i + 1) * this.#size));
        return this.#executor.execute(new StoreCommand('set', key, place.key, { block, flags: 0, exptime }, false));
      }),
    );
    const failure = stored.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') {
      remove();
      throw failure.reason;
    }
    const head = `i=${id} n=${count} b=${bytes.length} r=${crc32Bytes(bytes, 0, bytes.length)}`;
    return { block: toBlock(seal('c', tags === '' ? head : `${head} ${tags}`, '')), flags: flags + ENVELOPE_FLAG, remove };
  }

  /** Puts the value of an entry of pieces into its reply; it counts as unreadable when one of them is missing or wrong. It never rejects. */
  async fill(reply: Reply, place: Place, copies: number): Promise<void> {
    reply.inPieces = false;
    const head = HEAD.exec(reply.tags);
    if (head === null) {
      reply.unreadable = new MemcacheSerdeError('an entry of pieces does not say which they are', { certainty: 'executed' });
      return;
    }
    const [{ length }, id = '', count, size, sum] = head;
    reply.tags = reply.tags.slice(length);
    try {
      const items = await Promise.all(pieceKeys(place, id, Number(count)).map((key) => this.#executor.execute(new PlainGet('get', key, place.key))));
      const bytes = Buffer.concat(items.map((item) => item?.bytes ?? Buffer.alloc(0)));
      if (bytes.length !== Number(size) || crc32Bytes(bytes, 0, bytes.length) !== Number(sum)) {
        reply.unreadable = new MemcacheSerdeError('a piece of the value is missing or not the one that was stored', { certainty: 'executed' });
        return;
      }
      this.#reader.readValue(reply, place.key, allOf(bytes, true), reply.flags - ENVELOPE_FLAG, copies);
      if (reply.wanted && typeof reply.value === 'object') reply.wanted = false;
    } catch (error) {
      reply.unreadable = error;
    }
  }
}
