import { spawnSync } from 'node:child_process';
import { memcachedBinary } from './memcached';

/** `describe`, skipped with its name shown where there is no memcached. */
export const describeWithMemcached = memcachedBinary() === undefined ? describe.skip : describe;

/** `describe`, skipped with its name shown where there is no openssl to make certificates with. */
export const describeWithOpenssl = spawnSync('openssl', ['version']).status === 0 ? describe : describe.skip;
