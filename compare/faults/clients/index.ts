import type { Contestant } from './adapter';
import { memcache, memcacheClient, memcached, memjs } from './peers';
import { tsmemcache } from './tsmemcache';

export const contestants: readonly Contestant[] = [tsmemcache, memcached, memjs, memcacheClient, memcache];
