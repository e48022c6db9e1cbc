import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/** A real memcached, run for tests. */
export interface MemcachedProcess {
  readonly port: number;
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts the memcached named by `MEMCACHED_BIN`, or the one on the PATH, on a free port of 127.0.0.1. */
export async function startMemcached(args: string[] = []): Promise<MemcachedProcess> {
  const port = await freePort();
  const child = spawn(
    process.env['MEMCACHED_BIN'] ?? 'memcached',
    ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-u', 'nobody', ...args],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`memcached ended with ${child.exitCode}`);
  }
  return {
    port,
    address: `127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      setTimeout(resolve, 10, false);
    });
  });
}
