import { spawnSync } from 'node:child_process';
import { isOlderThan, memcachedBinary, memcachedVersion } from './memcached';
import { ScriptedServer } from './scripted-server';

/** `describe`, skipped with its name shown where there is no memcached. */
export const describeWithMemcached = memcachedBinary() === undefined ? describe.skip : describe;

/** `describe`, skipped with its name shown where there is no openssl to make certificates with. */
export const describeWithOpenssl = spawnSync('openssl', ['version']).status === 0 ? describe : describe.skip;

/** `describe` over a real memcached, skipped by name and with the reason where there is none, or an older one. */
export function describeSince(version: string, name: string, tests: () => void): void {
  if (!isOlderThan(version)) describeWithMemcached(name, tests);
  else describe.skip(`${name} (needs memcached ${version}, this is ${memcachedVersion() ?? ''})`, tests);
}

/** A scripted server for each test, given to `take` before it. No connection of it may have met what its script did not expect. */
export function eachWithScriptedServer(take: (server: ScriptedServer) => void): void {
  let server: ScriptedServer;
  beforeEach(async () => {
    server = await ScriptedServer.start();
    take(server);
  });
  afterEach(async () => {
    await server.close();
    expect(server.failures).toEqual([]);
  });
}
