// unstorage's own cases of a driver (test/drivers/utils.ts there), less those that list keys.
import { createStorage, restoreSnapshot } from 'unstorage';
import { afterAll, afterEach, expect, it } from 'vitest';
import { adapter, newClient } from './load.mjs';

const { memcacheDriver } = adapter('unstorage');
const client = newClient();
const storage = createStorage({ driver: memcacheDriver({ client }) });

afterEach(() => storage.clear());
afterAll(async () => {
  await storage.dispose();
  await client.close();
});

it('init', async () => {
  await restoreSnapshot(storage, { initial: 'works' });
  expect(await storage.getItem('initial')).toBe('works');
});

it('initial state', async () => {
  expect(await storage.hasItem('s1:a')).toBe(false);
  expect(await storage.getItem('s2:a')).toBe(null);
});

it('setItem', async () => {
  await storage.setItem('s1:a', 'test_data');
  await storage.setItem('s2:a', 'test_data');
  await storage.setItem('s3:a?q=1', 'test_data');
  expect(await storage.hasItem('s1:a')).toBe(true);
  expect(await storage.getItem('s1:a')).toBe('test_data');
  expect(await storage.getItem('s3:a?q=2')).toBe('test_data');
});

it('serialize (object)', async () => {
  await storage.setItem('/data/test.json', { json: 'works' });
  expect(await storage.getItem('/data/test.json')).toMatchObject({ json: 'works' });
});

it('serialize (primitive)', async () => {
  await storage.setItem('/data/true.json', true);
  expect(await storage.getItem('/data/true.json')).toBe(true);
});

it('serialize (lossy object with toJSON())', async () => {
  await storage.setItem('/data/serialized1.json', { toJSON: () => 'SERIALIZED' });
  expect(await storage.getItem('/data/serialized1.json')).toBe('SERIALIZED');
  await storage.setItem('/data/serialized2.json', { toJSON: () => ({ serializedObj: 'works' }) });
  expect(await storage.getItem('/data/serialized2.json')).toMatchObject({ serializedObj: 'works' });
});

it('serialize (error for non primitives)', async () => {
  const value = new (class Test { field = 1; })();
  await expect(storage.setItem('/data/badvalue.json', value)).rejects.toThrow('[unstorage] Cannot stringify value!');
});

it('raw support', async () => {
  const value = new Uint8Array([1, 2, 3]);
  await storage.setItemRaw('/data/raw.bin', value);
  expect([...(await storage.getItemRaw('/data/raw.bin'))]).toEqual([...value]);
});

it('setItems', async () => {
  const items = [1, 2, 3].map((number) => ({ key: `t:${number}`, value: `test_data_t${number}` }));
  await storage.setItems(items);
  for (const { key, value } of items) expect(await storage.getItem(key)).toBe(value);
});

it('getItems', async () => {
  await storage.setItem('v3:a?q=1', 'test_data_v3:a?q=1');
  await storage.setItem('v2:a', 'test_data_v2:a');
  await storage.setItem('v1:a', 'test_data_v1:a');
  expect(await storage.getItems([{ key: 'v1:a' }, 'v2:a', { key: 'v3:a?q=1' }, 'v4:undefined'])).toMatchObject([
    { key: 'v1:a', value: 'test_data_v1:a' },
    { key: 'v2:a', value: 'test_data_v2:a' },
    { key: 'v3:a', value: 'test_data_v3:a?q=1' },
    { key: 'v4:undefined', value: null },
  ]);
});

it('getItem - return falsy values when set in storage', async () => {
  await storage.setItem('zero', 0);
  expect(await storage.getItem('zero')).toBe(0);
  await storage.setItem('my-false-flag', false);
  expect(await storage.getItem('my-false-flag')).toBe(false);
});

it('removeItem', async () => {
  await storage.setItem('s1:a', 'test_data');
  await storage.removeItem('s1:a', false);
  expect(await storage.hasItem('s1:a')).toBe(false);
  expect(await storage.getItem('s1:a')).toBe(null);
});

it('clear', async () => {
  await storage.setItem('s1:a', 'test_data');
  await storage.clear();
  expect(await storage.getItem('s1:a')).toBe(null);
  await storage.clear();
});

it('what lists keys says that it cannot', async () => {
  await expect(storage.getKeys()).rejects.toThrow(/memcached cannot do/);
});
