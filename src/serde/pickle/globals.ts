/** The few functions that pickles of plain data call; whatever else a pickle asks for is refused. */
import type { Budget } from '../budget';
import { malformed } from './malformed';

type Build = (args: readonly unknown[], budget: Budget) => unknown;

/** A function that a pickle has named and may call; not a value. */
export class Global {
  constructor(readonly call: Build) {}
}

/** Milliseconds, as a part of a timezone; not a value. */
class Duration {
  constructor(readonly milliseconds: number) {}
}

/** A distance from UTC, as a part of a datetime; not a value. */
class Zone {
  constructor(readonly offset: number) {}
}

const wrongArguments = (): never => {
  throw malformed('a call with arguments that Python does not write');
};

const set: Build = ([items = [], ...rest], budget) => {
  if (rest.length > 0 || !(Array.isArray(items) || items instanceof Set)) return wrongArguments();
  budget.charge(4 * (Array.isArray(items) ? items.length : items.size));
  return new Set(items as Iterable<unknown>);
};

/** `_codecs.encode(text, 'latin1')`: bytes, in a protocol that has no type for them. */
const encode: Build = ([text, encoding, ...rest], budget) => {
  const isLatin1 = encoding === 'latin1' || encoding === 'latin-1';
  if (rest.length > 0 || typeof text !== 'string' || !isLatin1 || /[^\x00-\xff]/.test(text)) return wrongArguments();
  budget.charge(text.length >> 3);
  return Buffer.from(text, 'latin1');
};

/** `bytes()`, `bytearray()`, `bytearray(bytes)`, `bytearray(text, 'latin-1')`. */
const bytes: Build = (args, budget) => {
  if (args.length === 0) return Buffer.alloc(0);
  return args.length === 1 && Buffer.isBuffer(args[0]) ? args[0] : encode(args, budget);
};

/** Year (2 bytes), month, day. */
function dateOf(data: Buffer): Date {
  const [year, month, day] = [data.readUInt16BE(0), data.readUInt8(2) & 127, data.readUInt8(3)];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (year < 1 || year > 9999 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return wrongArguments();
  return date;
}

/** What Python 2 wrote is a string if it is ASCII. */
function packed(data: unknown, length: number): Buffer {
  const bytesOf = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
  return Buffer.isBuffer(bytesOf) && bytesOf.length === length ? bytesOf : wrongArguments();
}

const date: Build = ([data, ...rest]) => (rest.length > 0 ? wrongArguments() : dateOf(packed(data, 4)));

/** A date, hour, minute, second and microseconds (3 bytes), in UTC when no zone is given. */
const datetime: Build = ([data, zone = new Zone(0), ...rest]) => {
  const fields = packed(data, 10);
  const [hours, minutes, seconds, micros] = [fields.readUInt8(4), fields.readUInt8(5), fields.readUInt8(6), fields.readUIntBE(7, 3)];
  if (rest.length > 0 || !(zone instanceof Zone) || hours > 23 || minutes > 59 || seconds > 59 || micros > 999_999) return wrongArguments();
  const time = dateOf(fields).setUTCHours(hours, minutes, seconds, Math.floor(micros / 1000));
  return new Date(time - zone.offset);
};

/** `timedelta(days, seconds, microseconds)`. */
const timedelta: Build = ([days, seconds, micros, ...rest]) => {
  if (rest.length > 0 || typeof days !== 'number' || typeof seconds !== 'number' || typeof micros !== 'number') return wrongArguments();
  return new Duration((days * 86_400 + seconds) * 1000 + Math.floor(micros / 1000));
};

/** Less than a day from UTC. */
const timezone: Build = ([offset]) =>
  offset instanceof Duration && Math.abs(offset.milliseconds) < 86_400_000 ? new Zone(offset.milliseconds) : wrongArguments();

const GLOBALS: ReadonlyMap<string, Global> = new Map(
  Object.entries<Build>({
    '__builtin__.set': set,
    'builtins.set': set,
    '__builtin__.frozenset': set,
    'builtins.frozenset': set,
    '__builtin__.bytes': bytes,
    'builtins.bytes': bytes,
    '__builtin__.bytearray': bytes,
    'builtins.bytearray': bytes,
    '_codecs.encode': encode,
    'datetime.date': date,
    'datetime.datetime': datetime,
    'datetime.timedelta': timedelta,
    'datetime.timezone': timezone,
  }).map(([name, call]) => [name, new Global(call)]),
);

/** @throws MemcacheSerdeError naming the global, unless it is one of the few that make plain data */
export function findGlobal(module: unknown, name: unknown): Global {
  if (typeof module !== 'string' || typeof name !== 'string') throw malformed('the name of a global is not a string');
  const path = `${module}.${name}`;
  const found = GLOBALS.get(path);
  if (found !== undefined) return found;
  // A name is a name in a program, not a part of the value; what does not look like one is not repeated.
  throw malformed(`it asks for ${/^[\w.]{1,100}$/.test(path) ? path : 'a global'}, and only plain data is read`);
}
