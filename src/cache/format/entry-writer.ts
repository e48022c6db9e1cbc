import { MemcacheIllegalInputError, MemcacheSerdeError } from '../../errors';
import { keyText, type Key } from '../../protocol/key';
import { toBlock } from '../../protocol/request';
import { serializeValue } from '../../serde/read';
import type { Serde, SerializedValue } from '../../serde/serde';
import { ENVELOPE_FLAG, seal } from './envelope';

/** Bytes and flags as they are stored. */
export interface Block {
  readonly block: string | Uint8Array;
  readonly flags: number;
}

/** Turns values into entries. */
export class EntryWriter {
  readonly #serde: Serde<unknown, unknown>;
  readonly #maxValueSize: number;

  constructor(serde: Serde<unknown, unknown>, maxValueSize: number) {
    this.#serde = serde;
    this.#maxValueSize = maxValueSize;
  }

  /** @throws MemcacheSerdeError when the serde refuses it, MemcacheIllegalInputError when it is too large */
  value(key: Key, value: unknown, tags: string): Block {
    return this.block(this.serialize(key, value), tags);
  }

  /** The value as the serde writes it. @throws MemcacheSerdeError when it refuses */
  serialize(key: Key, value: unknown): SerializedValue {
    return serializeValue(this.#serde, value, keyText(key), 'ms');
  }

  /** @throws MemcacheIllegalInputError when it is too large */
  block({ data, flags }: SerializedValue, tags: string): Block {
    if (flags >= ENVELOPE_FLAG) throw new MemcacheSerdeError('the serde uses bit 31 of the flags, which marks the entries of a ReadThroughCache', { command: 'ms' });
    // A plain entry without bytes and flags would look like a place-holder.
    const empty = data.length === 0 && flags === 0;
    // Copied, since whoever loaded it goes on before it is stored, and the near cache keeps it.
    if (!empty && tags === '') return this.#checked({ block: toBlock(data, true), flags });
    return this.#checked({ block: toBlock(seal(empty && tags === '' ? 'e' : 'v', tags, data)), flags: flags + ENVELOPE_FLAG });
  }

  /** The entry that says that there is no such value. */
  negative(tags: string): Block {
    return { block: toBlock(seal('n', tags, '')), flags: ENVELOPE_FLAG };
  }

  #checked(block: Block): Block {
    if (block.block.length <= this.#maxValueSize) return block;
    throw new MemcacheIllegalInputError(`value has ${block.block.length} bytes; maxValueSize is ${this.#maxValueSize}`);
  }
}
