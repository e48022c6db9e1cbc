import { deserialize, serialize } from 'node:v8';
import { MemcacheSerdeError } from '../errors';
import { refuseAdding } from './adding';
import { FLAG_STRUCTURED } from './flags';
import type { Fixed, Serde, SerializedValue } from './serde';
import { scanStructured } from './structured/scan';
import { unreadable } from './unreadable';

/** The version of V8's format stands in the flags, above the bit that marks the format. */
const VERSION_UNIT = 2 * FLAG_STRUCTURED;
/** What Node 20 writes; older forms of the format are not needed, and their oddities not wanted. */
const OLDEST_VERSION = 15;

/** The version that this Node writes, and the highest that it reads: `0xFF version …`. Bun's node:v8 writes a format of its own. */
const [OUR_MARK, OUR_VERSION = 0] = header();

/**
 * Everything that JavaScript's structured clone carries, by node:v8: Maps, Sets, Dates, RegExps, bigints, typed arrays,
 * Buffers, errors, arrays with holes, what is shared and what is circular. Objects lose their class.
 *
 * Only Node reads it, and an older Node does not read what a much newer one wrote; the error then says so. A value that
 * would take more than about 64 MiB is refused when it is written and when it is read, whatever its bytes claim.
 */
export class StructuredSerde<T = unknown> implements Serde<T> {
  /** @throws MemcacheSerdeError where node:v8 does not write V8's format, as in Bun: Node could not read it */
  constructor() {
    if (OUR_MARK !== 0xff) throw new MemcacheSerdeError('StructuredSerde needs the format of V8, and the node:v8 of this run-time writes another, which no Node reads');
  }

  /** @throws MemcacheSerdeError for values that are too large, and for `append` and `prepend`; functions, symbols and the like throw V8's `DataCloneError` */
  serialize(value: T, _key?: string, verb?: string): SerializedValue {
    refuseAdding(verb, 'a structured value');
    const data = serialize(value);
    scanStructured(data);
    return { data, flags: FLAG_STRUCTURED + VERSION_UNIT * OUR_VERSION };
  }

  // Without Fixed, `T` of a bare `new StructuredSerde()` would be taken from where it is passed to: the type of `MISS`.
  deserialize(data: Buffer, flags: number): Fixed<T> {
    checkVersion(data, flags);
    scanStructured(data);
    // Typed arrays that are read are views of the bytes they are read from, so these must not be shared.
    const own = Buffer.from(new Uint8Array(data).buffer);
    try {
      return deserialize(own) as T;
    } catch (cause) {
      throw unreadable('the structured value is malformed', cause);
    }
  }

  deserializeInPlace(buffer: Buffer, start: number, end: number, flags: number): Fixed<T> {
    return this.deserialize(buffer.subarray(start, end), flags);
  }
}

/** What V8's format begins with; nothing where node:v8 is a stub, as in Cloudflare's Workers. */
function header(): Iterable<number> {
  try {
    return serialize(null);
  } catch {
    return [];
  }
}

function checkVersion(data: Buffer, flags: number): void {
  const version = (flags - FLAG_STRUCTURED) / VERSION_UNIT;
  if (!Number.isInteger(version) || version < OLDEST_VERSION || version > 255) {
    throw unreadable(`no StructuredSerde stored an item with flags ${flags}: use the serde it was stored with`);
  }
  if (version > OUR_VERSION) {
    throw unreadable(`the item has version ${version} of V8's format, and this Node reads up to ${OUR_VERSION}: a newer Node stored it`);
  }
  if (data[1] !== version) throw unreadable('the version in the structured value is not the one in its flags');
}
