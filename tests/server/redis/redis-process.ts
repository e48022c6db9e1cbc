import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort } from '../../support/memcached';

/** A real Redis, run for tests. */
export interface RedisProcess {
  readonly port: number;
  readonly version: string;
  stop(): Promise<void>;
}

/** redis-check-rdb is the same program: Debian's redis-tools bring it along without the server. */
const PROGRAMS = [process.env['REDIS_BIN'] ?? 'redis-server', 'redis-check-rdb'];

/** The Redis to compare with, and its version; undefined when there is none. */
export function redisBinary(): { readonly program: string; readonly version: string } | undefined {
  for (const program of PROGRAMS) {
    // There is no output when there is no such program.
    const { stdout } = spawnSync(program, ['--version'], { argv0: 'redis-server' });
    const version = /Redis server v=(\S+)/.exec(String(stdout))?.[1];
    if (version !== undefined) return { program, version };
  }
  return undefined;
}

/** Whether there is a redis-cli. */
export function hasRedisCli(): boolean {
  return spawnSync('redis-cli', ['--version']).status === 0;
}

/** Starts a Redis that saves nothing on a free port of 127.0.0.1; it ends with `stop`, or with this process. */
export async function startRedis(password = ''): Promise<RedisProcess> {
  const redis = redisBinary();
  if (redis === undefined) throw new Error('redis-server is needed: install it, or set REDIS_BIN');
  const port = await freePort();
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--requirepass', password];
  const child = spawn(redis.program, options, { argv0: 'redis-server', stdio: 'ignore' });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const exited = once(child, 'exit');
  while (!(await accepts(port))) if (child.exitCode !== null) throw new Error('redis-server does not start');
  return {
    port,
    version: redis.version,
    async stop() {
      process.removeListener('exit', kill);
      kill();
      await exited;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .once('error', () => {
        resolve(false);
      });
  });
}
