/** The flags of the meta commands under readable names. */
import { MemcacheIllegalInputError } from '../../errors';
import { isWholeNumber } from '../../options/rule';
import { encodeExptime, type Expire, type WallClock } from '../../protocol/exptime';
import { MAX_OPAQUE_LENGTH } from '../../protocol/limits';
import { encodeCas, encodeClientFlags, encodeCount } from '../../protocol/numbers';

/** Flags that every meta command takes. */
export interface MetaOptions {
  /** Sends the key in base64, so that it may hold any bytes; at most 186 of them. (`b`) */
  base64?: boolean | undefined;
  /** A token of up to 31 characters that the reply repeats; by default one is generated and checked. (`O`) */
  opaque?: string | undefined;
}

/** What `metaGet` returns and does. What is not asked for is neither returned nor done. */
export interface MetaGetOptions extends MetaOptions {
  /** Return the value. (`v`, `f`) @default true */
  value?: boolean | undefined;
  /** Return the cas token. (`c`) */
  cas?: boolean | undefined;
  /** Return the seconds to live, -1 for ever. (`t`) */
  ttl?: boolean | undefined;
  /** Return the size of the value in bytes. (`s`) */
  size?: boolean | undefined;
  /** Return the client flags. (`f`) */
  flags?: boolean | undefined;
  /** Return whether the item was read before. (`h`) */
  hitBefore?: boolean | undefined;
  /** Return the seconds since it was last read. (`l`) */
  lastAccess?: boolean | undefined;
  /** Do not count this as an access. (`u`) */
  noLruBump?: boolean | undefined;
  /** Set the time to live: seconds from now, 0 for ever, or a `Date`. (`T`) @default as it is */
  expire?: Expire | undefined;
  /** On a miss create an empty item that lives this many seconds, 0 for ever; the creator sees `won`. (`N`) */
  vivify?: number | undefined;
  /** When the item has less than this many seconds to live, one reader sees `won` and should refresh it. (`R`) */
  recache?: number | undefined;
  /** Leave out the value when the item has this cas; needs memcached 1.6.40. (`C`) */
  unlessCas?: string | undefined;
  /** The cas for an item that is created; needs memcached 1.6.27. (`E`) */
  newCas?: string | undefined;
}

/** How `metaSet` stores. */
export interface MetaSetOptions extends MetaOptions {
  /** `'set'`, `'add'`, `'replace'`, `'append'` or `'prepend'`, as the methods of these names. (`M`) @default 'set' */
  mode?: 'set' | 'add' | 'replace' | 'append' | 'prepend' | undefined;
  /** Time to live: seconds from now, 0 for ever, or a `Date`. (`T`) @default 0 */
  expire?: Expire | undefined;
  /** Client flags instead of the serde's. (`F`) */
  flags?: number | undefined;
  /** Store only if the item has this cas. (`C`) */
  cas?: string | undefined;
  /** With `cas`: accept an older cas too, and then store the item as stale. (`I`) */
  invalidate?: boolean | undefined;
  /** In the modes append and prepend: create the item on a miss, to live this many seconds, 0 for ever; needs memcached 1.6.20. (`N`) */
  vivify?: number | undefined;
  /** The new cas of the item; needs memcached 1.6.27. (`E`) */
  newCas?: string | undefined;
  /** Return the new cas. (`c`) */
  returnCas?: boolean | undefined;
}

/** How `metaDelete` deletes. */
export interface MetaDeleteOptions extends MetaOptions {
  /** Delete only if the item has this cas. (`C`) */
  cas?: string | undefined;
  /** Mark as stale instead of deleting: one reader sees `won`, the others `stale`. (`I`) */
  invalidate?: boolean | undefined;
  /** With `invalidate`: the time to live from now on, in seconds, or a `Date`. (`T`) @default as it is */
  expire?: Expire | undefined;
  /** Remove the value and keep the item; needs memcached 1.6.27. (`x`) */
  removeValue?: boolean | undefined;
  /** The new cas of the item; needs memcached 1.6.27. (`E`) */
  newCas?: string | undefined;
}

/** How `metaArithmetic` counts. */
export interface MetaArithmeticOptions<N extends number | bigint> extends MetaOptions {
  /** Up or down: `'incr'` or `'decr'`; 0 is the least. (`M`) @default 'incr' */
  mode?: 'incr' | 'decr' | undefined;
  /** By how much; 0 reads the count. (`D`) @default 1 */
  delta?: N | undefined;
  /**
   * On a miss create the counter, to live this many seconds, 0 for ever. Its flags are 0, so that `get` gives its bytes where the serde goes by
   * flags: read it with a `delta` of 0. (`N`)
   */
  vivify?: number | undefined;
  /** The count of a counter that is created; without `vivify` none is. (`J`) @default 0 */
  initial?: N | undefined;
  /** Set the time to live: seconds from now, 0 for ever, or a `Date`. (`T`) @default as it is */
  expire?: Expire | undefined;
  /** Count only if the item has this cas. (`C`) */
  cas?: string | undefined;
  /** The new cas of the item; needs memcached 1.6.27. (`E`) */
  newCas?: string | undefined;
  /** Return the cas token. (`c`) */
  returnCas?: boolean | undefined;
  /** Return the seconds to live, -1 for ever. (`t`) */
  returnTtl?: boolean | undefined;
}

