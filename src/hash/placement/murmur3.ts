/** MurmurHash3, 32 bits, as pymemcache computes it: over the code points of a string, of which it uses the low 8 bits. */

// Looked up once: in a vm context, where test runners put their tests, each look-up of a global takes 0.3 us.
const { imul } = Math;

/** A hash that has read the beginning of a string, so that a beginning shared by many strings is read once. */
export interface Murmur3State {
  /** The hash of the blocks of four characters that are complete. */
  readonly hash: number;
  /** The characters of the incomplete block, the first in the low byte. */
  readonly block: number;
  /** How many bits of `block` are in use: 0, 8, 16 or 24. */
  readonly bits: number;
  /** How many characters have been read. */
  readonly length: number;
}

/**
 * The 32 bits of pymemcache's `murmur3_32(text, seed)`, as an unsigned integer.
 *
 * It counts code points, not UTF-8 bytes and not UTF-16 units, and cuts each to 8 bits; for ASCII this is the standard
 * MurmurHash3 x86 32.
 *
 * @param seed - an integer, taken modulo 2^32; @default 0
 */
export function murmur3(text: string, seed = 0): number {
  return murmur3End(murmur3Begin(seed), packed.fill(text));
}

/** A string packed to be hashed four characters at a time, so that a string that follows many beginnings is read once. */
export class PackedText {
  /** Four characters each, the first in the low byte; the last one in use is padded with zeros. */
  words = new Int32Array(64);
  /** How many characters, that is code points, there are. */
  length = 0;

  /** Replaces the contents by `text`. */
  fill(text: string): this {
    if (text.length >> 2 >= this.words.length) this.words = new Int32Array((text.length >> 2) + 1);
    let length = 0;
    let word = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      // The low 8 bits of a pair's code point are those of its second half: the first half can be passed over.
      if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) continue;
      word |= (unit & 0xff) << (8 * (length & 3));
      length++;
      if ((length & 3) !== 0) continue;
      this.words[(length >> 2) - 1] = word;
      word = 0;
    }
    this.words[length >> 2] = word;
    this.length = length;
    return this;
  }
}

const packed = /* @__PURE__ */ new PackedText();

/** The state before anything was read. */
export function murmur3Begin(seed: number): Murmur3State {
  return { hash: seed | 0, block: 0, bits: 0, length: 0 };
}

/** The state after `text` when `state` is the one before it. */
export function murmur3Continue(state: Murmur3State, text: PackedText): Murmur3State {
  return read(state, text, { ...state });
}

/** Reused for every result: a new object per server and key would be most of what placing a key allocates. */
const end = murmur3Begin(0);

/** The hash of what `state` has read, followed by `text`. */
export function murmur3End(state: Murmur3State, text: PackedText): number {
  read(state, text, end);
  // An empty block scrambles to 0.
  let hash = end.hash ^ scramble(end.block) ^ end.length;
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Puts into `into` what `state` becomes with `text`, and returns it. */
function read(state: Murmur3State, text: PackedText, into: { -readonly [Name in keyof Murmur3State]: number }): Murmur3State {
  let { hash, block } = state;
  const { bits } = state;
  const whole = text.length >> 2;
  for (let i = 0; i < whole; i++) {
    const word = text.words[i] ?? 0;
    hash = mix(hash, block | (word << bits));
    // In two steps, because a shift by 32 bits shifts by none.
    block = (word >>> 1) >>> (31 - bits);
  }
  const rest = text.words[whole] ?? 0;
  const bitsNow = bits + 8 * (text.length & 3);
  block |= rest << bits;
  if (bitsNow >= 32) {
    hash = mix(hash, block);
    block = (rest >>> 1) >>> (31 - bits);
  }
  into.hash = hash;
  into.block = block;
  into.bits = bitsNow & 31;
  into.length = state.length + text.length;
  return into;
}

function mix(hash: number, block: number): number {
  const mixed = hash ^ scramble(block);
  return (imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function scramble(block: number): number {
  const mixed = imul(block, 0xcc9e2d51);
  return imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
