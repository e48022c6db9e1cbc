import { latin1Slice } from '../../protocol/bytes';
import { narrow } from '../integer';
import { malformed } from './malformed';
import { decodeText } from './text';

/** The bytes of a pickle, read one argument after the other; each throws MemcacheSerdeError when the bytes run out. */
export class PickleSource {
  readonly #data: Buffer;
  readonly #end: number;
  #at: number;

  constructor(data: Buffer, start: number, end: number) {
    this.#data = data;
    this.#at = start;
    this.#end = end;
  }

  get ended(): boolean {
    return this.#at === this.#end;
  }

  /** Skips `count` bytes, and returns where they begin. */
  #skip(count: number): number {
    const start = this.#at;
    if (count > this.#end - start) throw malformed('it is cut short');
    this.#at += count;
    return start;
  }

  uint8(): number {
    return this.#data.readUInt8(this.#skip(1));
  }

  uint16(): number {
    return this.#data.readUInt16LE(this.#skip(2));
  }

  uint32(): number {
    return this.#data.readUInt32LE(this.#skip(4));
  }

  int32(): number {
    return this.#data.readInt32LE(this.#skip(4));
  }

  /** A length of eight bytes; one past 2^53 loses precision, but is too long in any case. */
  uint64(): number {
    return Number(this.#data.readBigUInt64LE(this.#skip(8)));
  }

  double(): number {
    return this.#data.readDoubleBE(this.#skip(8));
  }

  /** A copy, so that the value outlives the data. */
  bytes(length: number): Buffer {
    const start = this.#skip(length);
    return Buffer.from(this.#data.subarray(start, start + length));
  }

  text(length: number): string {
    const start = this.#skip(length);
    return decodeText(this.#data, start, start + length);
  }

  /** A whole number in two's complement, lowest byte first. */
  long(length: number): number | bigint {
    if (length === 0) return 0;
    const start = this.#skip(length);
    const hex = Buffer.from(this.#data.subarray(start, start + length)).reverse().toString('hex');
    return narrow(BigInt.asIntN(length * 8, BigInt(`0x${hex}`)));
  }

  /** One character per byte, up to the end of the line. */
  line(): string {
    const start = this.#at;
    const end = this.#data.indexOf(10, start);
    if (end < 0 || end >= this.#end) throw malformed('it is cut short');
    this.#at = end + 1;
    return latin1Slice(this.#data, start, end);
  }
}
