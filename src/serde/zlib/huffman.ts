/** Canonical Huffman codes of deflate (RFC 1951, 3.2.2), read bit by bit from the lowest bit up. */
import { corrupt } from './corrupt';

/** The longest code, in bits. */
const MAX_LENGTH = 15;
/** Codes up to this length are found by one table look-up; the few longer ones by a walk. */
const TABLE_BITS = 10;
export const TABLE_MASK = (1 << TABLE_BITS) - 1;

/** A code; `set` makes it another one, so that no block allocates. */
export class HuffmanCode {
  /** By the next `TABLE_BITS` bits: symbol << 4 | length, or 0 where {@link find} must be called. */
  readonly table = new Uint16Array(1 << TABLE_BITS);
  /** How many codes there are of each length. */
  readonly #counts = new Uint16Array(MAX_LENGTH + 1);
  /** The symbols in the order of their codes. */
  readonly #symbols: Uint16Array;
  readonly #next = new Uint16Array(MAX_LENGTH + 2);

  constructor(symbols: number) {
    this.#symbols = new Uint16Array(symbols);
  }

  /**
   * Becomes the code whose symbols have these lengths, 0 for a symbol without a code.
   *
   * @throws MemcacheSerdeError when no such code exists, or when some bits would have no meaning. Only a code of one symbol and
   *   one bit, or of no symbol, may leave such bits (zlib writes these for a block with one distance, or none)
   */
  set(lengths: Uint8Array, mayBePartial: boolean): void {
    const counts = this.#counts.fill(0);
    for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
    const used = lengths.length - (counts[0] ?? 0);
    counts[0] = 0;
    let free = 1;
    for (let length = 1; length <= MAX_LENGTH; length++) {
      free = free * 2 - (counts[length] ?? 0);
      if (free < 0) throw corrupt();
    }
    if (free > 0 && !(mayBePartial && (used === 0 || (used === 1 && counts[1] === 1)))) throw corrupt();
    this.#sort(lengths);
    this.#fillTable();
  }

  #sort(lengths: Uint8Array): void {
    const next = this.#next;
    next[1] = 0;
    for (let length = 1; length <= MAX_LENGTH; length++) next[length + 1] = (next[length] ?? 0) + (this.#counts[length] ?? 0);
    lengths.forEach((length, symbol) => {
      if (length === 0) return;
      const at = next[length] ?? 0;
      this.#symbols[at] = symbol;
      next[length] = at + 1;
    });
  }

  #fillTable(): void {
    const table = this.table.fill(0);
    let code = 0;
    let index = 0;
    for (let length = 1; length <= TABLE_BITS; length++) {
      for (let left = this.#counts[length] ?? 0; left > 0; left--) {
        const entry = ((this.#symbols[index++] ?? 0) << 4) | length;
        for (let at = reverse(code++, length); at < table.length; at += 1 << length) table[at] = entry;
      }
      code <<= 1;
    }
  }

  /**
   * symbol << 4 | length of the code at the low end of `bits`.
   *
   * @throws MemcacheSerdeError when the bits are no code
   */
  find(bits: number): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= MAX_LENGTH; length++) {
      code |= (bits >>> (length - 1)) & 1;
      const count = this.#counts[length] ?? 0;
      if (code - first < count) return ((this.#symbols[index + code - first] ?? 0) << 4) | length;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw corrupt();
  }
}

/** Codes are packed from their highest bit down, everything else of deflate from the lowest up. */
function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let bit = 0; bit < length; bit++) reversed |= ((code >>> bit) & 1) << (length - 1 - bit);
  return reversed;
}
