import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { systemClock, type Clock } from '../../../src/runtime/clock';
import { MemoryStore, RedisServer } from '../../../src/server';

/** So that nothing depends on how fast this machine is. */
const FROZEN: Clock = { ...systemClock, now: () => 0 };

const AUTH = [
  { username: 'default', password: 'secret' },
  { username: 'me', password: 'mine' },
];

describe.each([2, 3] as const)('RESP%i', (version) => {
  let server: RedisServer;

  beforeEach(async () => {
    server = await RedisServer.start({ store: new MemoryStore({ clock: FROZEN }), auth: AUTH });
  });

  afterEach(() => server.close());

  it('serves node-redis', async () => {
    const url = `redis://me:mine@${server.address}/0`;
    const client = createClient({ url, RESP: version, name: 'node' });
    await client.connect();
    expect(await client.set('k', 'grüße', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await client.get('k')).toBe('grüße');
    expect(await client.get('none')).toBeNull();
    expect(await client.ttl('k')).toBe(100);
    expect(await client.set('k', 'x', { condition: 'NX' })).toBeNull();
    expect(await client.set('k', 'y', { GET: true, expiration: 'KEEPTTL' })).toBe('grüße');
    expect(await client.mSet({ a: '1', b: '2' })).toBe('OK');
    expect(await client.mGet(['a', 'none', 'b'])).toEqual(['1', null, '2']);
    expect(await client.incrBy('a', 41)).toBe(42);
    expect(await client.del(['a', 'none'])).toBe(1);
    expect(await client.exists('b')).toBe(1);
    expect(await client.expire('b', 10)).toBe(1);
    expect(await client.persist('b')).toBe(1);
    expect(await client.configGet('maxmemory')).toEqual({ maxmemory: '67108864' });
    expect(await client.dbSize()).toBe(2);
    const keys: string[] = [];
    for await (const found of client.scanIterator()) keys.push(...found);
    expect(keys.sort()).toEqual(['b', 'k']);
    await expect(client.sendCommand(['NOSUCH'])).rejects.toThrow("ERR unknown command 'NOSUCH'");
    expect(await client.info('server')).toContain('redis_version:7.0.15');
    expect(await client.clientGetName()).toBe('node');
    const many = await Promise.all(Array.from({ length: 1000 }, () => client.incr('n')));
    expect(many).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    const bytes = Buffer.from([0, 255, 13, 10]);
    await client.set('bytes', bytes);
    expect(server.store.find('bytes')?.flags).toBe(0);
    await client.close();
  });

  it('serves ioredis', async () => {
    const options = { password: 'secret', protocol: version, connectionName: 'io' } as const;
    const client = new Redis(server.port, '127.0.0.1', options);
    expect(await client.set('k', 'grüße', 'EX', 100)).toBe('OK');
    expect(await client.get('k')).toBe('grüße');
    expect(await client.get('none')).toBeNull();
    expect(await client.ttl('k')).toBe(100);
    expect(await client.set('k', 'x', 'NX')).toBeNull();
    expect(await client.mset({ a: '1', b: '2' })).toBe('OK');
    expect(await client.mget('a', 'none', 'b')).toEqual(['1', null, '2']);
    expect(await client.incrby('a', 41)).toBe(42);
    expect(await client.del('a', 'none')).toBe(1);
    expect(await client.pipeline().set('p', '1').incr('p').get('p').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ]);
    await expect(client.call('NOSUCH')).rejects.toThrow("ERR unknown command 'NOSUCH'");
    const bytes = Buffer.from([0, 255, 13, 10]);
    await client.set('bytes', bytes);
    expect(await client.getBuffer('bytes')).toEqual(bytes);
    expect(await client.client('GETNAME')).toBe('io');
    expect(await client.flushall()).toBe('OK');
    expect(await client.dbsize()).toBe(0);
    await client.quit();
  });
});
