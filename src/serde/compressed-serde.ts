import { MemcacheIllegalInputError, MemcacheSerdeError } from '../errors';
import { copyOf } from '../protocol/bytes';
import type { Codec } from './codec';
import { FLAG_COMPRESSED } from './flags';
import type { MISS, Serde, SerializedValue } from './serde';
import { zlibCodec, type CompressionLevel } from './zlib';
import { unreadable } from './unreadable';

/** How a {@link CompressedSerde} works. */
export interface CompressedSerdeOptions {
  /** Values below this many bytes are stored as they are. @default 400 */
  minLength?: number | undefined;
  /** How hard the default codec tries: 0 (not at all) to 9. @default 6 */
  level?: CompressionLevel | undefined;
  /** The longest value that is read, in bytes after decompression; a longer one is an error. @default 67_108_864 (64 MiB) */
  maxOutput?: number | undefined;
  /** Another codec. Every client that reads the values must have the same one. @default zlib's format, as in Python */
  codec?: Codec | undefined;
}

export const DEFAULT_MAX_OUTPUT = 64 * 1024 * 1024;

/**
 * Values of another serde, compressed where that makes them smaller; `FLAG_COMPRESSED` is added to their flags.
 *
 * With the default codec, pymemcache's `CompressedSerde` and python-memcached read what this one stores, and the other way
 * round. Values need not be trusted when they are read: one that is refused never takes more than `maxOutput` and 1 MiB of
 * memory, and one that was changed, cut short or added to fails its checksum or its length.
 */
export class CompressedSerde<Out, In = Out> implements Serde<Out, In> {
  readonly #inner: Serde<Out, In>;
  readonly #minLength: number;
  readonly #maxOutput: number;
  readonly #codec: Codec;

  /** @throws MemcacheIllegalInputError naming the option that is not legal */
  constructor(inner: Serde<Out, In>, options: CompressedSerdeOptions = {}) {
    this.#inner = checkInner(inner);
    this.#minLength = byteCount('minLength', options.minLength ?? 400);
    this.#maxOutput = byteCount('maxOutput', options.maxOutput ?? DEFAULT_MAX_OUTPUT);
    const level = options.level ?? 6;
    if (!Number.isInteger(level) || level < 0 || level > 9) {
      throw new MemcacheIllegalInputError('level must be a whole number from 0 to 9');
    }
    const { codec } = options;
    if (codec !== undefined && !(typeof codec === 'object' && typeof codec.compress === 'function' && typeof codec.decompress === 'function')) {
      throw new MemcacheIllegalInputError('codec must be an object with the functions compress and decompress');
    }
    this.#codec = codec ?? zlibCodec(level);
  }

  serialize(value: In, key: string): SerializedValue {
    const plain = this.#inner.serialize(value, key);
    if (plain.flags & FLAG_COMPRESSED) {
      throw new MemcacheSerdeError(`flag ${FLAG_COMPRESSED} is taken: the inner serde of a CompressedSerde must not set it`);
    }
    const length = typeof plain.data === 'string' ? Buffer.byteLength(plain.data) : plain.data.length;
    if (length < this.#minLength) return plain;
    const data = this.#codec.compress(typeof plain.data === 'string' ? Buffer.from(plain.data) : plain.data);
    return data.length < length ? { data, flags: plain.flags + FLAG_COMPRESSED } : plain;
  }

  deserialize(data: Buffer, flags: number, key: string): Out | typeof MISS {
    return flags & FLAG_COMPRESSED
      ? this.#inner.deserialize(this.#decompress(data), flags - FLAG_COMPRESSED, key)
      : this.#inner.deserialize(data, flags, key);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number, key: string): Out | typeof MISS {
    if (flags & FLAG_COMPRESSED) return this.deserialize(buffer.subarray(start, end), flags, key);
    if (this.#inner.deserializeInPlace) return this.#inner.deserializeInPlace(buffer, start, end, flags, key);
    return this.#inner.deserialize(copyOf(buffer, start, end), flags, key);
  }

  #decompress(data: Buffer): Buffer {
    const plain = this.#codec.decompress(data, this.#maxOutput);
    if (plain.length > this.#maxOutput) {
      throw unreadable(`the codec produced more than the ${this.#maxOutput} bytes of maxOutput`);
    }
    return Buffer.from(plain.buffer, plain.byteOffset, plain.length);
  }
}

/** @throws MemcacheIllegalInputError when `inner` is not a serde */
export function checkInner<Out, In>(inner: Serde<Out, In> | undefined): Serde<Out, In> {
  if (typeof inner === 'object' && typeof inner.serialize === 'function' && typeof inner.deserialize === 'function') return inner;
  throw new MemcacheIllegalInputError('inner must be a serde, for example new JsonSerde()');
}

/** An option that counts bytes. */
export function byteCount(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 30) {
    throw new MemcacheIllegalInputError(`${name} must be a whole number from 0 to ${2 ** 30}`);
  }
  return value;
}
