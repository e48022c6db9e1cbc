import { MemcacheIllegalInputError } from '../errors';
import { asBuffer, latin1Slice } from './bytes';

/**
 * The bytes of the requests that leave together. Lines and small blocks are gathered in one string of one character per
 * byte, written by one call: at 1024 gets in flight that costs a sixth of one write per command. Big blocks stay apart,
 * since joining them would copy megabytes (100 KB sets: 93 µs joined, 25 µs apart).
 */
export class RequestWriter {
  /** What is not yet in `chunks`. */
  #text = '';
  #chunks: (string | Uint8Array)[] = [];
  #chunkedSize = 0;
  #hasBlocks = false;
  /** Where the last command begins: lengths only, as keeping the text itself took a fiftieth of a small call. */
  #beginText = 0;
  #beginChunks = 0;
  #beginSize = 0;
  #copies = false;
  /** Whether every line must be one that all proxies take. */
  proxied = false;

  /** Bytes gathered so far. */
  get size(): number {
    return this.#chunkedSize + this.#text.length;
  }

  /** Adds text of one character per byte. */
  text(text: string): void {
    this.#text += text;
    if (this.#text.length <= PIECE) return;
    this.#chunks.push(this.#text);
    this.#chunkedSize += this.#text.length;
    this.#text = '';
  }

  /** Adds a data block and the CR LF after it. A string must be of one character per byte. */
  block(data: string | Uint8Array): void {
    if (typeof data === 'string' && data.length < APART_FROM) {
      this.text(data + '\r\n');
      return;
    }
    // No array of ours is empty: small ones have become text.
    if (data.length === 0) throw detached();
    this.#chunks.push(this.#text, this.#copies && typeof data !== 'string' ? Buffer.from(data) : data);
    this.#chunkedSize += this.#text.length + data.length;
    this.#hasBlocks = true;
    this.#text = '\r\n';
  }

  /**
   * Remembers where a command begins.
   *
   * @param copies whether the caller may change its arrays before they are sent
   */
  begin(copies: boolean): void {
    this.#copies = copies;
    this.#beginText = this.#text.length;
    this.#beginChunks = this.#chunks.length;
    this.#beginSize = this.#chunkedSize;
  }

  /** Takes back what was added since {@link begin}. */
  undo(): void {
    // A block puts the text before it among the chunks.
    const text = this.#chunks[this.#beginChunks] ?? this.#text;
    if (typeof text === 'string') this.#text = text.slice(0, this.#beginText);
    this.#chunks.length = this.#beginChunks;
    this.#chunkedSize = this.#beginSize;
  }

  /** Hands over what was gathered, piece by piece and in order, and starts anew. */
  drain(write: (piece: string | Uint8Array) => void): void {
    const chunks = this.#chunks;
    const text = this.#text;
    this.#text = '';
    if (chunks.length > 0) {
      this.#chunks = [];
      this.#chunkedSize = 0;
      this.#hasBlocks = false;
      for (const chunk of chunks) write(chunk);
    }
    if (text !== '') write(text);
  }

  /** Whether a block stands apart, so that corking is worth it: other pieces are long enough for a write of their own. */
  get hasBlocks(): boolean {
    return this.#hasBlocks;
  }
}

/**
 * A piece of text ends when it is longer than this. V8 joins its parts when it is written, and what is longer than 128 KB costs
 * it new memory each time: sets of 2 KB took twice as long in pieces of 256 KB.
 */
export const PIECE = 65_536;

/** Blocks from this size on are written apart. */
const APART_FROM = 8192;

/** Bytes up to this size are turned into text, so that they join the other small pieces. */
const TEXT_UP_TO = 2048;

/**
 * Bytes up to this size are copied, so that the caller may use the array again at once; larger ones belong to the client
 * until the promise settles. Copying costs a tenth of a set of 16 KB, and a fifth of one of 64 KB.
 */
export const COPIED_UP_TO = 65_536;

/** Copies lie side by side in blocks of this size: a block of its own for each would take twice the time from 64 KB on. */
const SLAB_SIZE = 262_144;
let slab: Buffer;
let slabUsed = SLAB_SIZE;

/** From this length on text is encoded to see whether it is ASCII: counting its bytes takes twice as long or more, in Node 24 up to eight times. */
const ENCODED_FROM = 512;
/** As much text is encoded at once, into memory that stays in the processor's cache. */
const ENCODED_AT_ONCE = 8192;
/** A UTF-16 unit has three bytes in UTF-8 at the most. */
const scratch = /* @__PURE__ */ Buffer.allocUnsafeSlow(ENCODED_AT_ONCE * 3);

/**
 * Prepares a block for {@link RequestWriter.block}: the result has one element per byte, and does not change any more unless it
 * is longer than {@link COPIED_UP_TO}. A string that is not ASCII is encoded.
 *
 * @throws MemcacheIllegalInputError when the bytes are gone, because their buffer was transferred
 */
export function toBlock(data: string | Uint8Array): string | Uint8Array {
  if (typeof data === 'string') return encoded(data);
  if (data.length <= TEXT_UP_TO) {
    checkPresent(data);
    return asBuffer(data).toString('latin1');
  }
  if (data.length <= COPIED_UP_TO) return copyInSlab(data);
  return isResizable(data.buffer) ? Buffer.from(data) : data;
}

/** ASCII stays what it is: it has one character per byte. */
function encoded(text: string): string | Uint8Array {
  const { length } = text;
  if (length < ENCODED_FROM && Buffer.byteLength(text) === length) return text;
  // Long text that is not ASCII mostly shows it at its beginning.
  for (let at = 0, end = length > ENCODED_AT_ONCE ? ENCODED_FROM : length; at < length; at = end, end += ENCODED_AT_ONCE) {
    const part = text.slice(at, end);
    const size = scratch.write(part);
    if (size !== part.length) return part === text && size <= TEXT_UP_TO ? latin1Slice(scratch, 0, size) : Buffer.from(text);
  }
  return text;
}

/** A copy, however many bytes there are. @throws MemcacheIllegalInputError as {@link toBlock} does */
export function ownBytes(data: Uint8Array): Uint8Array {
  checkPresent(data);
  return Buffer.from(data);
}

/** Node 20 has no `detached`; but a view of a buffer that was transferred cannot be made. */
function checkPresent({ length, buffer }: Uint8Array): void {
  if (length > 0) return;
  try {
    new Uint8Array(buffer).at(0);
  } catch {
    throw detached();
  }
}

function copyInSlab(data: Uint8Array): Uint8Array {
  if (SLAB_SIZE - slabUsed < data.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, (slabUsed += data.length));
  copy.set(data);
  return copy;
}

/** A view of such a buffer may change its length at any time. */
function isResizable({ resizable, growable }: ArrayBufferLike & { resizable?: boolean; growable?: boolean }): boolean {
  return resizable ?? growable ?? false;
}

function detached(): MemcacheIllegalInputError {
  return new MemcacheIllegalInputError(
    `value: its buffer was transferred; one of more than ${COPIED_UP_TO} bytes belongs to the client until the promise settles`,
  );
}
