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

type MakeCall = (client: Package.Client, site: Site) => (key: string) => Promise<unknown>;

/** A call of ours in the place of `get`. */
function inPlaceOfGet(makeCall: MakeCall, before: (client: Package.Client, site: Site) => Promise<unknown> = () => Promise.resolve()): MakeAdapter {
  return (site) => {
    const made = client(site);
    const adapter = adapt(made);
    const call = makeCall(made, site);
    let checked = false;
    return {
      ...adapter,
      // The first call only shows that the value is there.
      get: (key) => {
        if (checked) return call(key);
        checked = true;
        return before(made, site).then(() => adapter.get(key));
      },
    };
  };
}

/** Our other calls for one key, by name. */
const calls: Readonly<Record<string, MakeCall>> = {
  gets: (made) => (key) => made.gets(key),
  gat: (made) => (key) => made.gat(key, 1000),
  gats: (made) => (key) => made.gats(key, 1000),
  touch: (made) => (key) => made.touch(key, 1000),
  incr: (made) => () => made.incr('bench:count'),
  cas: (made) => (key) => made.cas(key, 'x', '1'),
  metaGet: (made) => (key) => made.metaGet(key),
  executeMeta: (made, site) => {
    const { MetaCommand } = load(site);
    return (key) => made.executeMeta(new MetaCommand('mg', key, ['v']));
  },
};

/** Makes each of {@link calls} often enough that the engine has seen them all: a process that uses one command only is faster. */
async function useAll(made: Package.Client, site: Site): Promise<void> {
  for (const makeCall of Object.values(calls)) {
    const call = makeCall(made, site);
    for (let round = 0; round < 200; round++) await Promise.all(Array.from({ length: 100 }, (_, i) => call(`bench:used:${i}`)));
  }
}

export const makeCalls: Readonly<Record<string, MakeAdapter>> = {
  ...Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, inPlaceOfGet(call)])),
  'get where all of these are used': inPlaceOfGet((made) => (key) => made.get(key), useAll),
};
