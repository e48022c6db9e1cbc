import { copyOf, latin1Slice, readDecimal } from '../../../protocol/bytes';
import { MAX_KEY_LENGTH, MAX_UINT64 } from '../../../protocol/limits';
import { isInt64, parseUint64, readNumber } from '../../engine/counter';
import { nextHash } from '../../shared/name-table';
import { EMPTY, Parts } from '../../shared/parts';

/** memcached cuts a line into at most this many tokens; the rest of the line is left whole. */
const MAX_TOKENS = 23;

/** memcached refuses to read a block longer than this. */
const MAX_BLOCK = 2 ** 31 - 1 - 2;

const MAX_INT32 = 2 ** 31 - 1;
const MAX_UINT32 = 2 ** 32 - 1;

/** memcached refuses numbers with more characters than this, even if they are leading zeros. */
const LONGEST_INT32 = 11;
const LONGEST_UINT64 = 22;

const SPACE = 32;

/** The tokens of the command being executed, at most {@link MAX_TOKENS} at a time; their base is where the line begins. */
export class CommandLine extends Parts {
  /** A number made of the bytes of the first token: the key of the table of verbs. */
  verbHash = 0;
  #end = 0;

  /** Takes the line `buffer[start, end)`. */
  scan(buffer: Buffer, start: number, end: number): void {
    let hash = 0;
    let at = start;
    while (at < end && buffer[at] === SPACE) at++;
    const verbStart = at;
    for (; at < end; at++) {
      const byte = buffer[at] ?? SPACE;
      if (byte === SPACE) break;
      hash = nextHash(hash, byte);
    }
    this.verbHash = hash;
    this.buffer = buffer;
    this.base = start;
    this.starts[0] = verbStart - start;
    this.ends[0] = at - start;
    this.count = at === verbStart ? 0 : 1;
    this.#end = end - start;
    if (at < end) this.#cut(at - start);
  }

  /** Says where the line is now. */
  moveTo(buffer: Buffer, start: number): void {
    this.buffer = buffer;
    this.base = start;
  }

  /** Keeps the positions, until {@link moveTo} says where the line is then. */
  release(): void {
    this.buffer = EMPTY;
  }

