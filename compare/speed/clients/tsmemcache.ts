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
    set: (key, value) => client.set(key, value as In),
    delete: (key) => client.delete(key),
    getMany: async (keys) => (await client.getMany(keys)).size,
    setMany: (keys, value) => client.setMany(keys.map((key) => [key, value as In])),
    deleteMany: (keys) => client.deleteMany(keys),
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
export const makePools: MakeAdapter = (site) => adapt(new (load(site).HashClient)(addressesOf(site), { ...options, usePooling: true }));

/** A call of ours in the place of `get`. */
function inPlaceOfGet(call: (client: Package.Client, key: string, site: Site) => Promise<unknown>): MakeAdapter {
  return (site) => {
    const made = client(site);
    const adapter = adapt(made);
    let checked = false;
    return {
      ...adapter,
      // The first call only shows that the value is there.
      get: (key) => {
        if (checked) return call(made, key, site);
        checked = true;
        return adapter.get(key);
      },
    };
  };
}

/** Our other calls for one key, by name. */
export const makeCalls: Readonly<Record<string, MakeAdapter>> = {
  gets: inPlaceOfGet((made, key) => made.gets(key)),
  gat: inPlaceOfGet((made, key) => made.gat(key, 1000)),
  gats: inPlaceOfGet((made, key) => made.gats(key, 1000)),
  touch: inPlaceOfGet((made, key) => made.touch(key, 1000)),
  incr: inPlaceOfGet((made) => made.incr('bench:count')),
  cas: inPlaceOfGet((made, key) => made.cas(key, 'x', '1')),
  metaGet: inPlaceOfGet((made, key) => made.metaGet(key)),
  executeMeta: inPlaceOfGet((made, key, site) => made.executeMeta(new (load(site).MetaCommand)('mg', key, ['v']))),
};
