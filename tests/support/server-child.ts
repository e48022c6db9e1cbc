/** A memcached server as a process of its own; its one argument is the options. It says where it listens, and on demand what it takes. */
import { MemcachedServer, type MemcachedServerOptions } from '../../src/server';

async function main(): Promise<void> {
  const server = await MemcachedServer.start(JSON.parse(process.argv[2] ?? '{}') as MemcachedServerOptions);
  process.on('message', () => {
    global.gc?.();
    process.send?.(process.memoryUsage());
  });
  // Who has started it may be gone.
  process.on('disconnect', () => process.exit());
  process.send?.(server.port);
}

void main();
