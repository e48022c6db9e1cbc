import { latin1Slice } from '../../protocol/bytes';
import type { MemoryStore } from '../engine/store';

export const EMPTY = Buffer.alloc(0);

/**
 * The parts of one command (memcached's tokens, Redis's arguments), as positions in the memory that they arrived in. Positions
 * count from a base, because the bytes may move before the command is executed. One object serves all commands of a session.
 */
export abstract class Parts {
  /** How many there are. */
  count = 0;
  protected buffer: Buffer = EMPTY;
  protected base = 0;
  protected readonly starts: number[] = [];
  protected readonly ends: number[] = [];

  /** The part's length in bytes; 0 when there is none. */
  length(index: number): number {
    return index < this.count ? (this.ends[index] ?? 0) - (this.starts[index] ?? 0) : 0;
  }

  /** The part, one character per byte; empty when there is none. */
  text(index: number): string {
    if (index >= this.count) return '';
    const { base } = this;
    return latin1Slice(this.buffer, base + (this.starts[index] ?? 0), base + (this.ends[index] ?? 0));
  }

  /** The part as a key of `store`. */
  key(index: number, store: MemoryStore): string {
    if (index >= this.count) return '';
    const { base } = this;
    return store.keyOf(this.buffer, base + (this.starts[index] ?? 0), base + (this.ends[index] ?? 0));
  }
}
