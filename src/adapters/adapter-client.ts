import type { CacheApi } from '../client/cache-api';
import { MemcacheIllegalInputError } from '../errors';
import { hasMethods } from '../options/rule';
import { isBytes } from '../protocol/bytes';
import { MAX_KEY_LENGTH } from '../protocol/limits';
import { safeKey } from '../protocol/safe-key';
import { systemClock, type Clock } from '../runtime/clock';

/** Any client that can store strings. No adapter closes it. */
export interface AdapterClient extends CacheApi<unknown, string> {
  readonly options?: {
    readonly keyPrefix?: string | Uint8Array | undefined;
    readonly maxValueSize?: number | undefined;
    readonly clock?: Clock | undefined;
  };
}

/** @throws MemcacheIllegalInputError when `client` lacks a method */
export function checkClient(client: unknown, ...methods: readonly string[]): void {
  if (hasMethods(client, 'get', 'getMany', 'gets', 'set', 'add', 'delete', ...methods)) return;
  throw new MemcacheIllegalInputError('client must be a client, for example new Client()');
}

/** `prefix` and `key` as one legal key of `client`. */
export function keyOf(client: AdapterClient, prefix: string, key: string): string {
  return prefix + safeKey(key, MAX_KEY_LENGTH - Buffer.byteLength(client.options?.keyPrefix ?? '') - prefix.length);
}

/** A stored string, even if the serde reads it as bytes. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return isBytes(value) ? Buffer.from(value).toString() : undefined;
}

/** The source of time of `client`. */
export function clockOf(client: AdapterClient): Clock {
  return client.options?.clock ?? systemClock;
}
