import { Client, FallbackClient, HashClient, PooledClient, RetryingClient } from '../../src';
import { EmbeddedClient, MemoryStore } from '../../src/embedded';
import { describeContract, type Subject } from '../support/contract';
import { memcachedVersion } from '../support/memcached';
import { startEmbedded, startReal, type TestServer } from '../support/servers';
import { describeWithMemcached } from '../support/describe';

/** One kind of client over as many servers as it is to have. */
function subject(start: () => Promise<TestServer>, count: number, client: (addresses: string[]) => Subject['client']): () => Promise<Subject> {
  return async () => {
    const servers = await Promise.all(Array.from({ length: count }, start));
    return {
      client: client(servers.map(({ address }) => address)),
      stop: async () => {
        await Promise.all(servers.map((server) => server.stop()));
      },
    };
  };
}

function describeClasses(start: () => Promise<TestServer>, version?: string): void {
  describeContract('Client', subject(start, 1, ([server]) => (options) => new Client(server, options)), { version });
  describeContract(
    'PooledClient',
    subject(start, 1, ([server]) => (options) => new PooledClient(server, { maxPoolSize: 3, ...options })),
    { seesNoreply: false, version },
  );
  describeContract('RetryingClient', subject(start, 1, ([server]) => (options) => new RetryingClient(new Client(server, options))), { version });
  describeContract(
    'RetryingClient over a pool',
    subject(start, 1, ([server]) => (options) => new RetryingClient(new PooledClient(server, { maxPoolSize: 3, ...options }))),
    { seesNoreply: false, version },
  );
  describeContract(
    'RetryingClient over a cluster',
    subject(start, 3, (servers) => (options) => new RetryingClient(new HashClient(servers, options))),
    { servers: 3, version },
  );
  describeContract('HashClient', subject(start, 3, (servers) => (options) => new HashClient(servers, options)), { servers: 3, version });
  describeContract(
    'HashClient of pools',
    subject(start, 3, (servers) => (options) => new HashClient(servers, { usePooling: true, ...options })),
    { servers: 3, seesNoreply: false, version },
  );
  describeContract(
    'FallbackClient of clusters, retried',
    subject(start, 4, ([a, b, c, d]) => (options) => {
      const clusters = [new HashClient([a ?? '', b ?? ''], options), new HashClient([c ?? '', d ?? ''], options)];
      return new RetryingClient(new FallbackClient(clusters, { copyHits: true }));
    }),
    { servers: 2, version },
  );
  describeContract(
    'FallbackClient, behind whose first cache there is an empty one',
    subject(start, 2, ([first, second]) => (options) => new FallbackClient([new Client(first, options), new Client(second, options)])),
    { version },
  );
}

describe('over the embedded server', () => {
  describeClasses(startEmbedded);
});

describeWithMemcached('over a real memcached', () => {
  describeClasses(startReal, memcachedVersion());
});

describe('without a server', () => {
  describeContract('EmbeddedClient', () => {
    const store = new MemoryStore();
    return Promise.resolve({
      client: (options) => new EmbeddedClient(store, options),
      stop: () => {
        store.close();
        return Promise.resolve();
      },
    });
  });
});
