import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { endWithUs } from './child-processes';

/** A real memcached, run for tests. */
export interface MemcachedProcess {
  readonly port: number;
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The memcached to test against: `MEMCACHED_BIN`, or the one on the PATH; undefined when there is none. */
export function memcachedBinary(): string | undefined {
  const binary = process.env['MEMCACHED_BIN'] ?? 'memcached';
  return saidBy(binary) === undefined ? undefined : binary;
}

const said = new Map<string, string | undefined>();

/** What `-V` makes it say, asked once: to start a process takes tens of milliseconds. Undefined where there is no such program. */
function saidBy(binary: string): string | undefined {
  if (!said.has(binary)) {
    const { status, stdout } = spawnSync(binary, ['-V'], { encoding: 'utf8' });
    said.set(binary, status === 0 ? stdout : undefined);
  }
  return said.get(binary);
}

/** Its version, for example `1.6.18`. */
export function memcachedVersion(): string | undefined {
  const binary = memcachedBinary();
  return binary === undefined ? undefined : /\d+\.\d+\.\d+/.exec(saidBy(binary) ?? '')?.[0];
}

/** Whether the memcached to test against is older than `version`. */
export function isOlderThan(version: string): boolean {
  return memcachedVersion()?.localeCompare(version, 'en', { numeric: true }) === -1;
}

/** Starts a memcached on 127.0.0.1, on a free port by default; it ends with `stop`, or with this process. */
export async function startMemcached(args: string[] = [], port?: number, binary = memcachedBinary()): Promise<MemcachedProcess> {
  if (binary === undefined) throw new Error('memcached is needed: install it, or set MEMCACHED_BIN');
  for (let attempt = 0; ; attempt++) {
    const started = await tryToStart(binary, args, port ?? (await freePort()));
    if (started !== undefined) return started;
    if (attempt === 5) throw new Error(`${binary} ${args.join(' ')} does not start`);
  }
}

/** Undefined when it ended at once, which it does when another process was faster to take the port. */
async function tryToStart(binary: string, args: string[], port: number): Promise<MemcachedProcess | undefined> {
  const asUser = userInfo().uid === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(binary, ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...asUser, ...args], { stdio: 'ignore' });
  const stop = endWithUs(child);
  await once(child, 'spawn');
  while (!(await accepts(port))) if (child.exitCode !== null) return undefined;
  // The server of somebody else may have taken the port, and this one is about to end.
  const pid = await pidAt(port);
  if (pid !== undefined && pid !== child.pid) return undefined;
  return { port, address: `127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

/**
 * Ports that no system hands out by itself, a part of them for each process of a test run: what was free a moment ago is not taken
 * by a server on port 0, or by a connection, before it is used.
 */
const PORTS_PER_WORKER = 1000;
const firstPort = 12_000 + (Number(process.env['JEST_WORKER_ID'] ?? 0) % 20) * PORTS_PER_WORKER;
let nextPort = Math.floor(Math.random() * PORTS_PER_WORKER);

/** A port of 127.0.0.1 at which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + (nextPort++ % PORTS_PER_WORKER);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('listening', () => { resolve(true); });
      server.once('error', () => { resolve(false); });
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Whether somebody listens there; false after a moment. */
export function accepts(port: number): Promise<boolean> {
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

/** The process of the memcached that listens there; undefined when it does not say, as with TLS or log-ins. */
function pidAt(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('stats\r\n'));
    const end = (): void => {
      socket.destroy();
      const pid = /^STAT pid (\d+)\r\n/m.exec(answer)?.[1];
      resolve(pid === undefined ? undefined : Number(pid));
    };
    socket.setTimeout(2000, end);
    socket.on('error', end).on('close', end).on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (/^(?:STAT pid \d+\r\n|CLIENT_ERROR|ERROR)/m.test(answer)) end();
    });
  });
}
