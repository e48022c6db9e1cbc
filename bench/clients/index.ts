import type { MakeAdapter } from './adapter';
import { makeMemcache, makeMemcacheClient, makeMemcached, makeMemjs } from './peers';
import { makeRaw, makeRawPromise } from './raw';
import { makeClient, makeHash, makePooled, makeRetrying } from './tsmemcache';

/** What a client is to the comparison. */
export type Role = 'ours' | 'peer' | 'ceiling';

export interface Contestant {
  readonly name: string;
  readonly role: Role;
  readonly make: MakeAdapter;
}

export const contestants: readonly Contestant[] = [
  { name: 'tsmemcache', role: 'ours', make: makeClient },
  { name: 'PooledClient', role: 'ours', make: makePooled },
  { name: 'HashClient', role: 'ours', make: makeHash },
  { name: 'RetryingClient', role: 'ours', make: makeRetrying },
  { name: 'memcached', role: 'peer', make: makeMemcached },
  { name: 'memjs', role: 'peer', make: makeMemjs },
  { name: 'memcache-client', role: 'peer', make: makeMemcacheClient },
  { name: 'memcache', role: 'peer', make: makeMemcache },
  { name: 'raw', role: 'ceiling', make: makeRaw },
  { name: 'raw+promise', role: 'ceiling', make: makeRawPromise },
];
