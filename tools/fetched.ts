import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CACHE = resolve(__dirname, '../node_modules/.cache/fetched');

/** Packages that were fetched, or why they could not be. */
export type Fetched = { readonly folder: string; readonly reason?: undefined } | { readonly folder?: undefined; readonly reason: string };

/**
 * Packages that only a few tests need, and that are not in the lock file: other run-times, other versions of the
 * compiler, bundlers. They are installed once, below node_modules, in a folder for each set; no script of theirs runs.
 *
 * @param packages - `name@version`
 */
export function fetchPackages(...packages: readonly string[]): Fetched {
  const folder = join(CACHE, packages.map((name) => name.replace(/[^\w.-]+/g, '_')).join('+'));
  if (existsSync(folder)) return { folder };
  mkdirSync(CACHE, { recursive: true });
  const unfinished = mkdtempSync(join(CACHE, 'unfinished-'));
  try {
    writeFileSync(join(unfinished, 'package.json'), '{ "private": true }');
    const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error', ...packages];
    execFileSync('npm', args, { cwd: unfinished, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: 180_000, env: { ...process.env, NODE_OPTIONS: '' } });
    // Whoever is second finds the same there.
    if (!existsSync(folder)) renameSync(unfinished, folder);
    return { folder };
  } catch (error) {
    const [line = ''] = /npm error (?!code)(.*)/.exec(String((error as { stderr?: unknown }).stderr))?.slice(1) ?? [String(error)];
    return { reason: `${packages.join(', ')} could not be fetched: ${line}` };
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}
