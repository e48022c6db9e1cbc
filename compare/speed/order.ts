import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Site } from './clients/adapter';

/** The build that is measured unless another is named. */
export const BUILD = resolve(__dirname, '../../dist');

/** How much longer than the measured part a client warms up: after less, V8 is still compiling what has more code than a bare socket. */
export const WARM_UP = 1.25;

/** What one process is told to do. */
export interface Order extends Site {
  readonly client: string;
  readonly row: string;
  readonly milliseconds: number;
  /** Where to write a CPU profile of the measured part. */
  readonly profile?: string | undefined;
}

/** What one round measured. */
export interface Measurement {
  readonly calls: number;
  /** User and system time of the process per call, in microseconds. */
  readonly cpu: number;
  /** Calls per second. */
  readonly rate: number;
  /** Latencies in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const run = promisify(execFile);

/** Runs `compare/speed/NAME.ts` in a process of its own and gives the JSON it prints. */
export async function inProcess<R>(name: string, order: object, flags: readonly string[] = []): Promise<R> {
  const args = [...flags, '--import', 'tsx', join(__dirname, `${name}.ts`), JSON.stringify(order)];
  const { stdout } = await run(process.execPath, args, { timeout: 120_000 });
  return JSON.parse(stdout) as R;
}

/** Ends the process with what `work` gives as JSON, or with its failure: some clients have no way to end. */
export function answer(work: (order: never) => Promise<object>): void {
  work(JSON.parse(process.argv[2] ?? '{}') as never).then(
    (result) => process.stdout.write(JSON.stringify(result), () => process.exit(0)),
    (error: unknown) => process.stderr.write(String(error), () => process.exit(1)),
  );
}
