import { latin1Slice, readDecimal } from '../../../protocol/bytes';
import { MAX_KEY_LENGTH } from '../../../protocol/limits';
import { parseUint64 } from '../../engine/counter';

/** memcached cuts a line into at most this many tokens; the rest of the line stays uncut. */
const MAX_TOKENS = 23;

/** memcached refuses to read a block longer than this. */
const MAX_BLOCK = 2 ** 31 - 1 - 2;

const SPACE = 32;
const NUL = 0;

/**
 * The tokens of the command being executed, as positions in the line: one object per session, filled anew for each
 * line. Positions count from the line's beginning, because the line may move between its scan and its execution.
 */
export class CommandLine {
  /** How many tokens there are, at most {@link MAX_TOKENS}. */
  count = 0;
  /** A number made of the bytes of the first token: the key of the table of verbs. */
  verbHash = 0;
  readonly #starts = new Int32Array(MAX_TOKENS);
  readonly #ends = new Int32Array(MAX_TOKENS);
  #buffer: Buffer = Buffer.alloc(0);
  #base = 0;
  #end = 0;

  /** Takes the line `buffer[start, end)`, up to its first NUL if it has one. */
  scan(buffer: Buffer, start: number, end: number): void {
    let hash = 0;
    let at = start;
    while (at < end && buffer[at] === SPACE) at++;
    const verbStart = at;
    for (; at < end; at++) {
      const byte = buffer[at] ?? NUL;
      if (byte === SPACE || byte === NUL) break;
      hash = (hash * 31 + byte) | 0;
    }
    this.verbHash = hash;
    this.#buffer = buffer;
    this.#base = start;
    this.#starts[0] = verbStart - start;
    this.#ends[0] = at - start;
    this.count = at === verbStart ? 0 : 1;
    this.#end = end - start;
    if (at < end) this.#cut(at - start);
  }

  /** Tells where the line is now. */
  moveTo(buffer: Buffer, start: number): void {
    this.#buffer = buffer;
    this.#base = start;
  }

  /**
   * Goes on where the tokens ended: fills `count` anew, from 0.
   *
   * @returns whether anything was left of the line
   */
  next(): boolean {
    if (this.count < MAX_TOKENS) return false;
    const from = this.#ends[MAX_TOKENS - 1] ?? 0;
    this.count = 0;
    this.#cut(from);
    return this.count > 0;
  }

  /** The token, one character per byte. */
  text(index: number): string {
    const base = this.#base;
    return latin1Slice(this.#buffer, base + (this.#starts[index] ?? 0), base + (this.#ends[index] ?? 0));
  }

  /** The token without its first character. */
  argument(index: number): string {
    const base = this.#base;
    return latin1Slice(this.#buffer, base + (this.#starts[index] ?? 0) + 1, base + (this.#ends[index] ?? 0));
  }

  /** The token's first byte. */
  first(index: number): number {
    return this.#buffer[this.#base + (this.#starts[index] ?? 0)] ?? NUL;
  }

  /** The token's length; 0 when there is none. */
  length(index: number): number {
    return index < this.count ? (this.#ends[index] ?? 0) - (this.#starts[index] ?? 0) : 0;
  }

  /** Whether the token is `word`. */
  is(index: number, word: string): boolean {
    const { length } = word;
    if (this.length(index) !== length) return false;
    const at = this.#base + (this.#starts[index] ?? 0);
    for (let i = 0; i < length; i++) if (this.#buffer[at + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** Whether the last token asks for silence. Like memcached, it may be a token that means something else too. */
  get noreply(): boolean {
    return this.is(this.count - 1, 'noreply');
  }

  /** Whether the token is short enough for a key. */
  isKey(index: number): boolean {
    return this.length(index) <= MAX_KEY_LENGTH;
  }

  /** Whether any token of the line, also beyond those cut, is too long for a key. */
  get hasLongToken(): boolean {
    if (this.#end <= MAX_KEY_LENGTH) return false;
    const base = this.#base;
    let start = 0;
    for (let at = 0; at < this.#end; at++) {
      const byte = this.#buffer[base + at];
      if (byte === NUL) break;
      if (byte === SPACE) start = at + 1;
      else if (at - start >= MAX_KEY_LENGTH) return true;
    }
    return false;
  }

  /** The token as C's `strtol` reads it, cut to signed 32 bits as memcached does; `undefined` when it is no number. */
  int32(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0 && plain <= 0x7fff_ffff) return plain;
    return parseInt32(this.text(index));
  }

  /** The token as an unsigned 32-bit number, cut to that as memcached does. */
  uint32(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0) return plain >>> 0;
    return parseUint32(this.text(index));
  }

  /** The token as a cas number. No cas that a store gives out is beyond 2^53, so a greater one need not be exact. */
  cas(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0) return plain;
    const parsed = parseUint64(this.text(index));
    return parsed === undefined ? undefined : Number(parsed);
  }

  /**
   * The token as the length of a data block, -1 when it is none.
   *
   * memcached 1.6.18 cuts 4294967297 to 1, and executes the rest of the block; here it is refused.
   */
  blockLength(index: number): number {
    if (index >= this.count) return -1;
    let length = this.#decimal(index);
    if (length < 0) length = Number(parseInt64(this.text(index)) ?? -1);
    return length >= 0 && length <= MAX_BLOCK ? length : -1;
  }

  #decimal(index: number): number {
    const base = this.#base;
    return readDecimal(this.#buffer, base + (this.#starts[index] ?? 0), base + (this.#ends[index] ?? 0));
  }

  #cut(from: number): void {
    const buffer = this.#buffer;
    const base = this.#base;
    const end = this.#end;
    let { count } = this;
    let start = -1;
    let at = from;
    for (; at < end && count < MAX_TOKENS; at++) {
      const byte = buffer[base + at];
      if (byte === NUL) break;
      if (byte !== SPACE) {
        if (start < 0) start = at;
      } else if (start >= 0) {
        this.#starts[count] = start;
        this.#ends[count++] = at;
        start = -1;
      }
    }
    if (start >= 0) {
      this.#starts[count] = start;
      this.#ends[count++] = at;
    }
    this.count = count;
  }
}

const MAX_INT64 = 2n ** 63n - 1n;
const SIGNED = /^[\t-\r ]*([+-]?\d+)(?:[\t-\r ]|$)/;

/** What C's `strtol` reads, ended by white space or the end; `undefined` beyond 64 bits. */
function parseInt64(text: string): bigint | undefined {
  const match = SIGNED.exec(text);
  if (match === null) return undefined;
  const value = BigInt((match[1] ?? '').replace('+', ''));
  return value > MAX_INT64 || value < -MAX_INT64 - 1n ? undefined : value;
}

/** `text` as memcached's `safe_strtol` reads it. */
export function parseInt32(text: string): number | undefined {
  const value = parseInt64(text);
  return value === undefined ? undefined : Number(BigInt.asIntN(32, value));
}

/** `text` as memcached's `safe_strtoul` reads it. */
export function parseUint32(text: string): number | undefined {
  const value = parseUint64(text);
  return value === undefined ? undefined : Number(BigInt.asUintN(32, value));
}
