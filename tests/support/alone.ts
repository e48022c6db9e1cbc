/** Programs that run in a process of their own, where memory can be measured: in a process of tests too much else lives. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs a program made with {@link alone} and returns what it returned. */
export async function runAlone<T>(program: string, order: object = {}): Promise<T> {
  const { stdout } = await run(process.execPath, ['--expose-gc', '--import', 'tsx', program, JSON.stringify(order)], { timeout: 300_000 });
  return JSON.parse(stdout) as T;
}

/** Makes of `main` the program that {@link runAlone} runs. */
export function alone(main: (order: never) => Promise<object>): void {
  void main(JSON.parse(process.argv[2] ?? '{}') as never).then((result) => {
    process.stdout.write(JSON.stringify(result));
  });
}

/** The bytes in use when what is garbage has been collected. */
export async function usedMemory(): Promise<{ heap: number; buffers: number }> {
  if (gc === undefined) throw new Error('node must be started with --expose-gc');
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: external + arrayBuffers };
}

/** The sockets and timers that are there. */
export function activeResources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Pipe(?!Wrap)|Timeout/.test(name)).length;
}
