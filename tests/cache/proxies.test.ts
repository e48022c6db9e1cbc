import { Client } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { memcachedBinary, startMemcached } from '../support/memcached';
import { memcachedProxyBinary, startMemcachedProxy, startTwemproxy, twemproxyBinary, type StartProxy } from '../support/proxies';

/** Both tell the version of the server behind them; twemproxy closes the connection when it is sent a meta command. */
const proxies: readonly (readonly [name: string, binary: string | undefined, start: StartProxy])[] = [
  ['twemproxy', twemproxyBinary(), (backends) => startTwemproxy(backends, 5000)],
  ['memcached’s own proxy', memcachedProxyBinary(), startMemcachedProxy],
];

it.each(proxies.filter(([, binary]) => binary !== undefined && memcachedBinary() !== undefined))('a cache behind %s', async (name, binary, start) => {
  const server = await startMemcached([], undefined, name === 'twemproxy' ? memcachedBinary() : binary);
  const proxy = await start([server.address]);
  try {
    await judge(proxy.address);
  } finally {
    await proxy.stop();
    await server.stop();
  }
});

async function judge(address: string): Promise<void> {
  const clients: Client[] = [];
  const cache = (options = {}): ReadThroughCache => {
    const client = new Client(address, { proxy: true, timeout: 5000 });
    clients.push(client);
    return new ReadThroughCache(client, { cacheTimeout: 5000, tagMaxAge: 0, ...options });
  };
  const load = jest.fn(() => 'loaded');
  const [one, two] = [cache(), cache()];
  expect(await Promise.all([one.get('k', load), one.get('k', load), two.get('k', load)])).toEqual(['loaded', 'loaded', 'loaded']);
  await one.close();
  expect(await two.peek('k')).toBe('loaded');
  expect(load).toHaveBeenCalledTimes(1);
  expect([await two.delete('k'), await one.peek('k'), await one.set('k', 'set'), await two.get('k', load)]).toEqual([true, undefined, true, 'set']);
  const [tagged, others] = [1, 2].map(() => cache({ namespace: 'n', tags: ['t'] }));
  await tagged!.get('k', load);
  await tagged!.close();
  expect(await others!.get('k', load)).toBe('loaded');
  expect(load).toHaveBeenCalledTimes(2);
  await others!.invalidateTags('t');
  await tagged!.get('k', load);
  await tagged!.close();
  await others!.invalidateNamespace();
  await tagged!.get('k', load);
  expect(load).toHaveBeenCalledTimes(4);
  let atOnce = 0;
  let most = 0;
  const failing = async (): Promise<never> => {
    most = Math.max(most, ++atOnce);
    await new Promise((resolve) => setTimeout(resolve, 100));
    atOnce--;
    throw new Error('the database is down');
  };
  // A load that fails gives its place to one other, and costs no connection.
  const outcomes = await Promise.allSettled([one, two, cache()].map((each) => each.get('fails', failing)));
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(most).toBe(1);
  for (const each of [one, two, tagged!, others!]) expect(each.stats()).toMatchObject({ 'cache-error': 0, 'cache-timeout': 0 });
  for (const client of clients) {
    expect(Object.keys([...client.metrics().values()][0]?.calls ?? {}).filter((verb) => verb.startsWith('m'))).toEqual([]);
    await client.close();
  }
}
