import { MemcacheIllegalInputError, MemcacheSerdeError } from '../../errors';
import { keyText, type Key } from '../../protocol/key';
import { ownBytes, toBlock } from '../../protocol/request';
import { serializeValue } from '../../serde/read';
import type { Serde, SerializedValue } from '../../serde/serde';
import { ENVELOPE_FLAG, seal } from './envelope';

/** Bytes and flags as they are stored. */
export interface Block {
  readonly block: string | Uint8Array;
  readonly flags: number;
}

/** `1 v `, and the end of the line. */
const ENVELOPE_HEAD = 5;

/** Makes entries of values. */
export class EntryWriter {
  readonly #serde: Serde<unknown, unknown>;
  readonly #maxValueSize: number;
  readonly #reserved: () => number;

  /** @param reserved how many bytes of an item are for what is added to the entry when it is stored */
  constructor(serde: Serde<unknown, unknown>, maxValueSize: number, reserved: () => number) {
    this.#serde = serde;
    this.#maxValueSize = maxValueSize;
    this.#reserved = reserved;
  }

  /** What the serde makes of it. @throws MemcacheSerdeError when it refuses */
  serialize(key: Key, value: unknown): SerializedValue {
    const { data, flags } = serializeValue(this.#serde, value, keyText(key), 'ms');
    // Copied, since whose value it is goes on before it is stored, and the near cache keeps it.
    return { data: typeof data === 'string' ? data : ownBytes(data), flags };
  }

  /** @throws MemcacheIllegalInputError when it is too large */
  block({ data, flags }: SerializedValue, tags: string): Block {
    if (flags >= ENVELOPE_FLAG) throw new MemcacheSerdeError('the serde uses bit 31 of the flags, which marks the entries of a ReadThroughCache', { command: 'ms' });
    // A plain entry without bytes and flags would look like a place-holder.
    const empty = data.length === 0 && flags === 0;
    if (!empty && tags === '') return this.#checked({ block: toBlock(data), flags });
    return this.#checked({ block: toBlock(seal(empty && tags === '' ? 'e' : 'v', tags, data)), flags: flags + ENVELOPE_FLAG });
  }

  /** How many bytes the entry has. */
  size({ data }: SerializedValue, tags: string): number {
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    return size + (tags === '' ? 0 : ENVELOPE_HEAD + tags.length) + this.#reserved();
  }

  /** What says that there is no such thing. */
  negative(tags: string): Block {
    return { block: toBlock(seal('n', tags, '')), flags: ENVELOPE_FLAG };
  }

  #checked(block: Block): Block {
    const reserved = this.#reserved();
    if (block.block.length + reserved <= this.#maxValueSize) return block;
    throw new MemcacheIllegalInputError(`value has ${block.block.length} bytes; maxValueSize is ${this.#maxValueSize}${reserved === 0 ? '' : `, of which the cache needs ${reserved} here`}`);
  }
}
