/** Entries of Next.js's incremental cache, and their form as JSON. */
import { isMap } from 'node:util/types';

/** An entry of the incremental cache. */
export interface IncrementalEntry {
  /** Milliseconds since 1970. */
  lastModified: number;
  value: object | null;
  cacheControl?: unknown;
}

/** A value of the incremental cache: bytes, and maps of bytes, are kept apart from what JSON can hold. */
export interface Encoded {
  readonly value: object | null;
  readonly bytes?: Readonly<Record<string, string>>;
  readonly maps?: Readonly<Record<string, readonly (readonly [string, string])[]>>;
  readonly cacheControl?: unknown;
}

export function encode(value: object | null, cacheControl: unknown): Encoded {
  if (value === null) return { value, cacheControl };
  const fields = Object.entries(value) as [string, unknown][];
  const bytes = fields.filter((field): field is [string, Uint8Array] => ArrayBuffer.isView(field[1]));
  const maps = fields.filter((field): field is [string, Map<string, Uint8Array>] => isMap(field[1]));
  return {
    value: Object.fromEntries(fields.filter(([, field]) => !ArrayBuffer.isView(field) && !isMap(field))),
    bytes: Object.fromEntries(bytes.map(([name, field]) => [name, Buffer.from(field).toString('base64')])),
    maps: Object.fromEntries(maps.map(([name, map]) => [name, [...map].map(([key, field]) => [key, Buffer.from(field).toString('base64')] as const)])),
    cacheControl,
  };
}

/** @throws TypeError for what {@link encode} has not made */
export function decode(stored: object): Omit<IncrementalEntry, 'lastModified'> {
  const { value, bytes = {}, maps = {}, cacheControl } = stored as Encoded;
  if (typeof value !== 'object') throw new TypeError('an entry has an object, or null, for its value');
  const control = cacheControl === undefined ? {} : { cacheControl };
  if (value === null) return { value, ...control };
  const binary = Object.entries(bytes).map(([name, field]) => [name, Buffer.from(field, 'base64')] as const);
  const mapped = Object.entries(maps).map(([name, map]) => [name, new Map(map.map(([key, field]) => [key, Buffer.from(field, 'base64')]))] as const);
  return { value: { ...value, ...Object.fromEntries(binary), ...Object.fromEntries(mapped) }, ...control };
}
