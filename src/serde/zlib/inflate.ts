/**
 * Inflates (RFC 1951) bytes that are not trusted.
 *
 * fflate compresses, but does not read: its inflater accepts a value that was cut short, or has bytes after its end, does not
 * say where a stream ends, and when fed in slices, the only way to bound its output, leaves two to three times the output as
 * garbage.
 */
import { corrupt, truncated } from './corrupt';
import { HuffmanCode, TABLE_MASK } from './huffman';
import { Output } from './output';

/** Symbols 257 to 285 of a literal/length code: the shortest match of each, and how many extra bits to add to it. */
const MATCH_LENGTHS = Uint16Array.of(3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258);
const MATCH_LENGTH_BITS = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0);
/** The same for the 30 symbols of a distance code. */
const DISTANCES = Uint16Array.of(
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
);
const DISTANCE_BITS = Uint8Array.of(0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13);
/** The order in which a block gives the lengths of the code for its codes' lengths. */
const LENGTHS_ORDER = Uint8Array.of(16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15);

const END_OF_BLOCK = 256;

/** Inflating is synchronous, so one set of tables serves all values. */
const lengthsCode = new HuffmanCode(19);
const literalCode = new HuffmanCode(288);
const distanceCode = new HuffmanCode(32);
const lengths = new Uint8Array(288 + 32);

/** The codes of blocks without codes of their own. */
function setFixedCodes(): void {
  lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).fill(5, 288, 320);
  literalCode.set(lengths.subarray(0, 288), false);
  distanceCode.set(lengths.subarray(288, 320), false);
}

/** The output, and where the stream ended: the first byte after it. */
export interface Inflated {
  readonly output: Buffer;
  readonly end: number;
}

/**
 * Inflates the stream that begins at `start`, into memory of its own.
 *
 * @throws MemcacheSerdeError when it is corrupt or cut short, or when the output is longer than `maxOutput` bytes
 */
export function inflate(data: Uint8Array, start: number, maxOutput: number): Inflated {
  return new Inflater(data, start, maxOutput).run();
}

class Inflater {
  readonly #data: Uint8Array;
  readonly #output: Output;
  /** The byte to be read next. */
  #at: number;
  /** Bits read but not used yet, the next one lowest, and their number: always below 32. */
  #held = 0;
  #heldCount = 0;
  /** How much of the output's chunk is written. */
  #written = 0;

  constructor(data: Uint8Array, start: number, maxOutput: number) {
    this.#data = data;
    this.#at = start;
    this.#output = new Output(maxOutput);
  }

  run(): Inflated {
    let last;
    do {
      last = this.#bits(1);
      switch (this.#bits(2)) {
        case 0:
          this.#storedBlock();
          break;
        case 1:
          setFixedCodes();
          this.#codedBlock();
          break;
        case 2:
          this.#readCodes();
          this.#codedBlock();
          break;
        default:
          throw corrupt();
      }
    } while (last === 0);
    this.#giveBackBytes();
    return { output: this.#output.end(this.#written), end: this.#at };
  }

  /** The next `count` bits, at most 16. */
  #bits(count: number): number {
    this.#hold(count);
    if (this.#heldCount < count) throw truncated();
    const bits = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#heldCount -= count;
    return bits;
  }

  /** Holds `count` bits, at most 16, or as many as there are. */
  #hold(count: number): void {
    while (this.#heldCount < count && this.#at < this.#data.length) {
      this.#held |= (this.#data[this.#at++] ?? 0) << this.#heldCount;
      this.#heldCount += 8;
    }
  }

