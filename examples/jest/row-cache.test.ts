/** How a program that uses a cache is tested: a real server in the test's process, its clock and its faults at hand. */
import { Client } from 'tsmemcache';
import { ManualClock, MemcachedServer, type Fault } from 'tsmemcache/server';
import { RowCache } from './row-cache';

const clock = new ManualClock();
let server: MemcachedServer;
let client: Client;
let rows: RowCache;
const readRow = jest.fn((id: number) => Promise.resolve(`row ${id}`));

beforeAll(async () => {
  server = await MemcachedServer.start({ clock });
  client = new Client(server.address, { timeout: 50 });
  rows = new RowCache(client, readRow);
});

beforeEach(() => {
  server.faults = undefined;
  server.store.flushAll();
  readRow.mockClear();
});

afterAll(async () => {
  await client.close();
  await server.close();
});

it('asks once', async () => {
  expect(await rows.get(1)).toBe('row 1');
  expect(await rows.get(1)).toBe('row 1');
  expect(readRow).toHaveBeenCalledTimes(1);
  expect(server.store.find('row:1')?.value).toBe('row 1');
});

it('asks again after a minute', async () => {
  await rows.get(1);
  clock.advance(59_999);
  await rows.get(1);
  expect(readRow).toHaveBeenCalledTimes(1);
  clock.advance(1);
  await rows.get(1);
  expect(readRow).toHaveBeenCalledTimes(2);
});

const faults: readonly (readonly [string, Fault])[] = [
  ['answers too late', { delay: 60_000 }],
  ['does not answer', { drop: true }],
  ['breaks off in the middle of an answer', { closeAfter: 10 }],
  ['resets its connections', { reset: true }],
  ['is out of memory', { reply: 'SERVER_ERROR out of memory storing object' }],
];

it.each(faults)('has the row when the cache %s', async (_, fault) => {
  server.faults = () => fault;
  expect(await rows.get(1)).toBe('row 1');
});

it('keeps the row when only reading fails', async () => {
  await rows.get(1);
  server.faults = ({ verb }) => (verb === 'get' ? { reply: 'SERVER_ERROR busy' } : undefined);
  expect(await rows.get(1)).toBe('row 1');
  expect(readRow).toHaveBeenCalledTimes(2);
});
