import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { MemcachedServer, MemoryStore, RedisServer, type MemcachedServerOptions } from '../../src/server';
import { ManualClock } from '../../src/runtime/manual-clock';
import { hasIPv6 } from '../support/ipv6';
import { RawClient } from './raw-client';

describe('MemcachedServer', () => {
  const servers: MemcachedServer[] = [];
  const sockets: Socket[] = [];

  async function start(options?: MemcachedServerOptions): Promise<MemcachedServer> {
    const server = await MemcachedServer.start(options);
    servers.push(server);
    return server;
  }

  async function open(server: MemcachedServer): Promise<RawClient> {
    const socket = server.port === 0 ? connect(server.address) : connect(server.port, '127.0.0.1');
    sockets.push(socket);
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  it('listens on this machine only, on a free port, unless told otherwise', async () => {
    const server = await start();
    expect(server.address).toBe(`127.0.0.1:${server.port}`);
    const other = await start();
    expect(other.port).not.toBe(server.port);
    if (hasIPv6) expect(await start({ host: '::1' })).toMatchObject({ address: expect.stringMatching(/^\[::1\]:[1-9]\d*$/) as string });
  });

  it('serves several clients, however their commands are cut', async () => {
    const server = await start();
    const [left, right] = [await open(server), await open(server)];
    left.send('set k 0 0 10\r\nab\r\nc');
    right.send('set l 0 0 1\r\n1\r\nget l\r\n');
    expect(await right.until('END\r\n')).toBe('STORED\r\nVALUE l 0 1\r\n1\r\nEND\r\n');
    left.send('defgh\r\nget k\r\n');
    expect(await left.until('END\r\n')).toBe('STORED\r\nVALUE k 0 10\r\nab\r\ncdefgh\r\nEND\r\n');
    expect(server.store.size).toBe(2);
  });

  it('answers a client that has sent its last command and closed its side', async () => {
    const client = await open(await start());
    client.socket.end('set k 0 0 1\r\n1\r\nget k\r\n');
    expect(await client.untilClosed()).toBe('STORED\r\nVALUE k 0 1\r\n1\r\nEND\r\n');
  });

  it('closes at quit', async () => {
    const client = await open(await start());
    client.send('version\r\nquit\r\n');
    expect(await client.untilClosed()).toBe('VERSION 1.6.45\r\n');
  });

  it('goes on when a client resets its connection in the middle of a command', async () => {
    const server = await start();
    const witness = await open(server);
    for (let i = 0; i < 20; i++) {
      const rude = await open(server);
      rude.send('set k 0 0 1000000\r\npart of it');
      rude.socket.resetAndDestroy();
    }
    witness.send('version\r\n');
    expect(await witness.until('\r\n')).toBe('VERSION 1.6.45\r\n');
  });

  it('refuses connections beyond its limit, and takes the next when one has gone', async () => {
    const server = await start({ maxConnections: 2 });
    const first = await open(server);
    const second = await open(server);
    // Both must have been taken in before the third comes.
    for (const client of [first, second]) {
      client.send('mn\r\n');
      await client.until('MN\r\n');
    }
    expect(await (await open(server)).untilClosed()).toBe('ERROR Too many open connections\r\n');
    second.send('quit\r\n');
    await second.untilClosed();
    first.send('stats\r\n');
    const stats = await first.until('END\r\n');
    expect(stats).toContain('STAT rejected_connections 1\r\n');
    expect(stats).toContain('STAT curr_connections 1\r\n');
    const next = await open(server);
    next.send('version\r\n');
    expect(await next.until('\r\n')).toBe('VERSION 1.6.45\r\n');
  });

  it('closes connections that complete no command, even if they trickle', async () => {
    const clock = new ManualClock();
    const server = await start({ clock, idleTimeout: 5000 });
    const [slow, busy] = [await open(server), await open(server)];
    for (const client of [slow, busy]) {
      client.send('mn\r\n');
      await client.until('MN\r\n');
    }
    slow.send('set k 0 0 10\r\nonly so');
    clock.advance(3000);
    busy.send('mn\r\n');
    await busy.until('MN\r\n');
    clock.advance(3000);
    expect(await slow.untilClosed()).toBe('');
    busy.send('version\r\n');
    expect(await busy.until('\r\n')).toBe('VERSION 1.6.45\r\n');
  });

  it('does not read from a client that does not take its replies, and serves the others meanwhile', async () => {
    const server = await start();
    const [flooder, witness] = [await open(server), await open(server)];
    const size = 100_000;
    flooder.send(`set big 0 0 ${size}\r\n${'x'.repeat(size)}\r\nset small 0 0 1\r\n1\r\n`);
    await flooder.until('STORED\r\nSTORED\r\n');
    flooder.socket.pause();
    const before = process.memoryUsage().rss;
    const asked = 5000;
    flooder.send('get big\r\n'.repeat(asked));
    for (let i = 0; i < 200; i++) {
      witness.send('get small\r\n');
      expect(await witness.until('END\r\n')).toBe('VALUE small 0 1\r\n1\r\nEND\r\n');
    }
    witness.send('stats\r\n');
    const stats = await witness.until('END\r\n');
    // 500 MB were asked for: only what fits the system's buffers and the limit has been answered.
    expect(Number(/get_hits (\d+)/.exec(stats)?.[1])).toBeLessThan(1000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    flooder.socket.removeAllListeners('data');
    let received = 0;
    flooder.socket.on('data', (text: string) => (received += text.length));
    flooder.socket.resume();
    flooder.send('quit\r\n');
    await once(flooder.socket, 'close');
    expect(received).toBe(asked * (`VALUE big 0 ${size}\r\n`.length + size + 2 + 'END\r\n'.length));
  });

  it('answers no faster than the client takes it within one command either, and every byte is right', async () => {
    const server = await start();
    const [flooder, witness] = [await open(server), await open(server)];
    const size = 4000;
    const value = 'x'.repeat(size);
    flooder.send(`set k 0 0 ${size}\r\n${value}\r\n`);
    await flooder.until('STORED\r\n');
    flooder.socket.pause();
    const before = process.memoryUsage().rss;
    const asked = 50_000;
    flooder.send(`get${' k'.repeat(asked)}\r\nversion\r\n`);
    // In time of the processor, of which a machine that does something else meanwhile gives none.
    let longest = 0;
    for (let i = 0; i < 200; i++) {
      const since = process.cpuUsage();
      witness.send('mn\r\n');
      await witness.until('MN\r\n');
      const { user, system } = process.cpuUsage(since);
      longest = Math.max(longest, (user + system) / 1000);
    }
    witness.send('stats\r\n');
    // 200 MB were asked for.
    expect(Number(/get_hits (\d+)/.exec(await witness.until('END\r\n'))?.[1])).toBeLessThan(5000);
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
    expect(longest).toBeLessThan(1000);
    flooder.socket.removeAllListeners('data');
    const received = createHash('sha1');
    flooder.socket.on('data', (text: string) => received.update(text, 'latin1'));
    flooder.socket.resume();
    flooder.send('quit\r\n');
    await once(flooder.socket, 'close');
    const expected = createHash('sha1');
    for (let i = 0; i < asked; i++) expected.update(`VALUE k 0 ${size}\r\n${value}\r\n`);
    expect(received.digest('hex')).toBe(expected.update('END\r\nVERSION 1.6.45\r\n').digest('hex'));
  });

  it('lets others in between the commands of one chunk', async () => {
    const began = performance.now();
    const server = await start({ maxCommandsPerTurn: 10 });
    const [busy, other] = [await open(server), await open(server)];
    busy.send('version\r\n'.repeat(3000));
    other.send('mn\r\n');
    await other.until('MN\r\n');
    busy.send('mn\r\n');
    expect(await busy.until('MN\r\n')).toBe(`${'VERSION 1.6.45\r\n'.repeat(3000)}MN\r\n`);
    other.send('stats\r\n');
    let stats = await other.until('END\r\n');
    expect(Number(/conn_yields (\d+)/.exec(stats)?.[1])).toBeGreaterThan(100);
    expect(stats).toContain('curr_connections 2\r\n');
    // One that has had to wait is let go when it leaves, too, and is counted no more.
    busy.socket.end();
    await busy.untilClosed();
    while (!stats.includes('curr_connections 1\r\n')) {
      other.send('stats\r\n');
      stats = await other.until('END\r\n');
    }
    expect(Number(/uptime (\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual((performance.now() - began) / 1000);
  });

  it('lists its connections', async () => {
    const client = await open(await start());
    client.send('stats conns\r\n');
    expect(await client.until('END\r\n')).toMatch(
      /^STAT 1:addr tcp:127\.0\.0\.1:\d+\r\nSTAT 1:listen_addr tcp:127\.0\.0\.1:\d+\r\nSTAT 1:state conn_parse_cmd\r\n/,
    );
  });

  (hasIPv6 ? it : it.skip)('names those over IPv6 as memcached does', async () => {
    const server = await start({ host: '::1' });
    const socket = connect(server.port, '::1');
    sockets.push(socket);
    const client = new RawClient(socket);
    client.send('stats conns\r\n');
    const answer = await client.until('END\r\n');
    expect(answer).toContain(`STAT 1:addr tcp6:[::1]:${String(socket.localPort)}\r\n`);
    expect(answer).toContain(`STAT 1:listen_addr tcp6:[::1]:${server.port}\r\n`);
    await using redis = await RedisServer.start({ store: server.store, host: '::1' });
    const other = connect(redis.port, '::1');
    sockets.push(other);
    const redisClient = new RawClient(other);
    redisClient.send('CLIENT LIST\r\n');
    expect(await redisClient.until('lib-ver=\n')).toContain(` addr=[::1]:${String(other.localPort)} `);
  });

  it('warns when everybody may reach it, and nobody has to say who he is', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation();
    const server = await start({ host: '0.0.0.0' });
    await start({ host: '0.0.0.0', auth: [{ username: 'me', password: 'secret' }] });
    await start();
    const warning = `WARNING: ${server.address} serves everybody who can reach it: there is no authentication`;
    expect(warn.mock.calls).toEqual([[warning]]);
    warn.mockRestore();
  });

  it('asks for authentication', async () => {
    const client = await open(await start({ auth: [{ username: 'me', password: 'secret' }] }));
    client.send('version\r\n');
    expect(await client.until('\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    client.send('set auth 0 0 9\r\nme secret\r\nversion\r\n');
    expect(await client.until('45\r\n')).toBe('STORED\r\nVERSION 1.6.45\r\n');
  });

  it('serves TLS, and survives those who do not speak it', async () => {
    const read = (name: string): Buffer => readFileSync(join(__dirname, 'fixtures', name));
    const server = await start({ tls: { key: read('key.pem'), cert: read('certificate.pem') } });
    const plain = await open(server);
    plain.send('version\r\n');
    await plain.untilClosed();
    const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: read('certificate.pem') });
    sockets.push(socket);
    const client = new RawClient(socket);
    client.send('set k 0 0 1\r\n1\r\nget k\r\n');
    expect(await client.until('END\r\n')).toBe('STORED\r\nVALUE k 0 1\r\n1\r\nEND\r\n');
  });

  describe('on a unix socket', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
    const path = join(folder, 'socket');

    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    it('serves its owner, and takes the place of one left behind', async () => {
      // A process that dies leaves its socket where it was.
      const dead = createServer().listen(path);
      await once(dead, 'listening');
      const left = join(folder, 'left');
      const server = await start({ path: left });
      expect(statSync(left).mode & 0o777).toBe(0o700);
      expect(server).toMatchObject({ address: left, port: 0 });
      const client = await open(server);
      client.send('version\r\n');
      expect(await client.until('\r\n')).toBe('VERSION 1.6.45\r\n');
      const successor = await start({ path, pathMode: 0o770 });
      expect(statSync(successor.address).mode & 0o777).toBe(0o770);
      await server.close();
      expect(existsSync(left)).toBe(false);
      dead.close();
    });
  });

  it('lets nobody else connect to its unix socket at any moment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
    const path = join(folder, 'socket');
    const usual = process.umask(0);
    try {
      const starting = start({ path, pathMode: 0o700 });
      // It listens by now.
      const { mode } = statSync(path);
      await starting;
      expect(mode & 0o777).toBe(0o700);
      expect(process.umask(0)).toBe(0);
    } finally {
      process.umask(usual);
      rmSync(folder, { recursive: true });
    }
  });

  it('leaves the unix socket to the server that has taken its place', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
    const path = join(folder, 'socket');
    const old = await start({ path });
    const successor = await start({ path });
    await old.close();
    const client = await open(successor);
    client.send('version\r\n');
    expect(await client.until('\r\n')).toBe('VERSION 1.6.45\r\n');
    expect(readdirSync(folder)).toEqual(['socket']);
    await successor.close();
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('rejects when it cannot listen', async () => {
    const server = await start();
    await expect(MemcachedServer.start({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  describe('closes', () => {
    it('with every connection, as often as asked', async () => {
      const server = await MemcachedServer.start();
      const clients = await Promise.all(Array.from({ length: 5 }, () => open(server)));
      await Promise.all([server.close(), server.close()]);
      await Promise.all(clients.map((client) => client.untilClosed()));
      await expect(once(connect(server.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    it('its own store, and not one that it was given', async () => {
      const clock = new ManualClock();
      const store = new MemoryStore({ clock });
      const given = await MemcachedServer.start({ store });
      store.store('set', 'k', 'v', 0, store.deadline(10));
      await given.close();
      expect(clock.timers).toBe(1);
      store.close();
      const own = await MemcachedServer.start({ clock, idleTimeout: 1000 });
      own.store.store('set', 'k', 'v', 0, own.store.deadline(10));
      expect(clock.timers).toBe(2);
      await own.close();
      expect(clock.timers).toBe(0);
    });

    it('by `await using`, as a resource', async () => {
      const server = await MemcachedServer.start();
      await server[Symbol.asyncDispose]();
      await expect(once(connect(server.port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    it('when a client may say so', async () => {
      const onShutdown = jest.fn();
      const server = await start({ shutdown: true, onShutdown });
      const client = await open(server);
      client.send('shutdown\r\n');
      expect(await client.untilClosed()).toBe('');
      expect(onShutdown).toHaveBeenCalledTimes(1);
      const other = await MemcachedServer.start({ shutdown: true });
      const last = await open(other);
      last.send('shutdown graceful\r\n');
      expect(await last.untilClosed()).toBe('');
      await other.close();
    });
  });
});
