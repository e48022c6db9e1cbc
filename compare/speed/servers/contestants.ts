import { spawn } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** A server of the comparison. */
export interface Contestant {
  readonly name: string;
  /** `yardstick`: what the others of its protocol are compared with. `ceiling`: what Node can do at best. */
  readonly role: 'ours' | 'yardstick' | 'peer' | 'ceiling';
  readonly protocol: 'memcached' | 'redis';
  /** Whether it understands several requests in one packet. */
  readonly pipelines: boolean;
  readonly command: (port: number, otherPort: number) => readonly [string, ...string[]];
}

const CLI = join(__dirname, '..', '..', '..', 'dist', 'cli', 'main.js');
const memory = ['-m', '512'];

export const contestants: readonly Contestant[] = [
  {
    name: 'memcached -t 1',
    role: 'yardstick',
    protocol: 'memcached',
    pipelines: true,
    command: (port) => {
      const asUser = userInfo().uid === 0 ? ['-u', 'nobody'] : [];
      return [process.env['MEMCACHED_BIN'] ?? 'memcached', '-l', '127.0.0.1', '-p', String(port), '-t', '1', ...memory, ...asUser];
    },
  },
  {
    name: 'tsmemcache serve',
    role: 'ours',
    protocol: 'memcached',
    pipelines: true,
    command: (port) => [process.execPath, CLI, 'serve', '-p', String(port), ...memory],
  },
  {
    name: 'bare node:net',
    role: 'ceiling',
    protocol: 'memcached',
    pipelines: false,
    command: (port) => [process.execPath, join(__dirname, 'bare.js'), String(port)],
  },
  {
    name: 'redis-server',
    role: 'yardstick',
    protocol: 'redis',
    pipelines: true,
    command: (port) => [process.env['REDIS_BIN'] ?? 'redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
  },
  {
    name: 'tsmemcache serve --redis-port',
    role: 'ours',
    protocol: 'redis',
    pipelines: true,
    command: (port, other) => [process.execPath, CLI, 'serve', '-p', String(other), '--redis-port', String(port), ...memory],
  },
  {
    // It takes each packet for one request, and keeps a cache for each connection. Nothing is installed for it: npx fetches it, or it does not take part.
    name: 'nodecached 0.2.0',
    role: 'peer',
    protocol: 'memcached',
    pipelines: false,
    command: (port) => ['npx', '--yes', 'nodecached@0.2.0', '-p', String(port)],
  },
];

/** A server that runs. */
export interface Running {
  readonly port: number;
  /** The group of its processes. */
  readonly group: number;
  stop(): void;
}

/** Starts a server; `undefined` when it cannot be had. */
export async function start(contestant: Contestant): Promise<Running | undefined> {
  const [port, other] = [await freePort(), await freePort()];
  const [file, ...args] = contestant.command(port, other);
  // A group of its own, as npx starts others.
  const child = spawn(file, args, { stdio: 'ignore', detached: true });
  let gone = false;
  child.once('error', () => (gone = true));
  child.once('exit', () => (gone = true));
  const stop = (): void => {
    if (child.pid !== undefined && !gone) process.kill(-child.pid);
  };
  if (await answers(port, () => gone)) return { port, group: child.pid ?? 0, stop };
  stop();
  return undefined;
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

async function answers(port: number, gone: () => boolean): Promise<boolean> {
  for (let attempt = 0; attempt < 1000 && !gone(); attempt++) {
    if (await accepts(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
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
