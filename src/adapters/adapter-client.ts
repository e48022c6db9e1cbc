import type { CacheApi } from '../client/cache-api';
import { MemcacheIllegalInputError, type MemcacheError } from '../errors';
import type { Key } from '../protocol/key';
import { hasMethods, isObject } from '../options/rule';
import { isBytes } from '../protocol/bytes';
import { MAX_KEY_LENGTH } from '../protocol/limits';
import { DIGEST_LENGTH, safeKey } from '../protocol/safe-key';
import { systemClock, type Clock } from '../runtime/clock';
import { hasCode, type Failures } from './failures';

/** Any client that can store strings. No adapter closes it. */
export interface AdapterClient extends CacheApi<unknown, string> {
  readonly options?: {
    readonly keyPrefix?: string | Uint8Array | undefined;
    readonly maxValueSize?: number | undefined;
    readonly clock?: Clock | undefined;
    readonly ignoreErrors?: unknown;
  };
}

/** @throws MemcacheIllegalInputError when `client` lacks a method */
export function checkClient(client: unknown, ...methods: readonly string[]): void {
  if (hasMethods(client, 'get', 'getMany', 'gets', 'set', 'add', 'delete', ...methods)) return;
  throw new MemcacheIllegalInputError('client must be a client, for example new Client()');
}

/**
 * To be asked when an adapter is made: an error of each call might count as a miss, and nobody would hear of it.
 *
 * @throws MemcacheIllegalInputError when the client's own prefix leaves no room for keys that begin with `prefix`
 */
export function checkRoom(client: AdapterClient, prefix: string): void {
  if (roomAfter(client, prefix) >= DIGEST_LENGTH) return;
  throw new MemcacheIllegalInputError(`the keyPrefix of the client must be at most ${MAX_KEY_LENGTH - prefix.length - DIGEST_LENGTH} bytes long here, as the adapter needs the rest of each key`);
}

/** `prefix` and `key` as one legal key of `client`. */
export function keyOf(client: AdapterClient, prefix: string, key: string): string {
  return prefix + safeKey(key, roomAfter(client, prefix));
}

/** How many bytes a key of `client` has after `prefix`. */
function roomAfter(client: AdapterClient, prefix: string): number {
  return MAX_KEY_LENGTH - Buffer.byteLength(client.options?.keyPrefix ?? '') - prefix.length;
}

/** A stored string, even if the serde reads it as bytes. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isBytes(value) ? Buffer.from(value).toString() : undefined;
}

/** The string that is stored under `key`; undefined on a miss, and for what is no string or cannot be read, as after a change of the client's serde. */
export async function readText(client: AdapterClient, key: string): Promise<string | undefined> {
  return textOf(await ifReadable(client.get(key)));
}

/** As {@link readText}, for several keys: those that were found. */
export async function readTexts(client: AdapterClient, keys: readonly string[]): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map();
  const found = await client.getMany(keys).catch(async (error: unknown) => {
    if (!hasCode(error, 'MEMCACHE_SERDE') && !hasCode(error, 'MEMCACHE_PARTIAL')) throw error;
    // What cannot be read hides the others, which are asked for on their own.
    return new Map(await Promise.all(keys.map(async (key) => [key, await readText(client, key)] as const)));
  });
  const texts = keys.map((key) => [key, textOf(found.get(key))] as const);
  return new Map(texts.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

/** What `getMany` finds. With `miss` the keys of a server that failed are misses, and not all of them; `onError` is given its error. */
export async function hitsOf(
  client: AdapterClient,
  keys: readonly string[],
  failures: Failures,
  onError?: (error: MemcacheError) => void,
): Promise<ReadonlyMap<Key, unknown>> {
  try {
    return await client.getMany(keys);
  } catch (error) {
    if (failures === 'throw' || !hasCode(error, 'MEMCACHE_PARTIAL') || !('partial' in error) || !(error.partial instanceof Map)) throw error;
    onError?.(error);
    return error.partial as ReadonlyMap<Key, unknown>;
  }
}

/** What was read; undefined for what the serde of the client cannot read. */
export async function ifReadable<R>(reading: Promise<R>): Promise<R | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, 'MEMCACHE_SERDE')) return undefined;
    throw error;
  }
}

/** The object that a stored string is as JSON; undefined for all that somebody else may have stored. */
export function objectOf(value: unknown): object | undefined {
  try {
    const object: unknown = JSON.parse(textOf(value) ?? 'null');
    return isObject(object) ? object : undefined;
  } catch {
    return undefined;
  }
}

/** The source of time of `client`. */
export function clockOf(client: AdapterClient): Clock {
  return client.options?.clock ?? systemClock;
}
