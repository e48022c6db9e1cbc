import { setTimeout as sleep } from 'node:timers/promises';
import { Client, MemcacheConnectError, MemcacheIllegalInputError, MemcacheSerdeError, MemcacheServerError } from '../../src';
import memcacheDriver, { memcacheDriver as byName } from '../../src/adapters/unstorage';
import { MemcachedServer } from '../../src/server';
import { caches, deadClient, describeOverCaches } from './clients';

describeOverCaches('memcacheDriver', (cache) => {
  it('stores, reads and removes under any key', async () => {
    const driver = memcacheDriver({ client: cache.client() });
    const keys = ['a', 'a:b', 'with a space', 'x'.repeat(300)];
    for (const key of keys) await driver.setItem(key, `of ${key}`);
    for (const key of keys) expect([await driver.hasItem(key), await driver.getItem(key)]).toEqual([true, `of ${key}`]);
    expect(await driver.getItems([...keys, 'absent'].map((key) => ({ key })))).toEqual([
      ...keys.map((key) => ({ key, value: `of ${key}` })),
      { key: 'absent', value: null },
    ]);
    await driver.removeItem('a');
    expect([await driver.hasItem('a'), await driver.getItem('a')]).toEqual([false, null]);
  });

  it('clear empties its own base and nothing else', async () => {
    const client = cache.client();
    const [one, two] = ['one', 'two'].map((base) => memcacheDriver({ client, base }));
    await Promise.all([one?.setItem('k', 'v'), two?.setItem('k', 'v'), client.set('of-another-program', 1)]);
    await one?.clear('');
    expect([await one?.getItem('k'), await two?.getItem('k'), await client.get('of-another-program')]).toEqual([null, 'v', 1]);
  });

  it('a write of a process that has not heard of a clear is not lost', async () => {
    const [one, two] = [memcacheDriver({ client: cache.client(), base: 'late' }), memcacheDriver({ client: cache.client(), base: 'late' })];
    await two.setItem('k', 'old');
    await two.setItem('gone', 'old');
    await one.clear();
    await Promise.all(['k', 'gone'].map((key) => one.setItem(key, 'older than the write')));
    expect(await two.getItem('k')).toBe('old');
    await Promise.all([two.setItem('k', 'new'), two.removeItem('gone')]);
    expect([await one.getItem('k'), await one.getItem('gone')]).toEqual(['new', null]);
  });

  it('closes no client', async () => {
    const client = cache.client();
    const driver = memcacheDriver({ client });
    driver.dispose();
    expect(driver.getInstance()).toBe(client);
    expect(await client.set('k', 1)).toBe(true);
  });
});

it.concurrent.each(caches.filter(([name]) => /^(Client|Embedded)/.test(name)))('keeps an item for its ttl, or that of the driver, in seconds, with %s', async (_, start) => {
  const cache = await start();
  const driver = memcacheDriver({ client: cache.client(), ttl: 1 });
  await driver.setItem('of the driver', 'v');
  await driver.setItem('half a second', 'v', { ttl: 0.5 });
  await driver.setItem('60 days', 'v', { ttl: 60 * 86_400 });
  await driver.setItem('ever', 'v', { ttl: 0 });
  // As with the drivers of unstorage itself, `null` is no time of its own.
  await memcacheDriver({ client: cache.client() }).setItem('null', 'v', { ttl: null as never });
  await sleep(2100);
  const items = await driver.getItems(['of the driver', 'half a second', '60 days', 'ever', 'null'].map((key) => ({ key })));
  expect(items.map(({ value }) => value)).toEqual([null, null, 'v', 'v', 'v']);
  await cache.stop();
});

it('lists nothing: what would have to list says so', async () => {
  const driver = memcacheDriver({ client: await deadClient() });
  await expect(driver.getKeys()).rejects.toThrow(/getKeys would have to list keys, which memcached cannot do/);
  await expect(driver.clear('a:')).rejects.toBeInstanceOf(MemcacheIllegalInputError);
});

it('an error of the cache is a miss, or rejects', async () => {
  const client = await deadClient();
  const driver = memcacheDriver({ client });
  expect([await driver.hasItem('k'), await driver.getItem('k'), await driver.getItems([{ key: 'k' }])]).toEqual([false, null, [{ key: 'k', value: null }]]);
  await driver.setItem('k', 'v');
  await driver.removeItem('k');
  await expect(driver.clear()).rejects.toBeInstanceOf(MemcacheConnectError);
  const strict = memcacheDriver({ client, failures: 'throw' });
  for (const call of [strict.hasItem('k'), strict.getItem('k'), strict.getItems([{ key: 'k' }]), strict.setItem('k', 'v'), strict.removeItem('k')]) {
    await expect(call).rejects.toBeInstanceOf(MemcacheConnectError);
  }
});

it('writes wait for the answer of the server', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address);
  const driver = memcacheDriver({ client, failures: 'throw' });
  await driver.setItem('k', 'v');
  server.faults = ({ verb }) => (verb === 'set' || verb === 'delete' ? { reply: 'SERVER_ERROR out of memory' } : undefined);
  for (const call of [driver.setItem('k', 'new'), driver.removeItem('k')]) await expect(call).rejects.toBeInstanceOf(MemcacheServerError);
  server.faults = undefined;
  expect(await driver.getItem('k')).toBe('v');
});

it.each(caches)('tells of a value that no item can hold, whatever failures says, with %s', async (_, start) => {
  const cache = await start();
  for (const failures of ['miss', 'throw'] as const) {
    const driver = memcacheDriver({ client: cache.client({ maxValueSize: 100 }), failures });
    await driver.setItem('k', 'small');
    await expect(driver.setItem('k', 'x'.repeat(101))).rejects.toBeInstanceOf(MemcacheIllegalInputError);
    // What was there is out of date.
    expect(await driver.getItem('k')).toBeNull();
    await expect(driver.setItem('k', 'half of a pair: \ud800')).rejects.toBeInstanceOf(MemcacheSerdeError);
  }
  await cache.stop();
});

it('refuses options that are not legal', async () => {
  const client = await deadClient();
  expect(byName).toBe(memcacheDriver);
  for (const options of [{}, { client: 'localhost' }, { client, base: '' }, { client, ttl: -1 }, { client, server: 'x' }] as object[]) {
    expect(() => memcacheDriver(options as { client: typeof client })).toThrow(MemcacheIllegalInputError);
  }
});
