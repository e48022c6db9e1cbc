/** The flags of the meta commands under readable names. */
import { MemcacheIllegalInputError } from '../../errors';
import { encodeExptime, type Expire } from '../../protocol/exptime';
import { MAX_OPAQUE_LENGTH } from '../../protocol/limits';
import { encodeCas, encodeClientFlags, encodeCount } from '../../protocol/numbers';

/** Flags that every meta command takes. */
export interface MetaOptions {
  /** Sends the key in base64, so that it may hold any bytes; at most 186 of them. (`b`) */
  base64?: boolean | undefined;
  /** A token of up to 31 characters that the reply repeats; by default one is generated and checked. (`O`) */
  opaque?: string | undefined;
}

/** What `metaGet` returns and does. */
export interface MetaGetOptions extends MetaOptions {
  /** Return the value. @default true (`v`, `f`) */
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
  /** Set the time to live. (`T`) */
  expire?: Expire | undefined;
  /** On a miss create an empty item that lives this many seconds; the creator sees `won`. (`N`) */
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
  /** @default 'set' (`M`) */
  mode?: 'set' | 'add' | 'replace' | 'append' | 'prepend' | undefined;
  /** Time to live. (`T`) */
  expire?: Expire | undefined;
  /** Client flags instead of the serde's. (`F`) */
  flags?: number | undefined;
  /** Store only if the item has this cas. (`C`) */
  cas?: string | undefined;
  /** With `cas`: accept an older cas too, and then store the item as stale. (`I`) */
  invalidate?: boolean | undefined;
  /** In the modes append and prepend: create the item on a miss, to live this many seconds; needs memcached 1.6.20. (`N`) */
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
  /** With `invalidate`: the time to live from now on. (`T`) */
  expire?: Expire | undefined;
  /** Remove the value and keep the item; needs memcached 1.6.27. (`x`) */
  removeValue?: boolean | undefined;
  /** The new cas of the item; needs memcached 1.6.27. (`E`) */
  newCas?: string | undefined;
}

/** How `metaArithmetic` counts. */
export interface MetaArithmeticOptions<N extends number | bigint> extends MetaOptions {
  /** @default 'incr' (`M`) */
  mode?: 'incr' | 'decr' | undefined;
  /** @default 1 (`D`) */
  delta?: N | undefined;
  /** On a miss create the counter, to live this many seconds. (`N`) */
  vivify?: number | undefined;
  /** The count of a counter that is created. @default 0 (`J`) */
  initial?: N | undefined;
  /** Set the time to live. (`T`) */
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

/** The source of wall-clock time, in milliseconds since 1970. */
type Time = () => number;

const MODES = { set: 'S', add: 'E', append: 'A', prepend: 'P', replace: 'R', incr: 'I', decr: 'D' } as const;

/** @throws MemcacheIllegalInputError naming the option */
export function metaGetFlags(options: MetaGetOptions, time: Time): string[] {
  const withValue = options.value ?? true;
  return tokens(
    options,
    // First, so that what is reported is the new time to live.
    expire('T', options.expire, time),
    on('v', 'value', withValue),
    on('f', 'flags', withValue || options.flags),
    on('c', 'cas', options.cas),
    on('t', 'ttl', options.ttl),
    on('s', 'size', options.size),
    on('h', 'hitBefore', options.hitBefore),
    on('l', 'lastAccess', options.lastAccess),
    on('u', 'noLruBump', options.noLruBump),
    seconds('N', 'vivify', options.vivify, time),
    seconds('R', 'recache', options.recache, time),
    cas('C', 'unlessCas', options.unlessCas),
    cas('E', 'newCas', options.newCas),
  );
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaSetFlags(options: MetaSetOptions, flagsOfSerde: number, time: Time): string[] {
  return tokens(
    options,
    mode(options.mode, ['set', 'add', 'replace', 'append', 'prepend']),
    expire('T', options.expire, time),
    clientFlags(options.flags ?? flagsOfSerde),
    cas('C', 'cas', options.cas),
    on('I', 'invalidate', options.invalidate),
    seconds('N', 'vivify', options.vivify, time),
    cas('E', 'newCas', options.newCas),
    on('c', 'returnCas', options.returnCas),
  );
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaDeleteFlags(options: MetaDeleteOptions, time: Time): string[] {
  return tokens(
    options,
    cas('C', 'cas', options.cas),
    on('I', 'invalidate', options.invalidate),
    expire('T', options.expire, time),
    on('x', 'removeValue', options.removeValue),
    cas('E', 'newCas', options.newCas),
  );
}

/** @throws MemcacheIllegalInputError naming the option */
export function metaArithmeticFlags(options: MetaArithmeticOptions<number | bigint>, time: Time): string[] {
  return tokens(
    options,
    mode(options.mode, ['incr', 'decr']),
    expire('T', options.expire, time),
    count('D', 'delta', options.delta),
    seconds('N', 'vivify', options.vivify, time),
    count('J', 'initial', options.initial),
    cas('C', 'cas', options.cas),
    cas('E', 'newCas', options.newCas),
    'v',
    on('c', 'returnCas', options.returnCas),
    on('t', 'returnTtl', options.returnTtl),
  );
}

function tokens({ base64, opaque }: MetaOptions, ...given: (string | undefined)[]): string[] {
  const all: string[] = [];
  if (on('b', 'base64', base64) !== undefined) all.push('b');
  if (opaque !== undefined) {
    if (typeof opaque !== 'string' || !/^[\x21-\x7e]+$/.test(opaque) || opaque.length > MAX_OPAQUE_LENGTH) {
      throw new MemcacheIllegalInputError(`opaque must be 1 to ${MAX_OPAQUE_LENGTH} printable ASCII characters without whitespace`);
    }
    all.push(`O${opaque}`);
  }
  for (const token of given) if (token !== undefined) all.push(token);
  return all;
}

function on(letter: string, name: string, value: unknown): string | undefined {
  if (value === undefined || value === false) return undefined;
  if (value !== true) throw new MemcacheIllegalInputError(`${name} must be true or false`);
  return letter;
}

function expire(letter: string, value: unknown, time: Time): string | undefined {
  return value === undefined ? undefined : letter + String(encodeExptime(value, time));
}

function seconds(letter: string, name: string, value: unknown, time: Time): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new MemcacheIllegalInputError(`${name} must be a whole number of seconds, 0 or more`);
  }
  return letter + String(encodeExptime(value, time));
}

function cas(letter: string, name: string, value: unknown): string | undefined {
  return value === undefined ? undefined : letter + encodeCas(name, value);
}

function count(letter: string, name: string, value: unknown): string | undefined {
  return value === undefined ? undefined : letter + encodeCount(name, value);
}

function clientFlags(value: unknown): string {
  return `F${encodeClientFlags(value)}`;
}

function mode(value: unknown, allowed: readonly (keyof typeof MODES)[]): string | undefined {
  if (value === undefined) return undefined;
  const known = allowed.find((name) => name === value);
  if (known === undefined) throw new MemcacheIllegalInputError(`mode must be one of ${allowed.join(', ')}`);
  return `M${MODES[known]}`;
}
