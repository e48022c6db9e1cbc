/** One command as memcached would read it from the wire. */
export interface WireCommand {
  readonly verb: string;
  /** All tokens of the line behind the verb, one character per byte. */
  readonly args: readonly string[];
  readonly data: string | undefined;
}

const KEY = /^[\x21-\x7e\x80-\xff]{1,250}$/;
const UINT = /^(?:0|[1-9][0-9]*)$/;
const INT = /^-?(?:0|[1-9][0-9]*)$/;
const META_FLAG = /^[A-Za-z][\x21-\x7e]*$/;

function uint(text: string | undefined, most: bigint): boolean {
  return text !== undefined && UINT.test(text) && BigInt(text) <= most;
}
const isFlags = (text: string | undefined): boolean => uint(text, 2n ** 32n - 1n);
const isCas = (text: string | undefined): boolean => uint(text, 2n ** 64n - 1n);
const isSize = (text: string | undefined): boolean => uint(text, 2n ** 30n);
const isExptime = (text: string | undefined): boolean => text !== undefined && INT.test(text) && Math.abs(Number(text)) < 2 ** 31;
const isKey = (text: string | undefined): boolean => text !== undefined && KEY.test(text);
/** What may end a line: `noreply` or nothing. */
const ends = (rest: readonly string[]): boolean => rest.length === 0 || (rest.length === 1 && rest[0] === 'noreply');

/** Whether the arguments are legal; written from protocol.txt, not from the client. */
const GRAMMAR: Readonly<Record<string, (args: readonly string[]) => boolean>> = {
  get: (keys) => keys.length > 0 && keys.every(isKey),
  gets: (keys) => keys.length > 0 && keys.every(isKey),
  gat: ([exptime, ...keys]) => isExptime(exptime) && keys.length > 0 && keys.every(isKey),
  gats: ([exptime, ...keys]) => isExptime(exptime) && keys.length > 0 && keys.every(isKey),
  delete: ([key, ...rest]) => isKey(key) && ends(rest),
  touch: ([key, exptime, ...rest]) => isKey(key) && isExptime(exptime) && ends(rest),
  incr: ([key, delta, ...rest]) => isKey(key) && isCas(delta) && ends(rest),
  decr: ([key, delta, ...rest]) => isKey(key) && isCas(delta) && ends(rest),
  cas: ([key, flags, exptime, size, cas, ...rest]) => isStore(key, flags, exptime, size) && isCas(cas) && ends(rest),
  ...Object.fromEntries(
    ['set', 'add', 'replace', 'append', 'prepend'].map((verb) => [
      verb,
      ([key, flags, exptime, size, ...rest]: readonly string[]) => isStore(key, flags, exptime, size) && ends(rest),
    ]),
  ),
  ms: ([key, size, ...flags]) => isKey(key) && isSize(size) && areMetaFlags(flags),
  mg: ([key, ...flags]) => isKey(key) && areMetaFlags(flags),
  md: ([key, ...flags]) => isKey(key) && areMetaFlags(flags),
  ma: ([key, ...flags]) => isKey(key) && areMetaFlags(flags),
  me: ([key, ...flags]) => isKey(key) && areMetaFlags(flags),
  // Servers take flags and ignore them.
  mn: areMetaFlags,
  version: (args) => args.length === 0,
  quit: (args) => args.length === 0,
  stats: (args) => args.every((arg) => /^[\x21-\x7e]+$/.test(arg)),
  flush_all: (args) => ends(args) || (isExptime(args[0]) && ends(args.slice(1))),
  verbosity: ([level, ...rest]) => uint(level, 2n ** 31n) && ends(rest),
  cache_memlimit: ([size, ...rest]) => uint(size, 2n ** 31n) && ends(rest),
  shutdown: (args) => args.length === 0 || (args.length === 1 && args[0] === 'graceful'),
};

function isStore(key?: string, flags?: string, exptime?: string, size?: string): boolean {
  return isKey(key) && isFlags(flags) && isExptime(exptime) && isSize(size);
}

function areMetaFlags(flags: readonly string[]): boolean {
  return flags.length <= 20 && flags.every((flag) => META_FLAG.test(flag)) && new Set(flags.map((flag) => flag[0])).size === flags.length;
}

/** Where the size of the data block stands among the arguments. */
const SIZE_AT: Readonly<Record<string, number>> = { set: 3, add: 3, replace: 3, append: 3, prepend: 3, cas: 3, ms: 1 };

/**
 * Reads a client's bytes strictly: single spaces, CR LF, no byte too many, every token in its own bounds. It shares no
 * line with the client.
 */
export class WireParser {
  #rest = '';
  readonly #onCommand: (command: WireCommand) => void;

  constructor(onCommand: (command: WireCommand) => void) {
    this.#onCommand = onCommand;
  }

  /** Whether the last command is complete. */
  get atEnd(): boolean {
    return this.#rest === '';
  }

  /** @param text has one character per byte; throws at the first byte that must not be there */
  push(text: string): void {
    this.#rest += text;
    while (this.#readCommand());
  }

  #readCommand(): boolean {
    const lineEnd = this.#rest.indexOf('\n');
    if (lineEnd < 0) return false;
    const line = this.#rest.slice(0, lineEnd - 1);
    if (this.#rest[lineEnd - 1] !== '\r' || line.includes('\r')) throw new Error(`a line must end in CR LF: ${JSON.stringify(line)}`);
    const [verb = '', ...args] = line.split(' ');
    const isLegal = Object.hasOwn(GRAMMAR, verb) ? GRAMMAR[verb] : undefined;
    if (isLegal?.(args) !== true) throw new Error(`not a legal command: ${JSON.stringify(line.slice(0, 300))}`);
    let end = lineEnd + 1;
    let data: string | undefined;
    const sizeAt = SIZE_AT[verb];
    if (sizeAt !== undefined) {
      const size = Number(args[sizeAt]);
      if (this.#rest.length < end + size + 2) return false;
      data = this.#rest.slice(end, end + size);
      end += size + 2;
      if (this.#rest.slice(end - 2, end) !== '\r\n') throw new Error(`the block of "${verb}" is not as long as its line says`);
    }
    this.#rest = this.#rest.slice(end);
    this.#onCommand({ verb, args, data });
    return true;
  }
}
