/**
 * One unit of the text protocol in either direction: a line and, when the line announces one, its data block.
 *
 *     set k 0 0 5\r\n          VALUE k 0 5\r\n         STORED\r\n
 *     hello\r\n                hello\r\n
 *
 * The reader is the only place that cuts bytes into lines and blocks; which lines announce a block is the caller's rule.
 */

import { Ascii } from './ascii';
import { enlarged, isText, kept, latin1Slice, roomFor } from './bytes';

/** What a {@link BlockRule} returns for a line that no data block follows. */
export const NO_BLOCK = -1;

/** Returns how many bytes of data follow the line `buffer[start, end)`, or {@link NO_BLOCK}. It may throw to refuse the line. */
export type BlockRule = (buffer: Buffer, start: number, end: number) => number;

/** How one end reads its peer. */
export interface FrameRules {
  /**
   * Reads the line that most likely comes next in one pass: it puts into the frame what the line says, and `end`.
   * Optional; {@link NO_BLOCK} when another line stands there, or not all of it, which is then read as any line.
   */
  readonly foresee?: (frame: Frame, buffer: Buffer, start: number, end: number) => number;
  readonly blockLength: BlockRule;
  /** A longer line is refused, in bytes; asked only for lines beyond {@link SHORT_LINE}. While a line is not complete, nothing after `end` belongs to it. */
  readonly maxLine: (buffer: Buffer, start: number, end: number, isComplete: boolean) => number;
  /** A block announced as longer is swallowed in constant memory; its frame is delivered at once as `oversized`. */
  readonly maxBlock: number;
  /** Whether LF alone ends a line (servers accept it, replies never have it). @default false */
  readonly bareLineFeed?: boolean;
  /** How much is allocated ahead of the bytes that really arrived, whatever a line announces. @default 64 KiB */
  readonly ahead?: number | undefined;
}

/** A line that cannot be read; the position in the stream is lost. */
export class FrameError extends Error {}

/** A value is larger than it may be: nothing is wrong with the server that has it. */
export class OversizeError extends FrameError {}

/** Lines up to this many bytes are always accepted. */
export const SHORT_LINE = 1024;

/** The usual {@link FrameRules.ahead}. */
const ALLOCATE_AHEAD = 64 * 1024;

const NOTHING = /* @__PURE__ */ Buffer.alloc(0);

/**
 * The frame being delivered. One object is reused for all frames of a reader, and `buffer` is gone after the read: take what is
 * needed before returning.
 */
export class Frame {
  buffer: Buffer = NOTHING;
  /** The line is `buffer[start, end)`, without its line end. */
  start = 0;
  end = 0;
  /** The block is `buffer[dataStart, dataEnd)`; empty when there is none. */
  dataStart = 0;
  dataEnd = 0;
  /** Whether the line announced a block. */
  hasBlock = false;
  /** Whether the block was followed by CR LF, as it must be. */
  terminated = true;
  /** Whether the block was longer than the reader takes and is being swallowed. */
  oversized = false;
  /** Whether `buffer` was made for this frame alone, so that a part of it may be kept. */
  owned = false;
  /** The key of a value that was foreseen; undefined for every other line, which is yet to be read. */
  key: string | undefined;
  /** Its flags. */
  flags = 0;
  /** Where its cas begins, which ends with the line; 0 when there is none. */
  casStart = 0;

  /** The line as text, one character per byte. */
  line(): string {
    return latin1Slice(this.buffer, this.start, this.end);
  }

  /** The block, in memory that nobody else writes to. */
  data(): Buffer {
    return kept(this.buffer, this.dataStart, this.dataEnd, this.owned);
  }

  /** Whether the line begins with `word`, followed by a space or the line's end. */
  startsWith(word: string): boolean {
    const { buffer, start, end } = this;
    const after = start + word.length;
    return isText(buffer, start, after, word) && (after === end || buffer[after] === Ascii.Space);
  }
}

/** Cuts a byte stream into frames, however it is split. Its state belongs to one stream: make one per socket. */
export class FrameReader {
  readonly #rules: FrameRules;
  readonly #onFrame: (frame: Frame) => void;
  readonly #frame = new Frame();
  /** An incomplete frame: its first `#heldLength` bytes. */
  #held: Buffer | undefined;
  #heldLength = 0;
  /** Where the incomplete frame's block begins, once its line is complete. */
  #dataStart = 0;
  /** Total size of the incomplete frame once its line is complete; 0 before. */
  #needed = 0;
  /** Bytes of an oversized block still to be swallowed. */
  #skip = 0;
  #stopped = false;

  constructor(rules: FrameRules, onFrame: (frame: Frame) => void) {
    this.#rules = rules;
    this.#onFrame = onFrame;
  }

