import { Client, HashClient, PooledClient, RetryingClient, type ClientOptions } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { freePort, memcachedBinary } from '../support/memcached';
import { startEmbedded, startReal } from '../support/servers';

type Options = Pick<ClientOptions, 'clock' | 'defaultNoreply' | 'keyPrefix' | 'maxValueSize' | 'ignoreErrors'>;

/** A way to make clients of one cache. */
export interface Cache {
  /** One more client of the same cache. */
  client(options?: Options): Client;
  stop(): Promise<void>;
}

const classes: readonly (readonly [name: string, make: (address: string, options?: Options) => Client])[] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
];

/** Every class of client over every server that there is. */
export const caches: readonly (readonly [name: string, start: () => Promise<Cache>])[] = [
  ...[['the embedded server', startEmbedded] as const, ...(memcachedBinary() === undefined ? [] : [['memcached', startReal] as const])].flatMap(([server, start]) =>
    classes.map(([name, make]) => [`${name} over ${server}`, () => overServer(start, make)] as const),
  ),
  ['EmbeddedClient', overStore],
];

/** Tests over every one of {@link caches}. What they are given makes clients, in a test and not before. */
export function describeOverCaches(name: string, tests: (cache: Pick<Cache, 'client'>) => void): void {
  describe.each(caches)(`${name} with %s`, (_, start) => {
    let cache: Cache;
    beforeAll(async () => {
      cache = await start();
    });
    afterAll(() => cache.stop());

    tests({ client: (options) => cache.client(options) });
  });
}

async function overServer(start: typeof startReal, make: (address: string, options?: Options) => Client): Promise<Cache> {
  const server = await start();
  const made: Client[] = [];
  return {
    client(options) {
      const client = make(server.address, options);
      made.push(client);
      return client;
    },
    async stop() {
      await Promise.all(made.map((client) => client.close()));
      await server.stop();
    },
  };
}

function overStore(): Promise<Cache> {
  const { store } = new EmbeddedClient();
  return Promise.resolve({ client: (options) => new EmbeddedClient(store, options), stop: () => Promise.resolve() });
}

/** A client whose server is not there. */
export async function deadClient(): Promise<Client> {
  return new Client(`127.0.0.1:${await freePort()}`);
}
