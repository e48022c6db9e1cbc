import { MemcacheSerdeError } from '../errors';
import { isObject } from '../options/rule';
import { copyOf, isBytes, utf8Slice } from '../protocol/bytes';
import {
  FLAG_BYTES,
  FLAG_COMPRESSED,
  FLAG_INTEGER,
  FLAG_JSON,
  FLAG_LONG,
  FLAG_NUMBER,
  FLAG_STRUCTURED,
  FLAG_TEXT,
} from './flags';
import { integerText, isInteger, toBigInt, toInteger, toNumber } from './integer';
import { parseJson, toJson } from './json';
import { kindOf, nameOf } from './kind';
import type { Serde, SerializedValue } from './serde';
import { checkWellFormed } from './string-serde';
import { unreadable } from './unreadable';

/** What a {@link TypedSerde} carries: strings, bytes, numbers, bigints, booleans, null, and whatever JSON can hold. */
export type CacheValue = string | number | bigint | boolean | null | object;

/**
 * What goes in comes out: strings as strings, bytes as a Buffer, numbers as numbers (NaN, the infinities and -0 too), bigints
 * as bigints, and arrays and objects as JSON has them. What JSON cannot hold at all (a Map, a Date, a Promise not awaited) is
 * refused. Strings, bytes and integers are stored as pymemcache and python-memcached store them, so both sides read each
 * other's.
 */
export class TypedSerde implements Serde<CacheValue> {
  serialize(value: CacheValue): SerializedValue {
    switch (typeof value) {
      case 'string':
        return { data: checkWellFormed(value), flags: FLAG_TEXT };
      case 'number':
        return isInteger(value)
          ? { data: String(value), flags: FLAG_INTEGER }
          : { data: Object.is(value, -0) ? '-0' : String(value), flags: FLAG_NUMBER };
      case 'bigint':
        return { data: integerText(value), flags: FLAG_LONG };
      default:
        if (isBytes(value)) return { data: value, flags: FLAG_BYTES };
        if (!isJson(value)) throw new MemcacheSerdeError(`JSON cannot carry a ${nameOf(value)}: use a StructuredSerde, or store a plain part of it`);
        return { data: toJson(value), flags: FLAG_JSON };
    }
  }

  deserialize(data: Buffer, flags: number): CacheValue {
    return flags === FLAG_BYTES ? data : this.deserializeInPlace(data, 0, data.length, flags);
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number): CacheValue {
    switch (flags) {
      case FLAG_TEXT:
        return utf8Slice(buffer, start, end);
      case FLAG_BYTES:
        return copyOf(buffer, start, end);
      case FLAG_INTEGER:
        return toInteger(utf8Slice(buffer, start, end));
      case FLAG_LONG:
        return toBigInt(utf8Slice(buffer, start, end));
      case FLAG_NUMBER:
        return toNumber(utf8Slice(buffer, start, end));
      case FLAG_JSON:
        return parseJson(utf8Slice(buffer, start, end)) as CacheValue;
      default:
        throw unreadable(foreign(flags));
    }
  }
}

/** JSON turns these into an empty object, a string, or an object of numbers. Known by name, since each realm has its own classes. */
const NOT_JSON =
  /^((Weak)?(Map|Set)|WeakRef|Promise|RegExp|(Shared)?ArrayBuffer|Error|Date|(Async)?Generator|.* Iterator|Iterator Helper|URLSearchParams|Headers|FormData|Blob|File|Request|Response|ReadableStream)$/;

/** Whether JSON carries the value as what it is; within it, JSON's own rules hold. */
function isJson(value: boolean | object | null): value is boolean | null | Record<string, unknown> {
  if (!isObject(value) || Array.isArray(value)) return true;
  if (Object.getPrototypeOf(value) === Object.prototype) return true;
  const kind = kindOf(value);
  if (kind !== 'Date' && 'toJSON' in value) return true;
  return !ArrayBuffer.isView(value) && !NOT_JSON.test(kind) && !OWN_CLASSES.some((type) => value instanceof type);
}

/** By class too, as their subclasses may have any name. */
const OWN_CLASSES = [Map, Set, Promise, Error, Date];

function foreign(flags: number): string {
  const [origin, remedy] = originOf(flags);
  return `the item ${origin} (flags ${flags}): use ${remedy}`;
}

/** Below a StructuredSerde's least flags its bit is one of Java's clients, and of PHP's memcache. */
const OTHERS_FLAGS = 4096;

function originOf(flags: number): readonly [origin: string, remedy: string] {
  if (flags & FLAG_COMPRESSED) return ['is compressed', 'a CompressedSerde around the serde'];
  if (flags < FLAG_COMPRESSED) return ['is a Python pickle, or a value of PHP, Ruby or Java', 'a PythonSerde, or what stored it'];
  const isStructured = flags > OTHERS_FLAGS && flags & FLAG_STRUCTURED;
  return ['was not stored by a TypedSerde', isStructured ? 'a StructuredSerde' : 'the serde it was stored with, or a RawSerde'];
}
