import { MemcacheClientError, MemcacheError, MemcacheServerError, type MemcacheErrorCode } from '../../src';

/** A code that is forgotten, or misspelt, does not compile. */
export function advice(error: MemcacheError): string {
  switch (error.code) {
    case 'MEMCACHE_ILLEGAL_INPUT':
    case 'MEMCACHE_SERDE':
    case 'MEMCACHE_INEXACT_NUMBER':
    case 'MEMCACHE_CLIENT_ERROR':
    case 'MEMCACHE_UNKNOWN_COMMAND':
      return 'mend the program';
    // @ts-expect-error -- there is no such code
    case 'MEMCACHE_TIME_OUT':
      return 'never';
    default:
      return 'wait';
  }
}

export function narrower(error: MemcacheServerError): string {
  switch (error.code) {
    case 'MEMCACHE_SERVER_ERROR':
      return 'ask the server';
    case 'MEMCACHE_UNEXPECTED_CLOSE':
      return 'it is gone';
  }
}

export const codes: readonly MemcacheErrorCode[] = [new MemcacheError('x').code, new MemcacheClientError('x').code];
// @ts-expect-error -- a client's error is no time-out
export const wrong = new MemcacheClientError('x').code === 'MEMCACHE_TIMEOUT';

/** An error of one's own has one of the codes. */
export class Mine extends MemcacheServerError {
  override readonly code = 'MEMCACHE_SERVER_ERROR';
}
