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

  /** Bytes gathered so far. */
  get size(): number {
    return this.#chunkedSize + this.#text.length;
  }

  /** Adds text of one character per byte. */
  text(text: string): void {
    this.#text += text;
  }

  /** Adds a data block and the CR LF behind it. A string must be of one character per byte. */
  block(data: string | Uint8Array): void {
    if (typeof data === 'string' && data.length < APART_FROM) {
      this.#text += data + '\r\n';
      return;
    }
    this.#chunks.push(this.#text, data);
    this.#chunkedSize += this.#text.length + data.length;
    this.#text = '\r\n';
  }

  /** Hands over what was gathered, piece by piece and in order, and starts anew. */
  drain(write: (piece: string | Uint8Array) => void): void {
    const chunks = this.#chunks;
    const text = this.#text;
    this.#text = '';
    if (chunks.length > 0) {
      this.#chunks = [];
      this.#chunkedSize = 0;
      for (const chunk of chunks) write(chunk);
    }
    if (text !== '') write(text);
  }

  /** Whether there is more than one piece, so that corking is worth it. */
  get inPieces(): boolean {
    return this.#chunks.length > 0;
  }
}

/** Blocks from this size on are written apart. */
const APART_FROM = 8192;

/** Bytes up to this size are turned into text, so that they join the other small pieces; larger ones are not copied. */
const TEXT_UP_TO = 2048;

/**
 * Prepares a block for {@link RequestWriter.block}: the result has as many elements as bytes. Text that is not ASCII
 * is encoded; small byte arrays become text, which also makes later changes by the caller harmless.
 */
export function toBlock(data: string | Uint8Array): string | Uint8Array {
  if (typeof data === 'string') return Buffer.byteLength(data) === data.length ? data : Buffer.from(data);
  if (data.length > TEXT_UP_TO) return data;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
}
