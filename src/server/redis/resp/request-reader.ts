import { Ascii } from '../../../protocol/ascii';
import { enlarged, latin1Slice, roomFor } from '../../../protocol/bytes';
import { splitInline } from './inline';
import { parseInt64 } from '../../engine/counter';
import type { Request } from './request';
import type { RequestHolder, RequestMemory } from './request-memory';

/** A request that cannot be read; the position in the stream is lost. The message is Redis's own. */
export class ProtocolError extends Error {}

/** The limits of a reader. */
export interface RequestLimits {
  /** Longer arguments are swallowed in constant memory; in bytes. */
  readonly maxArgument: number;
  /** Requests that hold more than this are refused; in bytes. */
  readonly maxRequest: number;
  /** The account of what the readers of one server hold together. */
  readonly memory: RequestMemory;
  /** How much is allocated ahead of the bytes that really arrived, whatever was announced. @default 16 KiB */
  readonly ahead?: number | undefined;
}

/** Redis's limits for a line, and for the announced length of an argument. */
const MAX_LINE = 64 * 1024;
const MAX_BULK = 512 * 1024 * 1024;

/** The most arguments of a request. */
const MAX_ARGUMENTS = 1024 * 1024;

/** Redis's limits before authentication. */
const MAX_UNAUTHENTICATED_ARGUMENTS = 10;
const MAX_UNAUTHENTICATED_BULK = 16 * 1024;

/** The memory of an argument's position, in bytes. */
const PLACE_SIZE = 16;

/** The usual {@link RequestLimits.ahead}. */
const ALLOCATE_AHEAD = 16 * 1024;

/** Room for what may follow a value, as `EX 60` does: else all of it would move for that. */
const ROOM_AFTER = 256;

/**
 * Cuts a byte stream into requests, however it is split: RESP arrays of bulk strings, and inline commands.
 *
 *     *2\r\n$3\r\nGET\r\n$1\r\nk\r\n          GET k\r\n
 */
export class RequestReader implements RequestHolder {
  /** Whether the client is not authenticated yet, so that lower limits apply. */
  restricted = false;
  readonly #request: Request;
  readonly #limits: RequestLimits;
  readonly #onRequest: () => void;
  readonly #onDrop: (error: ProtocolError) => void;
  /** An incomplete request: its first `#heldLength` bytes. */
  #held: Buffer | undefined;
  #heldLength = 0;
  /** How far the request was parsed, from its start. */
  #at = 0;
  /** Arguments still to come; -1 before the first line has been read. */
  #left = -1;
  /** The length of the argument being read; -1 before its line has been read. */
  #bulk = -1;
  /** Bytes of an oversized argument still to be swallowed. */
  #skip = 0;
  /** The arguments of an inline command. */
  #inline: Buffer | undefined;
  #stopped = false;

  /**
   * @param onRequest called for each request, with `request` filled in
   * @param onDrop called when its memory is needed for other clients; the reader must not be used afterwards
   */
  constructor(
    request: Request,
    limits: RequestLimits,
    onRequest: () => void,
    onDrop: (error: ProtocolError) => void,
  ) {
    this.#request = request;
    this.#limits = limits;
    this.#onRequest = onRequest;
    this.#onDrop = onDrop;
  }

  /** Called from within `onRequest`: `push` returns after this request. The next `push` continues. */
  stop(): void {
    this.#stopped = true;
  }

  /** Forgets an incomplete request. */
  release(): void {
    this.#held = undefined;
    this.#limits.memory.release(this);
  }

  drop(): void {
    this.#stopped = true;
    this.release();
    this.#request.clear();
    this.#onDrop(new ProtocolError('too much memory in unfinished requests'));
  }

