import { Client, FallbackClient, HashClient, PooledClient, RetryingClient } from '../../src';
import { describeContract, type ContractTraits, type Subject } from './contract';
import type { TestServer } from './servers';

/** A kind of client, over as many servers as it is to have. */
export interface Kind {
  readonly name: string;
  readonly servers: number;
  readonly client: (addresses: readonly string[]) => Subject['client'];
  readonly traits?: ContractTraits;
}

/** Every class, alone and one over another. */
export const KINDS: readonly Kind[] = [
  { name: 'Client', servers: 1, client: ([server]) => (options) => new Client(server, options) },
  {
    name: 'PooledClient',
    servers: 1,
    client: ([server]) => (options) => new PooledClient(server, { maxPoolSize: 3, ...options }),
    traits: { seesNoreply: false },
  },
  { name: 'RetryingClient', servers: 1, client: ([server]) => (options) => new RetryingClient(new Client(server, options)) },
  {
    name: 'RetryingClient over a pool',
    servers: 1,
    client: ([server]) => (options) => new RetryingClient(new PooledClient(server, { maxPoolSize: 3, ...options })),
    traits: { seesNoreply: false },
  },
  { name: 'RetryingClient over a cluster', servers: 3, client: (servers) => (options) => new RetryingClient(new HashClient([...servers], options)), traits: { servers: 3 } },
  { name: 'HashClient', servers: 3, client: (servers) => (options) => new HashClient([...servers], options), traits: { servers: 3 } },
  {
    name: 'HashClient of pools',
    servers: 3,
    client: (servers) => (options) => new HashClient([...servers], { usePooling: true, ...options }),
    traits: { servers: 3, seesNoreply: false },
  },
  {
    name: 'FallbackClient of clusters, retried',
    servers: 4,
    client: ([a = '', b = '', c = '', d = '']) => (options) => {
      const clusters = [new HashClient([a, b], options), new HashClient([c, d], options)];
      return new RetryingClient(new FallbackClient(clusters, { copyHits: true }));
    },
    traits: { servers: 2 },
  },
  {
    name: 'FallbackClient, behind whose first cache there is an empty one',
    servers: 2,
    client: ([first, second]) => (options) => new FallbackClient([new Client(first, options), new Client(second, options)]),
  },
];

/** The kinds that run over a real memcached in `npm test`; the others do in `npm run test:long`, and all over the embedded server. */
export const QUICK_KINDS = ['Client', 'PooledClient', 'HashClient of pools'];

/** Holds these kinds to the contract. @param version - of the servers, where they may be old */
export function describeKinds(kinds: readonly Kind[], start: () => Promise<TestServer>, version?: string): void {
  for (const { name, servers: count, client, traits } of kinds) {
    const subject = async (): Promise<Subject> => {
      const servers = await Promise.all(Array.from({ length: count }, start));
      return {
        client: client(servers.map(({ address }) => address)),
        stop: async () => {
          await Promise.all(servers.map((server) => server.stop()));
        },
      };
    };
    describeContract(name, subject, { ...traits, version });
  }
}
