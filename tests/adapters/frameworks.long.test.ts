import { setMaxListeners } from 'node:events';
import { Client } from '../../src';
import { describeWithMemcached } from '../support/describe';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { runSpec, startWebServer } from './program';

describeWithMemcached('over memcached', () => {
  let memcached: MemcachedProcess;
  let client: Client;

  beforeAll(async () => {
    // Each process that a test starts ends with this one.
    setMaxListeners(32, process);
    memcached = await startMemcached();
    client = new Client(memcached.address);
  });
  afterAll(async () => {
    await client.close();
    await memcached.stop();
  });

  it.each(['PooledClient', 'HashClient', 'RetryingClient'])("Keyv's own tests of a store pass, less those of the iterator, with %s", async (CLIENT_CLASS) => {
    expect(await runSpec('keyv.spec.mjs', memcached.address, { CLIENT_CLASS })).toEqual({ total: 38, failed: [] });
  });

  it('express-rate-limit in 16 processes admits exactly as many as its limit', async () => {
    await client.flushAll();
    const servers = await Promise.all(Array.from({ length: 16 }, () => startWebServer('rate-limit-server.mjs', memcached.address, { LIMIT: '100' })));
    const statuses = await Promise.all(Array.from({ length: 320 }, (_, index) => fetch(servers[index % 16]!.url).then(({ status }) => status)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(220);
    await Promise.all(servers.map((server) => server.stop()));
  });
});
