import type * as Package from '../../src';
import type { MakeAdapter } from './adapter';

/** What users get: the compiled package. */
function load(): typeof Package {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- the compiled package is not there when this file is type-checked
  return require('../../dist') as typeof Package;
}

function adapt(client: Package.Client): ReturnType<MakeAdapter> {
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: async (keys) => (await client.getMany(keys)).size,
    close: () => client.close(),
  };
}

const options = { timeout: 10_000 };

export const makeClient: MakeAdapter = (port) => adapt(new (load().Client)(['127.0.0.1', port], options));
export const makePooled: MakeAdapter = (port) => adapt(new (load().PooledClient)(['127.0.0.1', port], options));
export const makeHash: MakeAdapter = (port) => adapt(new (load().HashClient)([['127.0.0.1', port]], options));
export const makeRetrying: MakeAdapter = (port) =>
  adapt(new (load().RetryingClient)(new (load().Client)(['127.0.0.1', port], options)));