/** What follows the letter of a flag, checked; undefined for no flag. Messages name the option. */
type ArgumentOf = (name: string, value: unknown, clock: WallClock) => string | undefined;

type Flag = readonly [letter: string, argumentOf: ArgumentOf];

/** The flag of each option. */
type Flags<Options> = { readonly [Name in keyof Options]-?: Flag };

/** What all meta commands have. */
const ALL = { base64: ['b', onOrOff], opaque: ['O', opaque], expire: ['T', exptime], newCas: ['E', encodeCas] } satisfies Record<string, Flag>;

/** And all but `mg`, for which C is the cas that is known. */
const CHANGES = { ...ALL, cas: ['C', encodeCas] } satisfies Record<string, Flag>;

/** The flags of each command. */
export const META_FLAGS = {
  mg: {
    ...ALL,
    value: ['v', onOrOff],
    flags: ['f', onOrOff],
    cas: ['c', onOrOff],
    ttl: ['t', onOrOff],
    size: ['s', onOrOff],
    hitBefore: ['h', onOrOff],
    lastAccess: ['l', onOrOff],
    noLruBump: ['u', onOrOff],
    vivify: ['N', seconds],
    recache: ['R', seconds],
    unlessCas: ['C', encodeCas],
  } satisfies Flags<MetaGetOptions>,
  ms: {
    ...CHANGES,
    mode: ['M', letterOf({ set: 'S', add: 'E', replace: 'R', append: 'A', prepend: 'P' })],
    flags: ['F', clientFlags],
    invalidate: ['I', onOrOff],
    vivify: ['N', seconds],
    returnCas: ['c', onOrOff],
  } satisfies Flags<MetaSetOptions>,
  md: {
    ...CHANGES,
    invalidate: ['I', onOrOff],
    removeValue: ['x', onOrOff],
  } satisfies Flags<MetaDeleteOptions>,
  ma: {
    ...CHANGES,
    mode: ['M', letterOf({ incr: 'I', decr: 'D' })],
    delta: ['D', encodeCount],
    vivify: ['N', seconds],
    initial: ['J', encodeCount],
    returnCas: ['c', onOrOff],
    returnTtl: ['t', onOrOff],
  } satisfies Flags<MetaArithmeticOptions<number>>,
};

/** @throws MemcacheIllegalInputError naming the option */
export function metaGetFlags(options: MetaGetOptions, clock: WallClock): string[] {
  const all = tokens(META_FLAGS.mg, options, clock);
  if (options.value === undefined) all.push('v');
  if ((options.value ?? true) && !options.flags) all.push('f');
  return all;
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaSetFlags(options: MetaSetOptions, flagsOfSerde: number, clock: WallClock): string[] {
  const all = tokens(META_FLAGS.ms, options, clock);
  if (options.flags === undefined) all.push(`F${flagsOfSerde}`);
  return all;
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaDeleteFlags(options: MetaDeleteOptions, clock: WallClock): string[] {
  return tokens(META_FLAGS.md, options, clock);
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaArithmeticFlags(options: MetaArithmeticOptions<number | bigint>, clock: WallClock): string[] {
  return [...tokens(META_FLAGS.ma, options, clock), 'v'];
}

/** The flags of the options that were given. To look every option up would take four times as long. */
function tokens<Options extends object>(flags: Partial<Flags<Options>>, options: Options, clock: WallClock): string[] {
  const all: string[] = [];
  for (const name in options) {
    const value = options[name];
    const flag = flags[name];
    // Options of other meta commands are passed over.
    if (value === undefined || flag === undefined) continue;
    const [letter, argumentOf] = flag;
    const argument = argumentOf(name, value, clock);
    if (argument === undefined) continue;
    // A new time to live comes first, so that it is the one that is reported.
    if (letter === 'T') all.unshift(letter + argument);
    else all.push(letter + argument);
  }
  return all;
}

function onOrOff(name: string, value: unknown): '' | undefined {
  if (typeof value !== 'boolean') throw new MemcacheIllegalInputError(`${name} must be true or false`);
  return value ? '' : undefined;
}

function opaque(name: string, value: unknown): string {
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || value.length > MAX_OPAQUE_LENGTH) {
    throw new MemcacheIllegalInputError(`${name} must be 1 to ${MAX_OPAQUE_LENGTH} printable ASCII characters without whitespace`);
  }
  return value;
}

function exptime(_name: string, value: unknown, clock: WallClock): string {
  return String(encodeExptime(value, clock));
}

function seconds(name: string, value: unknown, clock: WallClock): string {
  if (!isWholeNumber(value, 0, Infinity)) {
    throw new MemcacheIllegalInputError(`${name} must be a whole number of seconds, 0 or more`);
  }
  return exptime(name, value, clock);
}

function clientFlags(_name: string, value: unknown): string {
  return String(encodeClientFlags(value));
}

/** The letter of a word, which must be one of these. */
function letterOf(letters: Readonly<Record<string, string>>): ArgumentOf {
  return (name, value) => {
    const letter = Object.entries(letters).find(([word]) => word === value)?.[1];
    if (letter === undefined) throw new MemcacheIllegalInputError(`${name} must be one of ${Object.keys(letters).join(', ')}`);
    return letter;
  };
}
