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

  /** @throws MemcacheSerdeError for functions, symbols and the like, for values that are too large, and for `append` and `prepend`; whatever a getter throws */
  serialize(value: T, _key?: string, verb?: string): SerializedValue {
    refuseAdding(verb, 'a structured value');
    const data = toStructured(value);
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

/** V8 names what it does not clone by its class, or it quotes the source of a function and the description of a symbol, which are parts of the value. */
const NOT_CLONED = /^(?:(#<.*|\[object \w+\]|An ArrayBuffer is detached and)|.*) could not be cloned\.$/s;

function toStructured(value: unknown): Buffer {
  try {
    return serialize(value);
  } catch (error) {
    const match = NOT_CLONED.exec((error as Error | undefined)?.message ?? '');
    if (match === null) throw error;
    throw new MemcacheSerdeError(`${match[1] ?? 'a function or a symbol'} could not be cloned`);
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
