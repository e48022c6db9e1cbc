import { MAX_OPAQUE_LENGTH } from '../../protocol/limits';
import { latin1Slice } from '../../protocol/bytes';
import { parseInt32, parseUint32, type CommandLine } from '../command-line';
import { parseUint64 } from '../storage/counter';

/** A meta command has at most so many tokens. */
export const MAX_META_TOKENS = 19;

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
  /** `u`: the access is not to count. */
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
  /** `C` */
  cas: number | undefined;
  /** `M`: one letter. */
  mode = '';
  /** `J`: where a new counter begins. */
  initial = 0n;
  /** `D` */
  delta = 1n;
  /** The key, decoded when it came in base64. */
  key: string;
  /** The line that answers a flag that cannot be read. */
  error: string | undefined;

  /** Reads the flags from token `from` on; the key is token 1. */
  constructor(line: CommandLine, from: number) {
    this.key = line.text(1);
    // One bit per letter: `seen` for those below 0x40, `seenHigh` for the others.
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let i = from; i < line.count; i++) {
      const letter = line.first(i);
      const bit = 1 << (letter & 31);
      const seen = letter < 64 ? low : letter < 96 ? middle : high;
      if (letter >= 127 || (letter >= 32 && (seen & bit) !== 0)) {
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
        this.vivify = this.#check(parseInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'T':
        this.ttl = this.#check(parseInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'R':
        this.recache = this.#check(parseInt32(line.argument(index)), BAD_TOKEN);
        return true;
      case 'F':
        this.clientFlags =
          this.#check(parseUint32(line.argument(index)), this.error ?? 'CLIENT_ERROR bad command line format') ?? 0;
        return true;
      case 'C': {
        const cas = this.#check(parseUint64(line.argument(index)), BAD_TOKEN);
        this.cas = cas === undefined ? undefined : Number(cas);
        return true;
      }
      case 'M':
        if (line.length(index) === 2) this.mode = line.argument(index);
        else this.error = 'CLIENT_ERROR incorrect length for M token';
        return true;
      case 'J':
        this.initial =
          this.#check(parseUint64(line.argument(index)), 'CLIENT_ERROR invalid numeric initial value') ?? 0n;
        return true;
      case 'D':
        this.delta = this.#check(parseUint64(line.argument(index)), 'CLIENT_ERROR invalid numeric delta value') ?? 0n;
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
      default:
        return 'OPLksctfhl'.includes(letter);
    }
  }

  /** Notes an error when `value` could not be read. The scan goes on: a later error takes this one's place. */
  #check<T>(value: T | undefined, error: string): T | undefined {
    if (value === undefined) this.error = error;
    return value;
  }
}

/** The answer to an opaque token that is too long. */
export const OPAQUE_TOO_LONG = 'CLIENT_ERROR opaque token too long';

/** Whether the token, an opaque one, is too long. */
export function isTooLong(line: CommandLine, index: number): boolean {
  return line.length(index) > MAX_OPAQUE_LENGTH + 1;
}

/** ` k<key>`, and ` b` when it is shown in base64. */
export function keyFlag(key: string, binary: boolean): string {
  return binary ? ` k${encodeBase64(key)} b` : ` k${key}`;
}

/** What a reply repeats of the request: ` O<opaque>` and ` k<key>`; `undefined` when the opaque token is too long. */
export function echoedFlags(line: CommandLine, from: number, flags: MetaFlags): string | undefined {
  let echo = '';
  for (let i = from; i < line.count; i++) {
    const letter = line.first(i);
    if (letter === OPAQUE) {
      if (isTooLong(line, i)) return undefined;
      echo += ` ${line.text(i)}`;
    } else if (letter === KEY) {
      echo += keyFlag(flags.key, flags.binaryKey);
    }
  }
  return echo;
}

const OPAQUE = 'O'.charCodeAt(0);
const KEY = 'k'.charCodeAt(0);

/** `key`, one character per byte, in base64. */
export function encodeBase64(key: string): string {
  return Buffer.from(key, 'latin1').toString('base64');
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Decodes base64 as memcached does: other characters are passed over, what is left must be whole groups of four, and
 * the first padded group is the last.
 *
 * @returns the bytes, one character each; nothing when it cannot be decoded
 */
export function decodeBase64(text: string): string {
  const digits = Array.from(text).filter((digit) => digit === '=' || ALPHABET.includes(digit));
  if (digits.length === 0 || digits.length % 4 !== 0) return '';
  const bytes: number[] = [];
  for (let i = 0; i < digits.length; i += 4) {
    const group = digits.slice(i, i + 4);
    const bits = group.reduce((sum, digit) => sum * 64 + Math.max(0, ALPHABET.indexOf(digit)), 0);
    const padding = group.filter((digit) => digit === '=').length;
    if (padding > 2) return '';
    bytes.push(...[(bits >> 16) & 255, (bits >> 8) & 255, bits & 255].slice(0, 3 - padding));
    if (padding > 0) break;
  }
  const decoded = Buffer.from(bytes);
  return latin1Slice(decoded, 0, decoded.length);
}
