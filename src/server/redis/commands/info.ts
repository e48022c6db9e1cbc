import { memoryUsage, pid, version as nodeVersion } from 'node:process';
import type { RedisContext } from './context';
import { COMPATIBLE_REDIS_VERSION } from './version';

type Line = readonly [name: string, value: string | number];

const SECTIONS: ReadonlyMap<string, (context: RedisContext) => Line[]> = new Map<string, (context: RedisContext) => Line[]>([
  ['Server', server],
  ['Clients', clients],
  ['Memory', memory],
  ['Persistence', persistence],
  ['Stats', stats],
  ['Replication', replication],
  ['Keyspace', keyspace],
]);

const ALL = ['all', 'default', 'everything'];

/**
 * The text of `INFO`.
 *
 * @param wanted sections in lower case; empty for all
 */
export function infoText(context: RedisContext, wanted: readonly string[]): string {
  const all = wanted.length === 0 || wanted.some((name) => ALL.includes(name));
  const sections = Array.from(SECTIONS).filter(([name]) => all || wanted.includes(name.toLowerCase()));
  return sections
    .map(([name, lines]) => `# ${name}\r\n${lines(context).map((line) => `${line.join(':')}\r\n`).join('')}`)
    .join('\r\n');
}

function server(context: RedisContext): Line[] {
  const seconds = context.uptime;
  return [
    ['redis_version', COMPATIBLE_REDIS_VERSION],
    ['redis_mode', 'standalone'],
    ['server_name', 'tsmemcache'],
    ['node_version', nodeVersion],
    ['arch_bits', 64],
    ['process_id', pid],
    ['tcp_port', context.port],
    ['server_time_usec', Math.floor(context.store.clock.time() * 1000)],
    ['uptime_in_seconds', seconds],
    ['uptime_in_days', Math.floor(seconds / 86_400)],
  ];
}

function clients({ connections }: RedisContext): Line[] {
  return [
    ['connected_clients', connections.current],
    ['maxclients', connections.maxConnections],
    ['blocked_clients', 0],
  ];
}

function memory({ store }: RedisContext): Line[] {
  return [
    ['used_memory', store.usedBytes],
    ['used_memory_rss', memoryUsage.rss()],
    ['maxmemory', store.maxBytes],
    ['maxmemory_policy', store.evict ? 'allkeys-lru' : 'noeviction'],
  ];
}

function persistence({ saveControl, startedAt }: RedisContext): Line[] {
  return [
    ['loading', 0],
    ['rdb_changes_since_last_save', saveControl?.changes ?? 0],
    ['rdb_bgsave_in_progress', saveControl?.saving === true ? 1 : 0],
    ['rdb_last_save_time', saveControl?.lastSave ?? startedAt],
    ['aof_enabled', 0],
  ];
}

function stats({ store, connections, commands }: RedisContext): Line[] {
  const counters = store.stats;
  return [
    ['total_connections_received', connections.total],
    ['total_commands_processed', commands],
    ['total_net_input_bytes', connections.bytesRead],
    ['total_net_output_bytes', connections.bytesWritten],
    ['rejected_connections', connections.rejected],
    ['expired_keys', counters.reclaimed],
    ['evicted_keys', counters.evictions],
    ['keyspace_hits', counters.getHits],
    ['keyspace_misses', counters.getMisses],
  ];
}

function replication(): Line[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
  ];
}

function keyspace({ store }: RedisContext): Line[] {
  return store.size === 0 ? [] : [['db0', `keys=${store.size},expires=${store.expiring},avg_ttl=0`]];
}