  /** Called from within `onFrame`: `push` returns after this frame. The next `push` continues. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Takes `buffer[start, end)` and delivers every frame that it completes.
   *
   * @returns where it stopped: `end`, or less after {@link stop}; the rest must be pushed again.
   * @throws FrameError, or whatever the rules throw; the reader must not be used afterwards.
   */
  push(buffer: Buffer, start: number, end: number): number {
    let at = start;
    this.#stopped = false;
    while (at < end) {
      if (this.#skip > 0) {
        const swallowed = Math.min(this.#skip, end - at);
        this.#skip -= swallowed;
        at += swallowed;
        continue;
      }
      at = this.#held === undefined ? this.#readInPlace(buffer, at, end) : this.#readHeld(this.#held, buffer, at, end);
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- onFrame may have called stop()
      if (this.#stopped) break;
    }
    // A connection may rest for hours: it must not keep the memory of a large value that nobody else has any more.
    this.#frame.buffer = NOTHING;
    return at;
  }

  /** Delivers the frame at `at` when all of it is here; else keeps what there is. */
  #readInPlace(buffer: Buffer, at: number, end: number): number {
    const { foresee } = this.#rules;
    if (foresee !== undefined) {
      const frame = this.#frame;
      const size = foresee(frame, buffer, at, end);
      const next = frame.end + size + 4;
      if (size !== NO_BLOCK && next <= end) {
        this.#deliver(buffer, at, frame.end, frame.end + 2, size, false);
        return next;
      }
      frame.key = undefined;
    }
    let lineFeed = at;
    while (lineFeed < end && buffer[lineFeed] !== Ascii.Lf) lineFeed++;
    if (lineFeed === end) {
      this.#checkLine(buffer, at, end, false);
      this.#append(NOTHING, buffer, at, end);
      return end;
    }
    const lineEnd = this.#lineEnd(buffer, at, lineFeed);
    const size = this.#rules.blockLength(buffer, at, lineEnd);
    const dataStart = lineFeed + 1;
    if (size === NO_BLOCK || size > this.#rules.maxBlock) {
      this.#deliver(buffer, at, lineEnd, dataStart, size, false);
      return dataStart;
    }
    const next = dataStart + size + 2;
    if (next > end) {
      this.#needed = next - at;
      this.#dataStart = dataStart - at;
      this.#append(NOTHING, buffer, at, end);
      return end;
    }
    this.#deliver(buffer, at, lineEnd, dataStart, size, false);
    return next;
  }

  /** Adds to the incomplete frame no more than belongs to it, and delivers it when complete. */
  #readHeld(held: Buffer, buffer: Buffer, at: number, end: number): number {
    if (this.#needed === 0) {
      let lineFeed = at;
      while (lineFeed < end && buffer[lineFeed] !== Ascii.Lf) lineFeed++;
      const upTo = Math.min(lineFeed + 1, end);
      held = this.#append(held, buffer, at, upTo);
      at = upTo;
      if (lineFeed === end) {
        this.#checkLine(held, 0, this.#heldLength, false);
        return at;
      }
      this.#dataStart = this.#heldLength;
      const lineEnd = this.#lineEnd(held, 0, this.#heldLength - 1);
      const size = this.#rules.blockLength(held, 0, lineEnd);
      if (size === NO_BLOCK || size > this.#rules.maxBlock) {
        this.#release();
        this.#deliver(held, 0, lineEnd, this.#dataStart, size, true);
        return at;
      }
      this.#needed = this.#heldLength + size + 2;
    }
    const upTo = Math.min(end, at + this.#needed - this.#heldLength);
    held = this.#append(held, buffer, at, upTo);
    if (this.#heldLength === this.#needed) {
      const dataStart = this.#dataStart;
      const size = this.#needed - dataStart - 2;
      this.#release();
      this.#deliver(held, 0, this.#lineEnd(held, 0, dataStart - 1), dataStart, size, true);
    }
    return upTo;
  }

  #deliver(buffer: Buffer, start: number, lineEnd: number, dataStart: number, size: number, owned: boolean): void {
    const frame = this.#frame;
    frame.buffer = buffer;
    frame.start = start;
    frame.end = lineEnd;
    frame.dataStart = frame.dataEnd = dataStart;
    frame.owned = owned;
    frame.hasBlock = size !== NO_BLOCK;
    frame.oversized = size > this.#rules.maxBlock;
    frame.terminated = true;
    if (frame.oversized) {
      this.#skip = size + 2;
    } else if (frame.hasBlock) {
      const dataEnd = dataStart + size;
      frame.dataEnd = dataEnd;
      frame.terminated = buffer[dataEnd] === Ascii.Cr && buffer[dataEnd + 1] === Ascii.Lf;
    }
    this.#onFrame(frame);
  }

  /** End of the line whose LF stands at `lineFeed`. */
  #lineEnd(buffer: Buffer, start: number, lineFeed: number): number {
    if (lineFeed - start > SHORT_LINE) this.#checkLine(buffer, start, lineFeed, true);
    if (lineFeed > start && buffer[lineFeed - 1] === Ascii.Cr) return lineFeed - 1;
    if (this.#rules.bareLineFeed) return lineFeed;
    throw new FrameError('a line does not end in CR LF');
  }

  #checkLine(buffer: Buffer, start: number, end: number, isComplete: boolean): void {
    if (end - start > SHORT_LINE && end - start > this.#rules.maxLine(buffer, start, end, isComplete)) {
      throw new FrameError('a line is too long');
    }
  }

  #append(held: Buffer, buffer: Buffer, start: number, end: number): Buffer {
    const length = this.#heldLength + end - start;
    if (length > held.length) held = enlarged(held, this.#heldLength, roomFor(length, this.#needed, this.#rules.ahead ?? ALLOCATE_AHEAD));
    buffer.copy(held, this.#heldLength, start, end);
    this.#heldLength = length;
    this.#held = held;
    return held;
  }

  #release(): void {
    this.#held = undefined;
    this.#heldLength = 0;
    this.#needed = 0;
  }
}
