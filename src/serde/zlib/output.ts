import { MemcacheSerdeError } from '../../errors';
import { corrupt } from './corrupt';

/** The longest match of deflate: room for it is made beforehand, so that writing one needs no check. */
const LONGEST_MATCH = 258;
const CHUNK_LENGTH = 256 * 1024;

/** The first chunk of every value; most values need no other. No part of it is returned. */
let firstChunk: Buffer | undefined;

/**
 * The output of inflating: a list of chunks, so that growing copies nothing, and a value that is too large costs no more than
 * the allowed size and one chunk.
 */
export class Output {
  readonly #max: number;
  readonly #full: Buffer[] = [];
  #fullLength = 0;
  /** The chunk being written. */
  chunk: Buffer;
  /** The last chunk that is full, which matches may still copy from: chunks are longer than matches reach back. */
  previous: Buffer = Buffer.alloc(0);

  constructor(max: number) {
    this.#max = max;
    this.chunk = firstChunk ??= Buffer.allocUnsafeSlow(CHUNK_LENGTH);
  }

  /** How far the chunk may be filled before `next` is called. */
  get limit(): number {
    return this.chunk.length - LONGEST_MATCH;
  }

  /**
   * Sets the chunk aside, of which `used` bytes are written, and starts another.
   *
   * @throws MemcacheSerdeError when that is more than `max` bytes
   */
  next(used: number): void {
    this.#put(used);
    this.chunk = Buffer.allocUnsafeSlow(CHUNK_LENGTH);
  }

  /**
   * Copies `length` bytes from `distance` bytes before `at` to `at`, where they begin in the previous chunk.
   *
   * @throws MemcacheSerdeError when fewer bytes than that were written
   */
  copyFromPrevious(at: number, distance: number, length: number): void {
    const { chunk, previous } = this;
    const from = previous.length + at - distance;
    if (from < 0) throw corrupt();
    // Byte by byte, as a match may overlap its own output.
    for (let i = 0; i < length; i++) {
      const source = from + i;
      chunk[at + i] = (source < previous.length ? previous[source] : chunk[source - previous.length]) ?? 0;
    }
  }

  /**
   * Everything written, in memory of its own.
   *
   * @throws MemcacheSerdeError when that is more than `max` bytes
   */
  end(used: number): Buffer {
    this.#put(used);
    return Buffer.concat(this.#full, this.#fullLength);
  }

  #put(used: number): void {
    this.previous = this.chunk.subarray(0, used);
    this.#full.push(this.previous);
    this.#fullLength += used;
    if (this.#fullLength > this.#max) {
      throw new MemcacheSerdeError(`the value is larger than ${this.#max} bytes when decompressed (maxOutput)`, { certainty: 'executed' });
    }
  }
}
