import { spawnSync } from 'node:child_process';
import { isOlderThan, memcachedBinary, memcachedVersion } from './memcached';

/** `describe`, skipped with its name shown where there is no memcached. */
export const describeWithMemcached = memcachedBinary() === undefined ? describe.skip : describe;

/** `describe`, skipped with its name shown where there is no openssl to make certificates with. */
export const describeWithOpenssl = spawnSync('openssl', ['version']).status === 0 ? describe : describe.skip;

/** `describe` over a real memcached, skipped by name and with the reason where there is none, or an older one. */
export function describeSince(version: string, name: string, tests: () => void): void {
  if (!isOlderThan(version)) describeWithMemcached(name, tests);
  else describe.skip(`${name} (needs memcached ${version}, this is ${memcachedVersion() ?? ''})`, tests);
}
