import { MemcachedServer } from '../../src/server';
import { startMemcached } from './memcached';

/** A server to test against, whichever. */
export interface TestServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** The server of this package, in this process. */
export async function startEmbedded(): Promise<TestServer> {
  const server = await MemcachedServer.start();
  return { address: server.address, stop: () => server.close() };
}

/** A real memcached, in a process of its own. */
export async function startReal(): Promise<TestServer> {
  return startMemcached();
}
