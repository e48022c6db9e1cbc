import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import type * as Server from '../../../src/server';

const ROOT = join(__dirname, '../../..');

/** What runs as a process of its own: nothing from around it, only what it is given. */
export type Program<A extends unknown[]> = (server: typeof Server, say: (line: string) => void, ...args: A) => unknown;

/** Compiles the package into `folder`, so that many processes of it start quickly. */
export function compile(folder: string): void {
  const tsc = require.resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder, '--noCheck']);
}

/** The arguments of node that run `program` with the server that was compiled into `folder`. What it says is written at once. */
export function argumentsFor<A extends unknown[]>(folder: string, program: Program<A>, ...args: A): string[] {
  const server = `require(${JSON.stringify(join(folder, 'server/index.js'))})`;
  const say = '(line) => require("node:fs").writeSync(1, `${line}\\n`)';
  const values = args.map((value) => JSON.stringify(value));
  return ['-e', `(${program.toString()})(${[server, say, ...values].join(', ')})`];
}

export function start<A extends unknown[]>(folder: string, program: Program<A>, ...args: A): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, argumentsFor(folder, program, ...args));
}
