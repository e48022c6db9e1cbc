import type { MakeAdapter } from './adapter';
import { makeMemcache, makeMemcacheClient, makeMemcacheClientCompressing, makeMemcacheClientNoreply, makeMemcached, makeMemjs } from './peers';
import { makeRaw, makeRawPromise } from './raw';
import { makeCalls, makeClient, makeCluster, makeCompressed, makeHash, makeNoreply, makePooled, makePools, makeRawSerde, makeRetrying } from './tsmemcache';

/** What a client is to the comparison. */
export type Role = 'ours' | 'peer' | 'ceiling';

export interface Contestant {
  readonly name: string;
  readonly role: Role;
  readonly make: MakeAdapter;
}

/** `Client` of this package. */
const tsmemcache: Contestant = { name: 'tsmemcache', role: 'ours', make: makeClient };
const cluster: Contestant = { name: 'HashClient, 3 servers', role: 'ours', make: makeCluster };
const compressed: Contestant = { name: 'CompressedSerde', role: 'ours', make: makeCompressed };

const memcached: Contestant = { name: 'memcached', role: 'peer', make: makeMemcached };
const memjs: Contestant = { name: 'memjs', role: 'peer', make: makeMemjs };
const memcacheClient: Contestant = { name: 'memcache-client', role: 'peer', make: makeMemcacheClient };
const memcache: Contestant = { name: 'memcache', role: 'peer', make: makeMemcache };

const raw: Contestant = { name: 'raw', role: 'ceiling', make: makeRaw };
const rawPromise: Contestant = { name: 'raw+promise', role: 'ceiling', make: makeRawPromise };

/** Clients of one server. */
export const overOneServer: readonly Contestant[] = [tsmemcache, memcached, memjs, memcacheClient, memcache, raw, rawPromise];

/** Clients that spread keys over servers; memcache-client knows several only as copies of each other. */
export const overThreeServers: readonly Contestant[] = [cluster, memcached, memjs, memcache, raw, rawPromise];

/** What the layers of this package cost beside its `Client`. */
export const ourKinds: readonly Contestant[] = [
  tsmemcache,
  { name: 'PooledClient, 4 connections', role: 'ours', make: makePooled },
  { name: 'HashClient, 1 server', role: 'ours', make: makeHash },
  cluster,
  { name: 'HashClient of pools, 3 servers', role: 'ours', make: makePools },
  { name: 'RetryingClient', role: 'ours', make: makeRetrying },
  compressed,
  { name: 'RawSerde', role: 'ours', make: makeRawSerde },
];

export const withoutReplies: readonly Contestant[] = [
  tsmemcache,
  { name: 'noreply', role: 'ours', make: makeNoreply },
  { name: 'memcache-client, noreply', role: 'peer', make: makeMemcacheClientNoreply },
];

export const compressing: readonly Contestant[] = [tsmemcache, compressed];

/** Clients that write any value as it is, and give it back. */
export const withSerde: readonly Contestant[] = [tsmemcache, memcached, memcacheClient];

/** Clients that compress large values when told to. */
export const compressingPeers: readonly Contestant[] = [compressed, { name: 'memcache-client, compression', role: 'peer', make: makeMemcacheClientCompressing }];

/** Clients of one server that can write and delete. */
export const writing: readonly Contestant[] = [tsmemcache, memcached, memjs, memcacheClient, memcache];

/** Our other calls beside `get`. */
export const ourCalls: readonly Contestant[] = [tsmemcache, ...Object.entries(makeCalls).map(([name, make]): Contestant => ({ name, role: 'ours', make }))];

/** A cluster of many servers beside one, and what the sockets alone cost. */
export function manyServers(count: number): readonly Contestant[] {
  return [tsmemcache, { name: `HashClient, ${count} servers`, role: 'ours', make: makeCluster }, rawPromise];
}
