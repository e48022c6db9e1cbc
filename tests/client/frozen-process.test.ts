/** A process that stood still, as one in AWS Lambda does after each answer: its connections have ended meanwhile, and it has not heard of it. */
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Client, HashClient, PooledClient, type ClientOptions } from '../../src';
import { systemClock } from '../../src/runtime/clock';
import { MemcachedServer } from '../../src/server';
import { FreezingRelay } from '../support/freezing-relay';

const kinds: [name: string, make: (address: string, options: ClientOptions) => Client][] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, { ...options, maxPoolSize: 1 })],
  ['HashClient', (address, options) => new HashClient([address], { ...options, retryTimeout: 60_000 })],
  ['HashClient with pools', (address, options) => new HashClient([address], { ...options, retryTimeout: 60_000, usePooling: true, maxPoolSize: 1 })],
];

/** Where the event loop is when the next call is made. */
const moments: [name: string, wait: () => Promise<unknown>][] = [
  ['while sockets are read', () => Promise.resolve()],
  ['when timers fire', () => sleep(1)],
  ['after sockets were read', () => immediate()],
];

describe.each(kinds)('%s', (_, make) => {
  it.each(moments)('reads a goodbye before it writes to a connection that was unused for a second: %s', async (_moment, wait) => {
    const server = await MemcachedServer.start();
    const relay = await FreezingRelay.start(server.port);
    let ahead = 0;
    const client = make(relay.address, { clock: { ...systemClock, now: () => systemClock.now() + ahead } });
    await client.set('k', 'v');
    for (let i = 0; i < 3; i++) {
      await wait();
      relay.freeze();
      ahead += 60_000;
      expect(await Promise.all([client.get('k'), client.incr('none', 1)])).toEqual(['v', undefined]);
    }
    expect(server.metrics.connections.total).toBe(4);
    await client.close();
    await relay.close();
    await server.close();
  });
});
