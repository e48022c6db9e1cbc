import type { Item } from '../engine/item';
import type { TurnLimits } from '../net/service';

/** This many keys of one command take less time than a command does. */
const KEYS_PER_COMMAND = 4;

/** As many bytes of a value as are read or copied in the time that a key takes, as a power of two. */
const BYTES_PER_KEY_BITS = 9;

/** One client's turn: what it has done, and whether that was its share. */
export class Turn {
  /** How many commands were executed. */
  commands = 0;
  /** How many bytes of replies were produced. */
  produced = 0;
  /** How many items or clients were looked at beyond those that commands name: listings look at all there are. */
  looked = 0;
  /** Whether a command may be divided, and go on in a later turn. */
  mayDivide = true;
  readonly #maxCommands: number;
  readonly #maxBytes: number;
  readonly #maxKeys: number;

  constructor({ maxCommands = Infinity, maxReplyBytes = Infinity }: TurnLimits) {
    this.#maxCommands = maxCommands;
    this.#maxBytes = maxReplyBytes;
    this.#maxKeys = maxCommands * KEYS_PER_COMMAND;
  }

  /** Begins the next turn. */
  begin(mayDivide: boolean): void {
    this.commands = 0;
    this.produced = 0;
    this.looked = 0;
    this.mayDivide = mayDivide;
  }

  /** Whether its client has had its share, so that others are next. */
  get isOver(): boolean {
    return this.commands >= this.#maxCommands || this.produced >= this.#maxBytes || this.looked >= this.#maxKeys;
  }

  /** Whether a command that has looked at `keys` keys in this turn has had its share, and may go on in a later one. */
  isOverAfter(keys: number): boolean {
    return keys > 0 && this.mayDivide && (this.produced >= this.#maxBytes || keys >= this.#maxKeys);
  }

  /** Counts the value of an item that was read or copied as a whole, although the client has sent little: it may be a megabyte each time. */
  weigh(item: Item | undefined): void {
    if (item !== undefined) this.looked += item.value.length >> BYTES_PER_KEY_BITS;
  }
}
