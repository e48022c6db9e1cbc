import { settingsOf, type OptionTable } from '../options/option';
import { isBytes } from '../protocol/bytes';
import { refuseAdding } from './adding';
import { FLAG_BYTES, FLAG_COMPRESSED, FLAG_INTEGER, FLAG_LONG, FLAG_PICKLE, FLAG_TEXT } from './flags';
import { integerText, isInteger } from './integer';
import { readPickle } from './pickle/reader';
import { writePickle } from './pickle/writer';
import type { Serde, SerializedValue } from './serde';
import { TypedSerde, type CacheValue } from './typed-serde';
import { unreadable } from './unreadable';
import { MAX_OUTPUT, readZlib } from './zlib';

/** Reads what stands in an item as it is: a TypedSerde stores strings, bytes and integers as Python's clients do. */
const PLAIN = new TypedSerde();

/** Python makes no `int` of longer text. */
const MAX_DIGITS = 4300;

/** How a {@link PythonSerde} reads. */
export interface PythonSerdeOptions {
  /** The longest compressed value that is read, in bytes after decompression; a longer one is an error. @default 67108864 (64 MiB) */
  maxOutput?: number | undefined;
}

/** The options of {@link PythonSerde}. */
export const PYTHON_OPTIONS = { maxOutput: MAX_OUTPUT } satisfies OptionTable<PythonSerdeOptions>;

/**
 * What pymemcache's `pickle_serde` and `compressed_serde`, and python-memcached, store and read: strings, bytes and integers as
 * they are, everything else as a pickle.
 *
 * - Reading: None is null; int a number or, past 2^53, a bigint; bytes and bytearray a Buffer; list and tuple an Array; set
 *   and frozenset a Set; dict an object or, unless all its keys are strings, a Map; datetime and date a Date (in UTC when they
 *   name no zone). Only plain data is read: a pickle that asks for anything else is refused, and none can run code.
 * - Writing: null, booleans, numbers, bigints, strings, bytes, Dates, Arrays, Maps, Sets and plain objects, nested and
 *   circular. Properties that are undefined are left out. Wrap it in a `CompressedSerde` to store compressed; reading needs none.
 */
export class PythonSerde implements Serde<CacheValue> {
  readonly #maxOutput: number;

  /** @throws MemcacheIllegalInputError naming the option that is not legal, or does not exist */
  constructor(options: PythonSerdeOptions = {}) {
    this.#maxOutput = settingsOf(PYTHON_OPTIONS, options).maxOutput;
  }

  /** @throws MemcacheSerdeError for what is not plain data, and for `append` and `prepend` of what would be a pickle */
  serialize(value: CacheValue, _key?: string, verb?: string): SerializedValue {
    if (typeof value === 'string' && value.isWellFormed()) return { data: value, flags: FLAG_TEXT };
    if (typeof value === 'bigint') {
      const data = integerText(value);
      if (data.length <= MAX_DIGITS) return { data, flags: FLAG_LONG };
    }
    if (typeof value === 'number' && isInteger(value)) return { data: String(value), flags: FLAG_INTEGER };
    if (isBytes(value)) return { data: value, flags: FLAG_BYTES };
    refuseAdding(verb, 'a pickle');
    return { data: writePickle(value), flags: FLAG_PICKLE };
  }

  deserialize(data: Buffer, flags: number): CacheValue {
    return flags === FLAG_BYTES ? data : this.deserializeInPlace(data, 0, data.length, flags);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number): CacheValue {
    if (flags === FLAG_PICKLE) return readPickle(buffer, start, end) as CacheValue;
    if (flags === FLAG_BYTES || flags === FLAG_TEXT || flags === FLAG_INTEGER || flags === FLAG_LONG) return PLAIN.deserializeInPlace(buffer, start, end, flags);
    if (flags & FLAG_COMPRESSED) return this.deserialize(readZlib(buffer.subarray(start, end), this.#maxOutput), flags - FLAG_COMPRESSED);
    throw unreadable(`no Python client stored an item with flags ${flags}: use the serde it was stored with, or a RawSerde`);
  }
}
