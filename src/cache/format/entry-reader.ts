import { keyText, type Key } from '../../protocol/key';
import { deserializeValue } from '../../serde/read';
import { MISS, type Serde } from '../../serde/serde';
import { MemcacheSerdeError } from '../../errors';
import type { Reply } from '../exchange/reply';
import { ENVELOPE_FLAG, openEnvelope } from './envelope';

/** Turns the bytes of entries into values for callers. */
export class EntryReader {
  readonly #serde: Serde<unknown, unknown>;

  constructor(serde: Serde<unknown, unknown>) {
    this.#serde = serde;
  }

  /**
   * Reads `buffer[start, end)` into `reply`: the value, one more for each further caller, and what its envelope says.
   *
   * @param owned whether nobody else writes to the buffer
   */
  read(reply: Reply, key: Key, buffer: Buffer, start: number, end: number, owned: boolean, flags: number, copies: number): string {
    let from = start;
    let words: string;
    let kind = '';
    if (flags >= ENVELOPE_FLAG) {
      const envelope = openEnvelope(buffer, start, end);
      if (envelope === undefined) {
        reply.unreadable = new MemcacheSerdeError('the entry is flagged as an envelope, but is not one', { certainty: 'executed' });
        return kind;
      }
      ({ kind, words, start: from } = envelope);
      flags -= ENVELOPE_FLAG;
      reply.tags = words;
      if (kind === 'n') reply.negative = true;
      else if (kind === 'c') reply.inPieces = true;
      if (kind !== 'v' && kind !== 'e') return kind;
    }
    this.readValue(reply, key, buffer, from, end, owned, flags, copies);
    return kind;
  }

  /** The same for the serde's own bytes and flags. */
  readValue(reply: Reply, key: Key, buffer: Buffer, from: number, end: number, owned: boolean, flags: number, copies: number): void {
    try {
      const value = this.value(key, buffer, from, end, owned, flags);
      if (value === MISS || value === undefined) {
        reply.unreadable = value ?? MISS;
        return;
      }
      reply.value = value;
      if (copies > 1) {
        const primitive = typeof value !== 'object' || value === null;
        const others: unknown[] = (reply.copies = []);
        // The first may keep a part of the buffer: no two share one.
        for (let i = 1; i < copies; i++) others.push(primitive ? value : this.value(key, buffer, from, end, false, flags));
      }
    } catch (error) {
      reply.unreadable = error;
    }
  }

  value(key: Key, buffer: Buffer, start: number, end: number, owned: boolean, flags: number): unknown {
    return deserializeValue(this.#serde, buffer, start, end, owned, flags, keyText(key), 'mg');
  }
}
