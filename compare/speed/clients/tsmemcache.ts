import type * as Package from '../../../src';
import { addressesOf, type Adapter, type MakeAdapter, type Site } from './adapter';

type Options = Package.ClientOptions;

/** What users get: the compiled package. */
export function load({ build }: Site): typeof Package {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- which build it is, is said on the command line
  return require(build) as typeof Package;
}

function adapt<Out, In>(client: Package.Client<Out, In | string>): Adapter {
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    getMany: async (keys) => (await client.getMany(keys)).size,
    close: () => client.close(),
  };
}

const options: Options = { timeout: 10_000 };

function client(site: Site, more: Options = {}): Package.Client {
  return new (load(site).Client)(addressesOf(site)[0], { ...options, ...more });
}

export const makeClient: MakeAdapter = (site) => adapt(client(site));
export const makeNoreply: MakeAdapter = (site) => adapt(client(site, { defaultNoreply: true }));
export const makePooled: MakeAdapter = (site) => adapt(new (load(site).PooledClient)(addressesOf(site)[0], { ...options, maxPoolSize: 4 }));
export const makeHash: MakeAdapter = (site) => adapt(new (load(site).HashClient)(addressesOf(site).slice(0, 1), options));
export const makeCluster: MakeAdapter = (site) => adapt(new (load(site).HashClient)(addressesOf(site), options));
export const makeRetrying: MakeAdapter = (site) => adapt(new (load(site).RetryingClient)(client(site)));
export const makeCompressed: MakeAdapter = (site) => {
  const { CompressedSerde, TypedSerde } = load(site);
  return adapt(client(site, { serde: new CompressedSerde(new TypedSerde()) }));
};
export const makeRawSerde: MakeAdapter = (site) => {
  const { Client, RawSerde } = load(site);
  return adapt(new Client(addressesOf(site)[0], { timeout: 10_000, serde: new RawSerde() }));
};
