import { MemcacheIllegalInputError } from '../errors';
import { latin1Slice } from '../protocol/bytes';
import { isAdding, refuseAdding } from './adding';
import { checkInner, deserializeInner } from './inner';
import { MISS, type Serde, type SerializedValue } from './serde';

/**
 * Values of another serde, of which only those of one version are read: any other is a miss, so that it is computed and stored
 * anew. Change the version on the day that the type of the values changes, and old and new processes can share a server.
 *
 * Stored is `#`, the version, a line feed, and then the bytes of the inner serde, with its flags:
 *
 *     #3\n{"name":"Ada"}
 */
export class VersionedSerde<Out, In = Out> implements Serde<Out, In> {
  readonly #inner: Serde<Out, In>;
  readonly #prefix: string;

  /**
   * @param version - a number, or 1 to 64 printable ASCII characters without whitespace
   * @throws MemcacheIllegalInputError when the version is neither
   */
  constructor(inner: Serde<Out, In>, version: number | string) {
    const text = Number.isFinite(version) || typeof version === 'string' ? String(version) : '';
    if (!/^[!-~]{1,64}$/.test(text)) {
      throw new MemcacheIllegalInputError('version must be a number or 1 to 64 printable ASCII characters without whitespace');
    }
    this.#inner = checkInner(inner);
    this.#prefix = `#${text}\n`;
  }

  /** @throws MemcacheSerdeError for `prepend`: the version would no longer stand in front */
  serialize(value: In, key: string, verb?: string): SerializedValue {
    if (verb === 'prepend') refuseAdding(verb, 'a value behind its version');
    const serialized = this.#inner.serialize(value, key, verb);
    if (isAdding(verb)) return serialized;
    const { data, flags } = serialized;
    return { data: typeof data === 'string' ? this.#prefix + data : Buffer.concat([Buffer.from(this.#prefix), data]), flags };
  }

  deserialize(data: Buffer, flags: number, key: string): Out | typeof MISS {
    if (!this.#isOurs(data, 0, data.length)) return MISS;
    return this.#inner.deserialize(data.subarray(this.#prefix.length), flags, key);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number, key: string): Out | typeof MISS {
    if (!this.#isOurs(buffer, start, end)) return MISS;
    return deserializeInner(this.#inner, buffer, start + this.#prefix.length, end, flags, key);
  }

  #isOurs(buffer: Buffer, start: number, end: number): boolean {
    const { length } = this.#prefix;
    return end - start >= length && latin1Slice(buffer, start, start + length) === this.#prefix;
  }
}