  /** Copies the line, unless that was done before: the bytes that it lies in may be overwritten before its command is done. */
  keep(): void {
    if (this.buffer.length === this.#end) return;
    this.buffer = copyOf(this.buffer, this.base, this.base + this.#end);
    this.base = 0;
  }

  /**
   * Continues where the tokens ended, and fills the tokens anew from 0.
   *
   * @returns whether any of the line was left
   */
  next(): boolean {
    if (this.count < MAX_TOKENS) return false;
    const from = this.ends[MAX_TOKENS - 1] ?? 0;
    this.count = 0;
    this.#cut(from);
    return this.count > 0;
  }

  /** The token without its first character. */
  argument(index: number): string {
    if (index >= this.count) return '';
    const { base } = this;
    return latin1Slice(this.buffer, base + (this.starts[index] ?? 0) + 1, base + (this.ends[index] ?? 0));
  }

  /** The token's first byte. */
  first(index: number): number {
    return this.buffer[this.base + (this.starts[index] ?? 0)] ?? 0;
  }

  /** Whether the token is `word`. */
  is(index: number, word: string): boolean {
    const { length } = word;
    if (this.length(index) !== length) return false;
    const at = this.base + (this.starts[index] ?? 0);
    for (let i = 0; i < length; i++) if (this.buffer[at + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  /** Whether it has no more than two bytes. */
  get isShort(): boolean {
    return this.#end <= 2;
  }

  /** Whether the line begins with spaces. */
  get indented(): boolean {
    return this.starts[0] !== 0;
  }

  /** Whether the token is a beginning of `word`, which memcached accepts for the whole. */
  abbreviates(index: number, word: string): boolean {
    const length = this.length(index);
    return length > 0 && length <= word.length && this.is(index, word.slice(0, length));
  }

  /** Whether each token from the given one on begins as a flag of a meta command may. */
  hasFlagsFrom(index: number): boolean {
    for (let i = index; i < this.count; i++) if (!isFlagLetter(this.first(i))) return false;
    return true;
  }

  /** Whether the last token is `noreply`. As in memcached, it may be a token that means something else too. */
  get noreply(): boolean {
    return this.is(this.count - 1, 'noreply');
  }

  /** Whether the token is short enough for a key. */
  isKey(index: number): boolean {
    return this.length(index) <= MAX_KEY_LENGTH;
  }

  /** Whether any token of the line, including those that were not cut, is too long for a key. */
  get hasLongToken(): boolean {
    if (this.#end <= MAX_KEY_LENGTH) return false;
    const { base } = this;
    let start = 0;
    for (let at = 0; at < this.#end; at++) {
      const byte = this.buffer[base + at];
      if (byte === SPACE) start = at + 1;
      else if (at - start >= MAX_KEY_LENGTH) return true;
    }
    return false;
  }

  /** The token as a signed 32-bit number; `undefined` when it is not one. */
  int32(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0 && plain <= MAX_INT32 && this.length(index) <= LONGEST_INT32) return plain;
    return strictInt32(this.text(index));
  }

  /** The token as an unsigned 32-bit number; `undefined` when it is not one. */
  uint32(index: number): number | undefined {
    const plain = this.#decimal(index);
    return plain >= 0 && plain <= MAX_UINT32 && this.length(index) <= LONGEST_INT32 ? plain : undefined;
  }

  /** The token as an unsigned 64-bit number, a `bigint` only where a `number` would not be exact. */
  uint64(index: number): number | bigint | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0) return plain;
    return strictUint64(this.text(index));
  }

  /** The client flags of a classic storage command, which are read as C's `strtoul` does and cut to 32 bits. */
  clientFlags(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0) return plain >>> 0;
    const value = parseUint64(this.text(index));
    return value === undefined ? undefined : Number(BigInt.asUintN(32, value));
  }

  /** The expiry time of a classic storage command, which is read as C's `strtol` does and cut to 32 bits. */
  exptime(index: number): number | undefined {
    const plain = this.#decimal(index);
    if (plain >= 0 && plain <= MAX_INT32) return plain;
    const value = parseLong(this.text(index));
    return value === undefined ? undefined : Number(BigInt.asIntN(32, value));
  }

  /** The token as the length of a data block, -1 when it is not one. */
  blockLength(index: number): number {
    const length = this.int32(index) ?? -1;
    return length >= 0 && length <= MAX_BLOCK ? length : -1;
  }

  #decimal(index: number): number {
    if (index >= this.count) return -1;
    const { base } = this;
    return readDecimal(this.buffer, base + (this.starts[index] ?? 0), base + (this.ends[index] ?? 0));
  }

  #cut(from: number): void {
    const { buffer } = this;
    const { base } = this;
    const end = this.#end;
    let { count } = this;
    let start = -1;
    let at = from;
    for (; at < end && count < MAX_TOKENS; at++) {
      if (buffer[base + at] !== SPACE) {
        if (start < 0) start = at;
      } else if (start >= 0) {
        this.starts[count] = start;
        this.ends[count++] = at;
        start = -1;
      }
    }
    if (start >= 0) {
      this.starts[count] = start;
      this.ends[count++] = at;
    }
    this.count = count;
  }
}

/** What C's `strtol` reads, ended by whitespace, NUL or the end; `undefined` beyond 64 bits. */
function parseLong(text: string): bigint | undefined {
  const value = readNumber(text);
  return value !== undefined && isInt64(value) ? value : undefined;
}

/** Only digits, and perhaps a minus before them, which alone is 0, as memcached reads it. */
export function strictInt32(text: string): number | undefined {
  if (text.length > LONGEST_INT32 || !/^(?:-\d*|\d+)$/.test(text)) return undefined;
  const value = text === '-' ? 0 : Number(text);
  return value <= MAX_INT32 && value >= -MAX_INT32 - 1 ? value : undefined;
}

/** Only digits. */
export function strictUint32(text: string): number | undefined {
  if (text.length > LONGEST_INT32 || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value <= MAX_UINT32 ? value : undefined;
}

/** Only digits; a `bigint` only where a `number` would not be exact. */
export function strictUint64(text: string): number | bigint | undefined {
  if (text.length > LONGEST_UINT64 || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(text);
  return exact <= MAX_UINT64 ? exact : undefined;
}

/**
 * Letters and what lies between capitals and small letters in ASCII; and digits, which are no flags, but which memcached
 * accepts at this point.
 */
function isFlagLetter(byte: number): boolean {
  return (byte > 64 && byte < 123) || (byte >= 48 && byte <= 57);
}
