import type { Context } from './context';

/** What a server has counted since its start, and what it holds now: a snapshot. */
export interface EmbeddedMetrics {
  /** Where it listens. */
  readonly server: string;
  readonly protocol: 'memcached' | 'redis';
  /** Seconds since the start. */
  readonly uptime: number;
  /** Open now, the most allowed, made since the start, and refused because too many were open. */
  readonly connections: { readonly open: number; readonly max: number; readonly total: number; readonly rejected: number };
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /**
   * How often each command was executed, by its name; `unknown` for those that do not exist. One that was refused before (log-in,
   * arguments) does not count; one of a transaction counts when EXEC executes it.
   */
  readonly commands: Readonly<Record<string, number>>;
  /** Attempts to authenticate, and how many of them failed. */
  readonly authentications: { readonly total: number; readonly failed: number };
  /** The metrics of the store, the same for all servers on one store. A client's `stats reset` sets what they have counted to 0. */
  readonly store: {
    readonly items: number;
    /** The bytes that count towards the limit. */
    readonly bytes: number;
    /** The limit, in bytes. */
    readonly maxBytes: number;
    readonly hits: number;
    readonly misses: number;
    /** Items removed to make room. */
    readonly evictions: number;
    /** Items removed because they had expired, or were flushed. */
    readonly expired: number;
  };
}

/** @param names of the commands, by their index in the counts */
export function metricsOf(context: Context, names: readonly string[]): EmbeddedMetrics {
  const { store, connections } = context;
  const { stats } = store;
  const commands: Record<string, number> = {};
  for (const [index, name] of names.entries()) {
    const count = context.executed(index);
    if (count > 0) commands[name] = count;
  }
  return {
    server: context.address,
    protocol: context.protocol,
    uptime: context.uptime,
    connections: {
      open: connections.current,
      max: connections.maxConnections,
      total: connections.total,
      rejected: connections.rejected,
    },
    bytesRead: connections.bytesRead,
    bytesWritten: connections.bytesWritten,
    commands,
    authentications: { total: context.authCommands, failed: context.authErrors },
    store: {
      items: store.size,
      bytes: store.usedBytes,
      maxBytes: store.maxBytes,
      hits: stats.getHits,
      misses: stats.getMisses,
      evictions: stats.evictions,
      expired: stats.reclaimed,
    },
  };
}
