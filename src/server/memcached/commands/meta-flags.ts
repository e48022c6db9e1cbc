import type { Cas } from '../../engine/item';
import type { MemoryStore } from '../../engine/store';
import { strictInt32, strictUint32, strictUint64, type CommandLine } from './command-line';
import { decodeBase64 } from './base64';
import { BAD_FORMAT } from './classic-line';

const BAD_TOKEN = 'CLIENT_ERROR bad token in command line format';

/**
 * The flags of one meta command. All commands share one scan, as in memcached: every letter that any command knows is
 * accepted, and ignored where it means nothing.
 */
export class MetaFlags {
  /** `b`: the key came in base64. */
  binaryKey = false;
  /** `q` */
  quiet = false;
  /** `v` */
  value = false;
  /** `u`: the access does not count as a use. */
  unused = false;
  /** `I` */
  invalidate = false;
  /** `N`: TTL of an item to be created, in seconds. */
  vivify: number | undefined;
  /** `T`: TTL, in seconds. */
  ttl: number | undefined;
  /** `R`: below this TTL the item is to be refilled, in seconds. */
  recache: number | undefined;
  /** `F`: client flags. */
  clientFlags = 0;
  /** `C`: the cas that the item must have; undefined for any. */
  cas: Cas | undefined;
  /** `E`: the new cas of the item; 0 for the store's next. */
  newCas: Cas | undefined;
  /** `x`: remove the value. */
  emptied = false;
  /** `M`: one letter. */
  mode = '';
  /** `J`: the first count of a new counter. */
  initial = 0n;
  /** `D` */
  delta = 1n;
  /** The key, decoded when it came in base64. */
  key: string;
  /** The error line for a flag that cannot be read. */
  error: string | undefined;

  /** Reads the flags from token `from` on; the key, one of `store`, is token 1. */
  constructor(line: CommandLine, from: number, store: MemoryStore) {
    this.key = line.key(1, store);
    // The letters seen so far, a bit each: a set would cost more than all the rest.
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let i = from; i < line.count; i++) {
      const letter = line.first(i);
      const bit = 1 << (letter & 31);
      const seen = letter < 64 ? low : letter < 96 ? middle : high;
      if ((seen & bit) !== 0) {
        this.error = 'CLIENT_ERROR duplicate flag';
        return;
      }
      if (letter < 64) low |= bit;
      else if (letter < 96) middle |= bit;
      else high |= bit;
      if (!this.#read(String.fromCharCode(letter), line, i)) {
        this.error = 'CLIENT_ERROR invalid flag';
        return;
      }
    }
  }

  /** Takes one flag; `false` when there is no such flag. */
  #read(letter: string, line: CommandLine, index: number): boolean {
    switch (letter) {
      case 'b':
        this.key = decodeBase64(this.key);
        this.binaryKey = true;
        if (this.key === '') this.error = 'CLIENT_ERROR error decoding key';
        return true;
      case 'N':
        this.vivify = this.#check(strictInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'T':
        this.ttl = this.#check(strictInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'R':
        this.recache = this.#check(strictInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'F':
        this.clientFlags = this.#check(strictUint32(line.argument(index)), this.error ?? BAD_FORMAT) ?? 0;
        return true;
      case 'C':
        this.cas = this.#check(strictUint64(line.argument(index)), BAD_TOKEN);
        return true;
      case 'E':
        this.newCas = this.#check(strictUint64(line.argument(index)), BAD_TOKEN);
        return true;
      case 'M':
        // Only the first letter counts; without one the mode is invalid.
        this.mode = line.length(index) === 1 ? ' ' : line.argument(index).charAt(0);
        return true;
      case 'J':
        this.initial = BigInt(
          this.#check(strictUint64(line.argument(index)), 'CLIENT_ERROR invalid numeric initial value') ?? 0,
        );
        return true;
      case 'D':
        this.delta = BigInt(
          this.#check(strictUint64(line.argument(index)), 'CLIENT_ERROR invalid numeric delta value') ?? 0,
        );
        return true;
      case 'q':
        this.quiet = true;
        return true;
      case 'v':
        this.value = true;
        return true;
      case 'u':
        this.unused = true;
        return true;
      case 'I':
        this.invalidate = true;
        return true;
      case 'x':
        this.emptied = true;
        return true;
      default:
        return 'OPLksctfhl'.includes(letter);
    }
  }

  /** Notes an error when `value` could not be read. The scan continues, and a later error replaces this one. */
  #check<T>(value: T | undefined, error: string): T | undefined {
    if (value === undefined) this.error = error;
    return value;
  }
}