  /**
   * Takes `buffer[start, end)` and delivers every request that it completes.
   *
   * @returns where it stopped: `end`, or less after {@link stop}; the rest must be pushed again.
   * @throws ProtocolError; the reader must not be used afterwards.
   */
  push(buffer: Buffer, start: number, end: number): number {
    let at = start;
    this.#stopped = false;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- onRequest may have called stop()
    while (at < end && !this.#stopped) {
      if (this.#skip > 0) at = this.#swallow(at, end);
      else if (this.#held === undefined) at = this.#readInPlace(buffer, at, end);
      else at = this.#readHeld(this.#held, buffer, at, end);
    }
    this.#request.release();
    return at;
  }

  /** Delivers the request at `at` when all of it is here; else keeps what there is. */
  #readInPlace(buffer: Buffer, at: number, end: number): number {
    if (this.#scan(buffer, at, end)) {
      const next = at + this.#at;
      this.#deliver(buffer, at, false);
      return next;
    }
    const upTo = this.#skip > 0 ? at + this.#at : end;
    this.#heldLength = 0;
    this.#append(Buffer.allocUnsafe(this.#room(upTo - at)), buffer, at, upTo);
    return upTo;
  }

  /** Adds to the incomplete request no more than belongs to it, and delivers it when complete. */
  #readHeld(held: Buffer, buffer: Buffer, at: number, end: number): number {
    let upTo: number;
    if (this.#bulk >= 0) {
      upTo = Math.min(end, at + this.#at + this.#bulk + 2 - this.#heldLength);
    } else {
      upTo = this.#lineIn(held, buffer, at, end);
    }
    this.#append(held, buffer, at, upTo);
    this.#tryHeld();
    return upTo;
  }

  /** The end of the line that is being read and continues at `at`; `end` when it is not in the buffer yet. */
  #lineIn(held: Buffer, buffer: Buffer, at: number, end: number): number {
    if (held[0] !== Ascii.Asterisk) {
      const lineFeed = find(Ascii.Lf, buffer, at, end);
      return lineFeed < 0 ? end : lineFeed + 1;
    }
    if (this.#heldLength > this.#at && held[this.#heldLength - 1] === Ascii.Cr) return at + 1;
    const carriageReturn = find(Ascii.Cr, buffer, at, end);
    return carriageReturn < 0 ? end : Math.min(carriageReturn + 2, end);
  }

  #swallow(at: number, end: number): number {
    const swallowed = Math.min(this.#skip, end - at);
    this.#skip -= swallowed;
    if (this.#skip === 0) this.#tryHeld();
    return at + swallowed;
  }

  #tryHeld(): void {
    const held = this.#held;
    if (held === undefined || !this.#scan(held, 0, this.#heldLength)) return;
    this.release();
    this.#deliver(held, 0, true);
  }

  #deliver(buffer: Buffer, base: number, owned: boolean): void {
    const request = this.#request;
    if (this.#inline === undefined) request.complete(buffer, base, owned);
    else request.complete(this.#inline, 0, true);
    this.#inline = undefined;
    this.#at = 0;
    this.#left = -1;
    // An empty line or array is not a request, and gets no reply.
    if (request.count > 0) this.#onRequest();
    request.clear();
  }

  /** Continues to parse the request that begins at `base`; returns whether it is complete. */
  #scan(buffer: Buffer, base: number, end: number): boolean {
    if (this.#left < 0) {
      if (buffer[base] !== Ascii.Asterisk) return this.#scanInline(buffer, base, end);
      const count = this.#length(buffer, base, end, 'mbulk');
      if (count === PARTIAL) return false;
      if (Number.isNaN(count) || count > MAX_ARGUMENTS) throw new ProtocolError('invalid multibulk length');
      if (this.restricted && count > MAX_UNAUTHENTICATED_ARGUMENTS) {
        throw new ProtocolError('unauthenticated multibulk length');
      }
      this.#left = Math.max(count, 0);
    }
    while (this.#left > 0) {
      if (this.#bulk < 0 && !this.#scanBulkLine(buffer, base, end)) return false;
      const next = this.#at + this.#bulk + 2;
      if (base + next > end) return false;
      this.#request.add(this.#at, next - 2);
      this.#at = next;
      this.#bulk = -1;
      this.#left--;
    }
    return true;
  }

  /** Reads the line before an argument; returns whether its bytes follow. */
  #scanBulkLine(buffer: Buffer, base: number, end: number): boolean {
    const line = base + this.#at;
    const length = this.#length(buffer, base, end, 'bulk');
    if (length === PARTIAL) return false;
    if (buffer[line] !== Ascii.Dollar) {
      throw new ProtocolError(`expected '$', got '${latin1Slice(buffer, line, line + 1)}'`);
    }
    if (!(length >= 0 && length <= MAX_BULK)) throw new ProtocolError('invalid bulk length');
    if (this.restricted && length > MAX_UNAUTHENTICATED_BULK) throw new ProtocolError('unauthenticated bulk length');
    if (length > this.#limits.maxArgument) {
      this.#request.addOversized(this.#at);
      this.#left--;
      this.#skip = length + 2;
      return false;
    }
    this.#bulk = length;
    if (this.#at + length > this.#limits.maxRequest) throw new ProtocolError('too big request');
    return true;
  }

  /** The number of the line `?<number>\r\n` at `#at`, which is moved past it; NaN when it is not a number. */
  #length(buffer: Buffer, base: number, end: number, kind: string): number {
    const start = base + this.#at + 1;
    let at = start;
    let value = 0;
    for (; at < end && at - start < 9; at++) {
      const digit = (buffer[at] ?? 0) - Ascii.Zero;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    // A digit and the line end, the usual case; the first digit of several must not be 0.
    if (at + 1 < end && buffer[at] === Ascii.Cr && buffer[at + 1] === Ascii.Lf && at > start) {
      if (buffer[start] !== Ascii.Zero || at === start + 1) {
        this.#at = at + 2 - base;
        return value;
      }
    }
    const carriageReturn = find(Ascii.Cr, buffer, start - 1, end);
    if (carriageReturn < 0 || carriageReturn + 1 === end) {
      if (end - start >= MAX_LINE) throw new ProtocolError(`too big ${kind} count string`);
      return PARTIAL;
    }
    // As in Redis, any byte after the CR is taken for the LF.
    this.#at = carriageReturn + 2 - base;
    return Number(parseInt64(latin1Slice(buffer, start, Math.max(start, carriageReturn))) ?? Number.NaN);
  }

  #scanInline(buffer: Buffer, base: number, end: number): boolean {
    const lineFeed = find(Ascii.Lf, buffer, base, end);
    if ((lineFeed < 0 ? end : lineFeed) - base > MAX_LINE) throw new ProtocolError('too big inline request');
    if (lineFeed < 0) return false;
    const words = splitInline(latin1Slice(buffer, base, lineEnd(buffer, base, lineFeed)));
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request');
    let at = 0;
    for (const word of words) this.#request.add(at, (at += word.length));
    this.#inline = Buffer.from(words.join(''), 'latin1');
    this.#at = lineFeed + 1 - base;
    return true;
  }

  #append(held: Buffer, buffer: Buffer, start: number, end: number): void {
    const length = this.#heldLength + end - start;
    if (length > held.length) held = enlarged(held, this.#heldLength, this.#room(length));
    buffer.copy(held, this.#heldLength, start, end);
    this.#heldLength = length;
    if (held === this.#held) return;
    this.#held = held;
    this.#limits.memory.hold(this, held.length + this.#request.count * PLACE_SIZE);
  }

  /** How much to allocate for `length` bytes, of which all up to the end of the argument that is being read are announced. */
  #room(length: number): number {
    const announced = this.#bulk < 0 ? 0 : this.#at + this.#bulk + 2 + ROOM_AFTER;
    // Twice what was there before the argument: else all of a request with many would move for each of them.
    return Math.max(roomFor(length, announced, this.#limits.ahead ?? ALLOCATE_AHEAD), this.#at * 2);
  }
}

/** Not a length: the line is not complete. */
const PARTIAL = -Infinity;

/** The first place of `byte` in `buffer[start, end)`; -1 when it is not there. */
function find(byte: number, buffer: Buffer, start: number, end: number): number {
  const at = buffer.indexOf(byte, start);
  return at >= end ? -1 : at;
}

/** The line's end without its CR. */
function lineEnd(buffer: Buffer, start: number, lineFeed: number): number {
  return lineFeed > start && buffer[lineFeed - 1] === Ascii.Cr ? lineFeed - 1 : lineFeed;
}
