/** How a client calls serdes: whatever they do, only the call at hand is affected. */
import { MemcacheSerdeError } from '../errors';
import { isObject, isWholeNumber } from '../options/rule';
import { isBytes, kept, SHARE_FROM } from '../protocol/bytes';
import { MAX_FLAGS } from '../protocol/limits';
import type { MISS, Serde, SerializedValue } from './serde';

/**
 * The bytes and flags of a value; `mode` is what a meta command does with them.
 *
 * @throws MemcacheSerdeError with what the serde threw as `cause`, or naming what is wrong with what it returned
 */
export function serializeValue<In>(serde: Serde<unknown, In>, value: In, key: string, verb: string, mode = verb): SerializedValue {
  let serialized: SerializedValue;
  try {
    serialized = serde.serialize(value, key, mode);
  } catch (cause) {
    throw new MemcacheSerdeError(`the serde could not write the value${reason(cause)}`, { command: verb, cause });
  }
  const lacking = whatLacks(serialized);
  if (lacking !== undefined) throw new MemcacheSerdeError(`serialize must return ${lacking}`, { command: verb });
  return serialized;
}

function whatLacks(serialized: unknown): string | undefined {
  if (!isObject(serialized)) return 'an object with data and flags';
  const { data, flags }: Partial<SerializedValue> = serialized;
  if (typeof data !== 'string' && !isBytes(data)) return 'data that is a string or a Uint8Array';
  return isWholeNumber(flags, 0, MAX_FLAGS) ? undefined : 'flags that are a whole number from 0 to 2^32 - 1';
}

/** The bytes of a value: `buffer[dataStart, dataEnd)`. A frame is one. */
export interface ValueBytes {
  readonly buffer: Buffer;
  readonly dataStart: number;
  readonly dataEnd: number;
  /** Whether nobody else writes to the buffer. */
  readonly owned: boolean;
}

/**
 * The value that these bytes stand for.
 *
 * @throws MemcacheSerdeError with what the serde threw as `cause`
 */
export function deserializeValue<Out>(serde: Serde<Out, never>, { buffer, dataStart, dataEnd, owned }: ValueBytes, flags: number, key: string, verb: string): Out | typeof MISS {
  try {
    // What may be kept is given to `deserialize`: bytes read in place are copied once more.
    const isKept = owned && dataEnd - dataStart >= SHARE_FROM;
    if (serde.deserializeInPlace !== undefined && !isKept) return serde.deserializeInPlace(buffer, dataStart, dataEnd, flags, key);
    return serde.deserialize(kept(buffer, dataStart, dataEnd, owned), flags, key);
  } catch (cause) {
    throw new MemcacheSerdeError(`the serde could not read the value${reason(cause)}`, {
      command: verb,
      cause,
      certainty: 'executed',
    });
  }
}

/** The messages of our own serdes say what to do; those of other code may quote a part of the value. */
function reason(cause: unknown): string {
  return cause instanceof MemcacheSerdeError ? `: ${cause.message}` : '; see cause';
}