  /** Continues at the next whole byte. */
  #giveBackBytes(): void {
    this.#at -= this.#heldCount >>> 3;
    this.#held = 0;
    this.#heldCount = 0;
  }

  #storedBlock(): void {
    this.#giveBackBytes();
    let left = this.#bits(16);
    if (this.#bits(16) !== (left ^ 0xffff)) throw corrupt();
    if (this.#at + left > this.#data.length) throw truncated();
    while (left > 0) {
      const { chunk, limit } = this.#output;
      const count = Math.min(left, limit - this.#written);
      chunk.set(this.#data.subarray(this.#at, this.#at + count), this.#written);
      this.#at += count;
      this.#written += count;
      left -= count;
      if (this.#written >= limit) this.#nextChunk();
    }
  }

  #nextChunk(): void {
    this.#output.next(this.#written);
    this.#written = 0;
  }

  /** Reads the codes that a block brings along. */
  #readCodes(): void {
    const literals = this.#bits(5) + 257;
    const distances = this.#bits(5) + 1;
    const given = this.#bits(4) + 4;
    if (literals > 286 || distances > 30) throw corrupt();
    lengths.fill(0, 0, 19);
    for (let i = 0; i < given; i++) lengths[LENGTHS_ORDER[i] ?? 0] = this.#bits(3);
    lengthsCode.set(lengths.subarray(0, 19), false);
    const count = literals + distances;
    for (let i = 0; i < count; ) i = this.#readLengths(i, count);
    if (lengths[END_OF_BLOCK] === 0) throw corrupt();
    literalCode.set(lengths.subarray(0, literals), true);
    distanceCode.set(lengths.subarray(literals, count), true);
  }

  /** Reads the length of code `i`, or a run of them, and returns the next `i`. */
  #readLengths(i: number, count: number): number {
    this.#hold(7);
    // No code of these is longer than 7 bits, and none is missing, so the table has them all.
    const entry = lengthsCode.table[this.#held & TABLE_MASK] ?? 0;
    this.#bits(entry & 15);
    const symbol = entry >>> 4;
    if (symbol < 16) {
      lengths[i] = symbol;
      return i + 1;
    }
    if (symbol === 16 && i === 0) throw corrupt();
    const length = symbol === 16 ? (lengths[i - 1] ?? 0) : 0;
    const end = i + (symbol === 16 ? 3 + this.#bits(2) : symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7));
    if (end > count) throw corrupt();
    lengths.fill(length, i, end);
    return end;
  }

  /** Literals and matches up to the end of the block: where the time goes, so everything is in local variables. */
  #codedBlock(): void {
    const data = this.#data;
    const output = this.#output;
    const literals = literalCode.table;
    const distances = distanceCode.table;
    let { chunk, limit } = output;
    let at = this.#at;
    let held = this.#held;
    let heldCount = this.#heldCount;
    let written = this.#written;
    for (;;) {
      if (written >= limit) {
        output.next(written);
        ({ chunk, limit } = output);
        written = 0;
      }
      // 24 bits are enough for a code of 15 and 5 bits after it. Past the end the bits are 0, and are not counted.
      while (heldCount < 24 && at < data.length) {
        held |= (data[at++] ?? 0) << heldCount;
        heldCount += 8;
      }
      let entry = literals[held & TABLE_MASK] ?? 0;
      if (entry === 0) entry = literalCode.find(held);
      held >>>= entry & 15;
      heldCount -= entry & 15;
      const symbol = entry >>> 4;
      if (symbol < END_OF_BLOCK) {
        if (heldCount < 0) throw truncated();
        chunk[written++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) break;

      const lengthBits = MATCH_LENGTH_BITS[symbol - 257];
      if (lengthBits === undefined) throw corrupt();
      const length = (MATCH_LENGTHS[symbol - 257] ?? 0) + (held & ((1 << lengthBits) - 1));
      held >>>= lengthBits;
      heldCount -= lengthBits;
      if (heldCount < 0) throw truncated();

      while (heldCount < 24 && at < data.length) {
        held |= (data[at++] ?? 0) << heldCount;
        heldCount += 8;
      }
      entry = distances[held & TABLE_MASK] ?? 0;
      if (entry === 0) entry = distanceCode.find(held);
      held >>>= entry & 15;
      heldCount -= entry & 15;
      const distanceBits = DISTANCE_BITS[entry >>> 4];
      if (distanceBits === undefined) throw corrupt();
      while (heldCount < distanceBits && at < data.length) {
        held |= (data[at++] ?? 0) << heldCount;
        heldCount += 8;
      }
      const distance = (DISTANCES[entry >>> 4] ?? 0) + (held & ((1 << distanceBits) - 1));
      held >>>= distanceBits;
      heldCount -= distanceBits;
      if (heldCount < 0) throw truncated();

      if (distance > written) {
        output.copyFromPrevious(written, distance, length);
        written += length;
      } else {
        for (const end = written + length; written < end; written++) chunk[written] = chunk[written - distance] ?? 0;
      }
    }
    if (heldCount < 0) throw truncated();
    this.#at = at;
    this.#held = held;
    this.#heldCount = heldCount;
    this.#written = written;
  }
}
