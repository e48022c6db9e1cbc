import { startMemcached as start } from '../../tests/support/memcached';

/** A real memcached for the time of a benchmark, with one thread unless said otherwise. */
export async function startMemcached(threads = 1): Promise<{ port: number; stop(): void }> {
  const server = await start(['-t', String(threads), '-m', '512', '-I', '2m']);
  return { port: server.port, stop: () => void server.stop() };
}

/** The same `count` times, for the time of `use`. */
export async function withServers<R>(count: number, use: (ports: readonly number[]) => Promise<R>): Promise<R> {
  const servers = await Promise.all(Array.from({ length: count }, () => startMemcached()));
  try {
    return await use(servers.map(({ port }) => port));
  } finally {
    for (const server of servers) server.stop();
  }
}
