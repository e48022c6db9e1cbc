import { spawn, type ChildProcess } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';

/** A real memcached with one thread, for the time of a benchmark. */
export async function startMemcached(): Promise<{ port: number; stop(): void }> {
  const port = await freePort();
  const binary = process.env['MEMCACHED_BIN'] ?? 'memcached';
  const asUser = userInfo().uid === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(binary, ['-l', '127.0.0.1', '-p', String(port), '-t', '1', '-m', '512', '-I', '2m', ...asUser], { stdio: 'ignore' });
  await answers(child, port);
  return { port, stop: () => child.kill() };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  for (let attempt = 0; attempt < 100; attempt++) {
    if (failure !== undefined) throw new Error('memcached is needed for benchmarks: install it, or set MEMCACHED_BIN', { cause: failure });
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('memcached does not answer');
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
