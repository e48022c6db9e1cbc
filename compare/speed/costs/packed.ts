import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { Cost } from './cost';

const ROOT = resolve(__dirname, '../../..');

function npm(...args: string[]): string {
  return execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** What is downloaded. */
export function packageCosts(): Cost[] {
  const [packed] = JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts')) as [{ size: number; unpackedSize: number; entryCount: number }];
  return [
    { section: 'package', name: 'packed', value: packed.size / 1000, unit: 'kB' },
    { section: 'package', name: 'unpacked', value: packed.unpackedSize / 1000, unit: 'kB' },
    { section: 'package', name: 'files', value: packed.entryCount, unit: '' },
  ];
}

/** What is installed with the package, without the machine's path. */
export function dependencyTree(): string {
  return npm('ls', '--omit=dev', '--all').replace(/ \/\S+| [A-Z]:\\\S+/, '').trim();
}
