import { MemcacheSerdeError } from '../errors';
import { option, settingsOf, type OptionTable } from '../options/option';
import { objectWith, wholeNumber, type Rule } from '../options/rule';
import { isAdding } from './adding';
import type { Codec } from './codec';
import { FLAG_COMPRESSED, FLAG_JSON } from './flags';
import { checkInner, deserializeInner } from './inner';
import { checkJsonCost } from './json-cost';
import type { MISS, Serde, SerializedValue } from './serde';
import { unreadable } from './unreadable';
import { MAX_OUTPUT, zlibCodec, type CompressionLevel } from './zlib';

/** How a {@link CompressedSerde} works. */
export interface CompressedSerdeOptions {
  /** Values below this many bytes are stored as they are. @default 400 */
  minLength?: number | undefined;
  /** How hard the default codec tries: 0 (not at all) to 9. @default 6 */
  level?: CompressionLevel | undefined;
  /** The longest value that is read, in bytes after decompression; a longer one is an error. @default 67108864 (64 MiB) */
  maxOutput?: number | undefined;
  /** Another codec. Every client that reads the values must have the same one. @default zlib's format, as in Python */
  codec?: Codec | undefined;
}

/** The options of {@link CompressedSerde}. */
export const COMPRESSED_OPTIONS = {
  minLength: option(wholeNumber(0, 2 ** 30, 'bytes'), 400),
  level: option<CompressionLevel>(wholeNumber(0, 9) as Rule<CompressionLevel>, 6),
  maxOutput: MAX_OUTPUT,
  codec: option(objectWith<Codec>('an object with compress and decompress', 'compress', 'decompress')),
} satisfies OptionTable<CompressedSerdeOptions>;

/**
 * Values of another serde, compressed where that makes them smaller; `FLAG_COMPRESSED` is added to their flags.
 *
 * With the default codec, pymemcache's `CompressedSerde` and python-memcached read what this one stores, and the other way
 * round. Values need not be trusted when they are read: one that is refused never takes more than `maxOutput` and 1 MiB of
 * memory, and one that was changed, cut short or added to fails its checksum or its length. JSON that would take more than about
 * twice `maxOutput` once it is parsed, and 64 MiB at the least, is refused when it is written and when it is read.
 */
export class CompressedSerde<Out, In = Out> implements Serde<Out, In> {
  readonly #inner: Serde<Out, In>;
  readonly #minLength: number;
  readonly #maxOutput: number;
  readonly #codec: Codec;

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(inner: Serde<Out, In>, options: CompressedSerdeOptions = {}) {
    this.#inner = checkInner(inner);
    const { minLength, level, maxOutput, codec } = settingsOf(COMPRESSED_OPTIONS, options);
    this.#minLength = minLength;
    this.#maxOutput = maxOutput;
    this.#codec = codec ?? zlibCodec(level);
  }

  /** What `append` and `prepend` add is not compressed: the flag stands for the whole value, and theirs is not stored. */
  serialize(value: In, key: string, verb?: string): SerializedValue {
    const plain = this.#inner.serialize(value, key, verb);
    if (isAdding(verb)) return plain;
    if (plain.flags & FLAG_COMPRESSED) {
      throw new MemcacheSerdeError(`flag ${FLAG_COMPRESSED} is taken: the inner serde of a CompressedSerde must not set it`);
    }
    const length = typeof plain.data === 'string' ? Buffer.byteLength(plain.data) : plain.data.length;
    if (length < this.#minLength) return plain;
    const bytes = typeof plain.data === 'string' ? Buffer.from(plain.data) : plain.data;
    if (plain.flags === FLAG_JSON) checkJsonCost(bytes, this.#maxOutput);
    const data = this.#codec.compress(bytes);
    return data.length < length ? { data, flags: plain.flags + FLAG_COMPRESSED } : plain;
  }

  deserialize(data: Buffer, flags: number, key: string): Out | typeof MISS {
    if (!(flags & FLAG_COMPRESSED)) return this.#inner.deserialize(data, flags, key);
    const plain = this.#decompress(data);
    // Pickles and structured values are counted where they are read. JSON is so only here: what was not compressed is short.
    if (flags - FLAG_COMPRESSED === FLAG_JSON) checkJsonCost(plain, this.#maxOutput);
    return this.#inner.deserialize(plain, flags - FLAG_COMPRESSED, key);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number, key: string): Out | typeof MISS {
    if (flags & FLAG_COMPRESSED) return this.deserialize(buffer.subarray(start, end), flags, key);
    return deserializeInner(this.#inner, buffer, start, end, flags, key);
  }

  #decompress(data: Buffer): Buffer {
    const plain = this.#codec.decompress(data, this.#maxOutput);
    if (plain.length > this.#maxOutput) {
      throw unreadable(`the codec produced more than the ${this.#maxOutput} bytes of maxOutput`);
    }
    return Buffer.from(plain.buffer, plain.byteOffset, plain.length);
  }
}
