/** What the adapters have in common: keys, times to live, and the handling of failures. */
import type { CacheApi } from '../client/cache-api';
import { MemcacheError, MemcacheIllegalInputError } from '../errors';
import { hasMethods, valueThat, type Rule } from '../options/rule';
import { MAX_KEY_LENGTH } from '../protocol/limits';
import { safeKey } from '../protocol/safe-key';
import { systemClock, type Clock } from '../runtime/clock';
import { nodeCrypto } from '../runtime/crypto';

/** Any client that can store strings. No adapter closes it. */
export interface AdapterClient extends CacheApi<unknown, string> {
  readonly options?: {
    readonly keyPrefix?: string | Uint8Array | undefined;
    readonly maxValueSize?: number | undefined;
    readonly clock?: Clock | undefined;
  };
}

/** How errors of the cache are handled. `miss`: reads find nothing and writes return `false`; `throw`: the caller gets the error. */
export type Failures = 'miss' | 'throw';

export const FAILURES: Rule<Failures> = valueThat("'miss' or 'throw'", (value) => value === 'miss' || value === 'throw');

/** A prefix or namespace: part of every key, so it must leave room for the rest. */
export const WORD: Rule<string> = valueThat(
  '1 to 100 printable ASCII characters without whitespace',
  (value) => typeof value === 'string' && /^[\x21-\x7e]{1,100}$/.test(value),
);

/** Milliseconds or seconds to live, without a limit. */
export const LIFETIME: Rule<number> = valueThat('a number, 0 or more', (value) => typeof value === 'number' && value >= 0);

/** @throws MemcacheIllegalInputError when `client` lacks a method */
export function checkClient(client: unknown, ...methods: readonly string[]): void {
  if (hasMethods(client, 'get', 'getMany', 'gets', 'set', 'add', 'delete', ...methods)) return;
  throw new MemcacheIllegalInputError('client must be a client, for example new Client()');
}

/**
 * Seconds for `expire` out of milliseconds to live: rounded up, since 0 seconds would be for ever; -1 when no time is left,
 * 0 (for ever) beyond thirty years.
 */
export function secondsOf(milliseconds: number): number {
  if (Number.isNaN(milliseconds)) throw new MemcacheIllegalInputError('a time to live must be a number');
  if (milliseconds <= 0) return -1;
  return milliseconds > 1e12 ? 0 : Math.ceil(milliseconds / 1000);
}

/** A stored string, even if the serde reads it as bytes. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString() : undefined;
}

/** `prefix` and `key` as one legal key of `client`. */
export function keyOf(client: AdapterClient, prefix: string, key: string): string {
  return prefix + safeKey(key, MAX_KEY_LENGTH - Buffer.byteLength(client.options?.keyPrefix ?? '') - prefix.length);
}

/** `result`. With `miss`, an error of the cache becomes `otherwise`, and is passed to `onError`. */
export async function orElse<R>(failures: Failures, result: Promise<R>, otherwise: R, onError?: (error: MemcacheError) => void): Promise<R> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof MemcacheError)) throw error;
    onError?.(error);
    if (failures === 'throw') throw error;
    return otherwise;
  }
}

/** The source of time of `client`. */
export function clockOf(client: AdapterClient): Clock {
  return client.options?.clock ?? systemClock;
}

/** A random word that is never repeated. */
export function uniqueWord(): string {
  return nodeCrypto().randomBytes(9).toString('base64url');
}

/** memcached cannot list keys, and an empty list would be wrong. */
export function noListing(what: string): MemcacheIllegalInputError {
  return new MemcacheIllegalInputError(`${what} would have to list keys, which memcached cannot do`);
}
