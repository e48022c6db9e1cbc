import { buildSync } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** A program of the tests with all that it imports in one file: node starts it in a tenth of the time that it takes with tsx. */
export class CompiledProgram {
  readonly file: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tsmemcache-program-'));

  /** @param entry - the path of the source */
  constructor(entry: string) {
    this.file = join(this.#folder, `${basename(entry, '.ts')}.js`);
    buildSync({ entryPoints: [entry], outfile: this.file, bundle: true, platform: 'node', target: 'node20', sourcemap: 'inline', logLevel: 'error' });
  }

  /** It may run on. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Runs a program made with `alone` (alone.ts) and returns what it returned. */
export async function runAlone<T>(entry: string, order: object = {}): Promise<T> {
  using program = new CompiledProgram(entry);
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program.file, JSON.stringify(order)], { timeout: 300_000, env: { ...process.env, NODE_OPTIONS: '' } });
  return JSON.parse(stdout) as T;
}
