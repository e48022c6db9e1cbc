import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { MemcachedServerOptions } from '../../src/server';
import { CompiledProgram } from './program';

/** A memcached server of ours in a process of its own, so that what it takes is not mixed with what a test takes. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  static async start(options: MemcachedServerOptions): Promise<ServerProcess> {
    using program = new CompiledProgram(join(__dirname, 'server-child.ts'));
    const child = fork(program.file, [JSON.stringify(options)], {
      execArgv: ['--expose-gc'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const [port] = (await once(child, 'message')) as [number];
    return new ServerProcess(child, port);
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** What it takes after a collection of garbage, in bytes. */
  async memory(): Promise<NodeJS.MemoryUsage> {
    this.#child.send('memory');
    const [usage] = (await once(this.#child, 'message')) as [NodeJS.MemoryUsage];
    return usage;
  }

  async stop(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
