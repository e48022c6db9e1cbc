import { isAscii } from 'node:buffer';
import { storedValue, type StoredValue } from '../../engine/item';
import { nextHash } from '../../shared/name-table';
import { EMPTY, Parts } from '../../shared/parts';

/** The bit that a small letter has and its capital has not. */
const CASE = 32;

/** More positions than this are freed after the request that needed them. */
const KEEP_PLACES = 1024;

/**
 * One request: its arguments, the command's name first. The next read may overwrite the memory that they lie in: copy what is needed
 * before returning.
 */
export class Request extends Parts {
  #owned = false;
  #oversized: number[] = [];
  /** Whether the memory holds nothing but ASCII; undefined before somebody asks. */
  #ascii: boolean | undefined;

  /** Prepares for the next request. */
  clear(): void {
    this.count = 0;
    if (this.#oversized.length > 0) this.#oversized = [];
    if (this.starts.length > KEEP_PLACES) this.starts.length = this.ends.length = 0;
  }

  /** Adds an argument; positions are relative to the base given to {@link complete}. */
  add(start: number, end: number): void {
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  /** Adds an argument that was longer than any item may be, and has been swallowed: it reads as empty. */
  addOversized(at: number): void {
    this.#oversized.push(this.count);
    this.add(at, at);
  }

  /** Says where the arguments lie; `owned` memory is written to by nobody else. */
  complete(buffer: Buffer, base: number, owned: boolean): void {
    if (buffer !== this.buffer) this.#ascii = undefined;
    this.buffer = buffer;
    this.base = base;
    this.#owned = owned;
  }

  /** Forgets the memory; to be called before it is overwritten. */
  release(): void {
    this.buffer = EMPTY;
    this.#ascii = undefined;
  }

  /** Whether all that arrived together with the request is ASCII: asked for once, not for each of many small values. */
  get isAscii(): boolean {
    this.#ascii ??= isAscii(this.buffer);
    return this.#ascii;
  }

  /** The length of all arguments together, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (let index = 0; index < this.count; index++) bytes += this.length(index);
    return bytes;
  }

  /** The same request in memory of its own. */
  copy(): Request {
    const copy = new Request();
    const buffer = Buffer.allocUnsafeSlow(this.bytes);
    let end = 0;
    for (let index = 0; index < this.count; index++) {
      const start = this.base + (this.starts[index] ?? 0);
      const from = end;
      end += this.buffer.copy(buffer, end, start, start + this.length(index));
      if (this.isOversized(index)) copy.addOversized(from);
      else copy.add(from, end);
    }
    copy.complete(buffer, 0, true);
    return copy;
  }

  /** Whether any argument was too long. */
  get hasOversized(): boolean {
    return this.#oversized.length > 0;
  }

  /** Whether the argument was too long. */
  isOversized(index: number): boolean {
    return this.hasOversized && this.#oversized.includes(index);
  }

  /** The hash of the command's name as in a `NameTable`, in lower case. */
  get nameHash(): number {
    const end = this.base + (this.ends[0] ?? 0);
    let hash = 0;
    for (let at = this.base + (this.starts[0] ?? 0); at < end; at++) hash = nextHash(hash, (this.buffer[at] ?? 0) | CASE);
    return hash;
  }

  /** Whether the command's name is `name`, which is given in lower case. */
  isNamed(name: string): boolean {
    if (this.length(0) !== name.length) return false;
    const start = this.base + (this.starts[0] ?? 0);
    for (let i = 0; i < name.length; i++) if (((this.buffer[start + i] ?? 0) | CASE) !== name.charCodeAt(i)) return false;
    return true;
  }

  /** The argument as C shows it: up to a NUL. */
  shown(index: number): string {
    const text = this.text(index);
    const nul = text.indexOf('\0');
    return nul < 0 ? text : text.slice(0, nul);
  }

  /** The argument in lower case, as options are compared. */
  word(index: number): string {
    return this.text(index).toLowerCase();
  }

  /** The argument as a value that may be kept. */
  value(index: number): StoredValue {
    const start = this.base + (this.starts[index] ?? 0);
    const end = start + this.length(index);
    // A part of a buffer keeps all of it alive, so small parts are copied.
    const shared = this.#owned && (end - start) * 8 >= this.buffer.length * 7;
    return storedValue(this.buffer, start, end, shared);
  }
}
