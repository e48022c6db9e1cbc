import { EmbeddedClient } from '../../src/embedded';
import { Client } from '../../src';
import { ManualClock, MemcachedServer, MemoryStore } from '../../src/server';

const HOUR = 3_600_000;

afterEach(() => {
  jest.useRealTimers();
});

describe.each([
  ['from the beginning', true],
  ['later', false],
])('with time faked %s', (_, first) => {
  async function everyKind(use: (client: Client) => Promise<void>): Promise<void> {
    if (first) jest.useFakeTimers();
    const server = await MemcachedServer.start();
    const clients = [new EmbeddedClient(), new Client(server.address)];
    for (const client of clients) await client.set('before', 'x', { expire: 60 });
    if (!first) jest.useFakeTimers();
    for (const client of clients) await use(client);
    await Promise.all(clients.map((client) => client.close()));
    await server.close();
  }

  it('everything is answered while time stands still', async () => {
    await everyKind(async (client) => {
      expect(await client.set('k', 'v', { expire: 60 })).toBe(true);
      expect(await client.get('k')).toBe('v');
      expect(await client.get('before')).toBe('x');
    });
  });

  it('items expire when the system time is set', async () => {
    await everyKind(async (client) => {
      await client.set('k', 'v', { expire: 60 });
      jest.setSystemTime(Date.now() + 59_000);
      expect(await client.get('k')).toBe('v');
      jest.setSystemTime(Date.now() + 2000);
      expect(await client.get('k')).toBeUndefined();
      expect(await client.get('before')).toBeUndefined();
    });
  });

  it('items expire when timers are advanced', async () => {
    await everyKind(async (client) => {
      await client.set('k', 'v', { expire: 60 });
      jest.advanceTimersByTime(59_000);
      expect(await client.get('k')).toBe('v');
      jest.advanceTimersByTime(2000);
      expect(await client.get('k')).toBeUndefined();
    });
  });
});

it.each([
  ['the present', undefined],
  ['a date of the past', Date.UTC(2020, 0, 1)],
])('an item lives exactly as long as it is to, although real time passes after %s was faked', async (_, now) => {
  const server = await MemcachedServer.start();
  const client = new Client(server.address);
  await client.set('before', 'x', { expire: 60 });
  jest.useFakeTimers({ ...(now !== undefined && { now }), doNotFake: ['performance'] });
  for (const end = performance.now() + 20; performance.now() < end; );
  await client.set('k', 'v', { expire: 60 });
  await jest.advanceTimersByTimeAsync(59_999);
  expect(await client.get('k')).toBe('v');
  await jest.advanceTimersByTimeAsync(1);
  expect(await client.getMany(['k', 'before'])).toEqual(new Map());
  await client.close();
  await server.close();
});

it('time does not go back, and goes on where the test left it', async () => {
  const store = new MemoryStore();
  store.store('set', 'minute', 'v', 0, store.deadline(60));
  store.store('set', 'days', 'v', 0, store.deadline(86_400));
  jest.useFakeTimers();
  const before = store.now();
  jest.setSystemTime(Date.now() + HOUR);
  expect(store.now() - before).toBeGreaterThan(HOUR - 10);
  expect(store.find('minute')).toBeUndefined();
  jest.setSystemTime(Date.now() - 2 * HOUR);
  expect(store.now() - before).toBeGreaterThan(HOUR - 10);
  const last = store.now();
  jest.useRealTimers();
  expect(store.now()).toBeGreaterThanOrEqual(last);
  expect(store.now() - last).toBeLessThan(60_000);
  expect(store.find('days')).toBeDefined();
  const later = store.now();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(store.now() - later).toBeGreaterThanOrEqual(15);
  store.close();
});

it('jumps of the wall clock change nothing when nobody fakes it', () => {
  let wall = 1.7e12;
  const clock = new ManualClock();
  const store = new MemoryStore({ clock: { now: () => clock.now(), time: () => wall, setTimeout: (...args) => clock.setTimeout(...args), setImmediate: (...args) => { clock.setImmediate(...args); } } });
  store.store('set', 'k', 'v', 0, store.deadline(60));
  for (const jump of [HOUR, -2 * HOUR, 8766 * HOUR, -2 * 8766 * HOUR]) {
    wall += jump;
    expect(store.find('k')).toBeDefined();
  }
  clock.advance(61_000);
  expect(store.find('k')).toBeUndefined();
});

it('an EmbeddedClient with a clock of its own expires by it', async () => {
  const clock = new ManualClock();
  const client = new EmbeddedClient(undefined, { clock });
  await client.set('k', 'v', { expire: 60 });
  clock.advance(59_000);
  expect(await client.get('k')).toBe('v');
  clock.advance(2000);
  expect(await client.get('k')).toBeUndefined();
  expect(client.store.stats.reclaimed).toBe(1);
  await client.close();
});
