import { keyText, type Key } from '../../protocol/key';
import { deserializeValue, type ValueBytes } from '../../serde/read';
import { MISS, type Serde } from '../../serde/serde';
import { MemcacheSerdeError } from '../../errors';
import type { Reply } from '../exchange/reply';
import { ENVELOPE_FLAG, openEnvelope, type EnvelopeKind } from './envelope';

/** Turns the bytes of entries into values for callers. */
export class EntryReader {
  readonly #serde: Serde<unknown, unknown>;

  constructor(serde: Serde<unknown, unknown>) {
    this.#serde = serde;
  }

  /**
   * Reads what the server has into `reply`: the value, one more for each further caller, one for a loader that it makes run, and what
   * its envelope says.
   *
   * @returns the kind of its envelope; empty when it has none that can be read
   */
  read(reply: Reply, key: Key, bytes: ValueBytes, flags: number, copies: number): EnvelopeKind | '' {
    if (flags < ENVELOPE_FLAG) {
      this.readValue(reply, key, bytes, flags, copies);
      return '';
    }
    const { buffer, dataStart, dataEnd, owned } = bytes;
    const envelope = openEnvelope(buffer, dataStart, dataEnd);
    if (envelope === undefined) {
      reply.unreadable = new MemcacheSerdeError('the entry is flagged as an envelope, but is not one', { certainty: 'executed' });
      return '';
    }
    const { kind, words, start } = envelope;
    reply.tags = words;
    if (kind === 'n') reply.negative = true;
    else if (kind === 'c') reply.inPieces = true;
    else if (kind !== 'l') this.readValue(reply, key, { buffer, dataStart: start, dataEnd, owned }, flags - ENVELOPE_FLAG, copies);
    return kind;
  }

  /** The same for the serde's own bytes and flags. */
  readValue(reply: Reply, key: Key, bytes: ValueBytes, flags: number, copies: number): void {
    try {
      const value = this.#value(key, bytes, flags);
      if (value === MISS || value === undefined) {
        reply.unreadable = value ?? MISS;
        return;
      }
      reply.value = value;
      // The loader has one of its own: whoever gets the old value meanwhile may change it.
      const wanted = reply.won ? copies + 1 : copies;
      if (wanted > 1) {
        const primitive = typeof value !== 'object' || value === null;
        const others: unknown[] = (reply.copies = []);
        const { buffer, dataStart, dataEnd } = bytes;
        // The first may keep a part of the buffer: no two share one.
        for (let i = 1; i < wanted; i++) others.push(primitive ? value : this.#value(key, { buffer, dataStart, dataEnd, owned: false }, flags));
      }
    } catch (error) {
      reply.unreadable = error;
    }
  }

  #value(key: Key, bytes: ValueBytes, flags: number): unknown {
    return deserializeValue(this.#serde, bytes, flags, keyText(key), 'mg');
  }
}

/** All bytes of a buffer, as those of a value. */
export function allOf(buffer: Buffer, owned: boolean): ValueBytes {
  return { buffer, dataStart: 0, dataEnd: buffer.length, owned };
}
