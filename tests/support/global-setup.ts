import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';

function hasMemcached(): boolean {
  return spawnSync(process.env['MEMCACHED_BIN'] ?? 'memcached', ['-V']).status === 0;
}

/**
 * The tests run over the embedded server and over a real memcached. One that is missing is installed where that is
 * possible without asking; elsewhere those tests are skipped, except with CI=true.
 */
export default function setup(): void {
  if (hasMemcached()) return;
  if (userInfo().uid === 0 && existsSync('/usr/bin/apt-get')) {
    console.log('\nmemcached is missing; installing it with apt-get');
    spawnSync('apt-get', ['update'], { stdio: 'ignore' });
    spawnSync('apt-get', ['install', '-y', 'memcached'], { stdio: 'inherit' });
    if (hasMemcached()) return;
  }
  const message =
    'memcached was not found, so the tests over a real server cannot run. Install it (apt-get install memcached, ' +
    'brew install memcached), or set MEMCACHED_BIN to its path.';
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`\n${message}\n`);
}
