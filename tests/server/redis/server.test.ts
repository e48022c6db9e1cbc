import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '../../../src';
import { TypedSerde } from '../../../src/serde/typed-serde';
import { MemcachedServer, MemoryStore, RedisServer, type RedisServerOptions } from '../../../src/server';
import { ManualClock } from '../../../src/runtime/manual-clock';
import { RawClient } from '../raw-client';
import { respRequest } from './redis-talk';

describe('RedisServer', () => {
  const servers: { close(): Promise<void> }[] = [];
  const wires: RawClient[] = [];

  async function start(options: Partial<RedisServerOptions> = {}): Promise<RedisServer> {
    const server = await RedisServer.start({ store: new MemoryStore(), ...options });
    servers.push(server);
    return server;
  }

  function open(server: RedisServer): RawClient {
    const wire = new RawClient(connect(server.port, '127.0.0.1'));
    wires.push(wire);
    return wire;
  }

  afterEach(async () => {
    for (const wire of wires.splice(0)) wire.socket.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  it('listens on this machine only, unless told otherwise', async () => {
    const server = await start();
    expect(server.address).toBe(`127.0.0.1:${server.port}`);
    const lines: string[] = [];
    const log = (line: string): unknown => lines.push(line);
    await start({ host: '0.0.0.0', log, auth: [{ username: 'default', password: 'x' }] });
    expect(lines).toEqual([]);
    const open = await start({ host: '0.0.0.0', log });
    expect(lines).toEqual([`WARNING: ${open.address} serves everybody who can reach it: there is no authentication`]);
  });

  it('answers commands typed into nc, and the last one after the end of input', async () => {
    const wire = open(await start());
    expect(await wire.ask('SET greeting "hello world"\n', 5)).toBe('+OK\r\n');
    expect(await wire.ask('\n', 0)).toBe('');
    wire.socket.end('GET greeting\nNOSUCH\nINCR n\n');
    expect(await wire.untilClosed()).toBe(
      "$11\r\nhello world\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n:1\r\n",
    );
  });

  it('answers on a unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
    const path = join(folder, 'redis.sock');
    await start({ path });
    const socket = connect(path).setEncoding('latin1');
    socket.end('CLIENT LIST\r\n');
    const [answer] = (await once(socket, 'data')) as [string];
    expect(answer).toContain('id=1 addr=unix name= idle=0 ');
    rmSync(folder, { recursive: true });
  });

  it('lists the clients that were asked for, and no others', async () => {
    const server = await start();
    const wires = [open(server), open(server)] as const;
    const ids: string[] = [];
    for (const wire of wires) ids.push(/[0-9]+/.exec(await wire.ask('CLIENT ID\r\n', 4))?.[0] ?? '');
    const list = async (words: string): Promise<string[]> => {
      const [wire] = wires;
      wire.socket.write(`CLIENT LIST ${words}\r\nPING\r\n`);
      const answer = await wire.until('+PONG\r\n');
      return answer.startsWith('$') ? Array.from(answer.matchAll(/^id=([0-9]+) /gm), ([, id = '']) => id) : [answer.replace('+PONG\r\n', '')];
    };
    const [first = '', second = ''] = ids;
    expect([first, second]).toEqual(['1', '2']);
    expect(await list('')).toEqual(ids);
    expect(await list('TYPE normal')).toEqual(ids);
    expect(await list('type REPLICA')).toEqual([]);
    expect(await list(`ID ${second}`)).toEqual([second]);
    expect(await list(`id ${second} 99 ${first} ${second}`)).toEqual([second, first, second]);
    expect(await list('ID x')).toEqual(['-ERR Invalid client ID\r\n']);
    expect(await list('TYPE x')).toEqual(["-ERR Unknown client type 'x'\r\n"]);
    for (const words of ['ID', 'TYPE', 'TYPE normal x', 'x']) expect(await list(words)).toEqual(['-ERR syntax error\r\n']);
    await wires[0].ask(`CLIENT SETNAME ${'n'.repeat(1024)}\r\n`, 5);
    wires[0].send(respRequest('CLIENT', 'LIST', 'ID', ...Array.from({ length: 64 * 1024 }, () => first)));
    expect(await wires[0].until('\r\n')).toBe('-ERR the reply would be longer than 64 MiB\r\n');
  });

  it('serves what memcached’s clients have stored, and the other way round', async () => {
    const clock = new ManualClock(1_700_000_000_000);
    const memcached = await MemcachedServer.start({ clock });
    servers.push(memcached);
    const wire = open(await start({ store: memcached.store }));
    const client = new Client(memcached.address, { serde: new TypedSerde() });
    await client.set('from-memcached', 'grüße', { expire: 100 });
    expect(await wire.ask('GET from-memcached\r\n', 13)).toBe('$7\r\ngr\xc3\xbc\xc3\x9fe\r\n');
    expect(await wire.ask('TTL from-memcached\r\n', 6)).toBe(':100\r\n');
    await wire.ask(respRequest('SET', 'from-redis', Buffer.from('grüße').toString('latin1'), 'EX', '50'), 5);
    expect(await client.get('from-redis')).toBe('grüße');
    await wire.ask('SET number 41\r\nINCR counter\r\n', 9);
    expect(await client.get('number')).toBe('41');
    expect(await client.incr('number', 1)).toBe(42);
    expect(await wire.ask('GET number\r\n', 8)).toBe('$2\r\n42\r\n');
    expect(await client.get('counter')).toBe(1);
    await client.append('from-redis', '!');
    expect(await wire.ask('STRLEN from-redis\r\n', 4)).toBe(':8\r\n');
    await client.touch('from-redis', 10);
    expect(await wire.ask('PTTL from-redis\r\n', 8)).toBe(':10000\r\n');
    expect(await wire.ask('EXPIRE from-memcached 5\r\n', 4)).toBe(':1\r\n');
    clock.advance(5000);
    expect(await client.get('from-memcached')).toBeUndefined();
    expect(await client.get('from-redis')).toBe('grüße!');
    // A key that memcached's line cannot hold has a name in base64.
    await wire.ask(respRequest('SET', 'a key\r\n', 'v'), 5);
    const raw = new RawClient(connect(memcached.port, '127.0.0.1'));
    wires.push(raw);
    const named = Buffer.from('a key\r\n').toString('base64');
    expect(await raw.ask(`mg ${named} b v k\r\n`, 25)).toBe(`VA 1 k${named} b\r\nv\r\n`);
    await wire.ask('DEL from-redis\r\n', 4);
    expect(await client.get('from-redis')).toBeUndefined();
    await client.flushAll();
    expect(await wire.ask('DBSIZE\r\n', 4)).toBe(':0\r\n');
    await client.close();
  });

  it('counts 1 000 parallel INCR of 20 connections as exactly 1 000', async () => {
    const server = await start();
    const connections = Array.from({ length: 20 }, () => open(server));
    const numbers = await Promise.all(
      connections.flatMap((wire) =>
        Array.from({ length: 50 }, async (_, i) => {
          // Every other one in the next turn, so that packets mix.
          if (i % 2 === 1) await new Promise(setImmediate);
          wire.socket.write('INCR n\r\n');
        }),
      ),
    ).then(() => Promise.all(connections.map((wire) => readIntegers(wire, 50))));
    const sorted = numbers.flat().sort((left, right) => left - right);
    expect(sorted).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1));
    expect(server.store.find('n')?.value).toBe('1000');
  });

  async function readIntegers(wire: RawClient, count: number): Promise<number[]> {
    let text = '';
    while ((text.match(/\n/g) ?? []).length < count) text += await wire.ask('', 1);
    return Array.from(text.matchAll(/:(\d+)\r\n/g), ([, digits]) => Number(digits));
  }

  it('answers others while one sends without end', async () => {
    const server = await start({ maxCommandsPerTurn: 10 });
    const flood = open(server);
    const calm = open(server);
    await calm.ask('PING\r\n', 7);
    flood.socket.write('SET k v\r\n'.repeat(100_000));
    expect(await calm.ask('GET k\r\n'.repeat(3), 3)).toMatch(/^\$/);
    expect(server.store.stats.cmdSet).toBeLessThan(100_000);
  });

  it('does not read from a client that does not take its replies', async () => {
    const server = await start();
    const greedy = open(server);
    await greedy.ask(respRequest('SET', 'k', 'x'.repeat(500_000)), 5);
    greedy.socket.pause();
    greedy.socket.write('GET k\r\n'.repeat(2000));
    const calm = open(server);
    for (let i = 0; i < 200; i++) expect(await calm.ask('PING\r\n', 7)).toBe('+PONG\r\n');
    // A billion bytes were asked for: some are on their way, the rest is not even asked of the store.
    expect(server.store.stats.getHits).toBeLessThan(100);
    greedy.socket.resume();
    const answer = '$500000\r\n' + 'x'.repeat(500_000) + '\r\n';
    for (let i = 0; i < 30; i++) expect((await greedy.ask('', answer.length)) === answer).toBe(true);
  });

  it('refuses what it cannot take, and tells why', async () => {
    const server = await start({ maxConnections: 1 });
    const first = open(server);
    await first.ask('PING\r\n', 7);
    expect(await open(server).untilClosed()).toBe('-ERR max number of clients reached\r\n');
    first.socket.write('*1\r\n$99999999999\r\n');
    expect(await first.untilClosed()).toBe('-ERR Protocol error: invalid bulk length\r\n');
  });

  it('waits for a save with its answers in order, also when the client has ended', async () => {
    const store = new MemoryStore();
    let finish: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const saving = new Promise<void>((resolve) => (begun = resolve));
    const saveControl = {
      save: () => {
        begun();
        return new Promise<void>((resolve) => (finish = resolve));
      },
      lastSave: 0,
      saving: false,
      changes: 0,
    };
    const server = await start({ store, saveControl });
    const wire = open(server);
    wire.socket.end('SET k 1\nSAVE\nGET k\n');
    await saving;
    const other = open(server);
    expect(await other.ask('GET k\n', 7)).toBe('$1\r\n1\r\n');
    finish();
    expect(await wire.untilClosed()).toBe('+OK\r\n+OK\r\n$1\r\n1\r\n');
  });

  it('does not take a client for idle that waits for a save', async () => {
    const clock = new ManualClock(1_700_000_000_000);
    let finish: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const saving = new Promise<void>((resolve) => (begun = resolve));
    const save = (): Promise<void> => {
      begun();
      return new Promise((resolve) => (finish = resolve));
    };
    const saveControl = { save, lastSave: 0, saving: false, changes: 0 };
    const wire = open(await start({ store: new MemoryStore({ clock }), saveControl, idleTimeout: 5000 }));
    wire.send('SAVE\r\n');
    await saving;
    for (let i = 0; i < 10; i++) clock.advance(1000);
    finish();
    expect(await wire.until('\r\n')).toBe('+OK\r\n');
    for (let i = 0; i < 5; i++) clock.advance(1000);
    expect(await wire.ask('PING\r\n', 7)).toBe('+PONG\r\n');
    for (let i = 0; i < 6; i++) clock.advance(1000);
    expect(await wire.untilClosed()).toBe('');
  });

  it('is not troubled by a client that vanishes in the middle', async () => {
    const server = await start();
    for (const text of ['SET k', '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nab', 'GET big\r\n'.repeat(1000)]) {
      const wire = open(server);
      await wire.ask(respRequest('SET', 'big', 'x'.repeat(100_000)), 5);
      wire.socket.write(text);
      wire.socket.resetAndDestroy();
      await wire.untilClosed();
    }
    expect(await open(server).ask('STRLEN big\r\n', 9)).toBe(':100000\r\n');
  });

  it('closes those who say nothing', async () => {
    const clock = new ManualClock(1_700_000_000_000);
    const server = await start({ store: new MemoryStore({ clock }), idleTimeout: 5000 });
    const wire = open(server);
    await wire.ask('PING\r\n', 7);
    clock.advance(5000);
    await wire.ask('PING\r\n', 7);
    clock.advance(6000);
    expect(await wire.untilClosed()).toBe('');
  });

  it('ends every connection when it is closed, and leaves the store', async () => {
    const server = await start();
    const wire = open(server);
    await wire.ask('SET k 1\r\n', 5);
    await Promise.all([server.close(), server.close()]);
    await wire.untilClosed();
    expect(server.store.find('k')?.value).toBe('1');
    await using again = await RedisServer.start({ store: server.store });
    expect(await open(again).ask('GET k\r\n', 7)).toBe('$1\r\n1\r\n');
  });
});
