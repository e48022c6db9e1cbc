import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import { EmbeddedClient } from '../../src/embedded';
import { EMBEDDED_CHANNELS, MemcachedServer, MemoryStore, RedisServer, type ExecutedMessage } from '../../src/server';

const SECRET = 'hunter2';

/** What is published until {@link stop}. */
class Ear {
  readonly heard: { readonly name: string; readonly message: unknown }[] = [];
  readonly #listen = (message: unknown, name: string | symbol): void => {
    this.heard.push({ name: String(name), message });
  };

  constructor() {
    for (const name of Object.values(EMBEDDED_CHANNELS)) subscribe(name, this.#listen);
  }

  stop(): void {
    for (const name of Object.values(EMBEDDED_CHANNELS)) unsubscribe(name, this.#listen);
  }

  of(name: string): unknown[] {
    return this.heard.filter((entry) => entry.name === name).map(({ message }) => message);
  }
}

async function talk(address: string, request: string): Promise<string> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  let answer = '';
  socket.setEncoding('latin1').on('data', (text) => (answer += String(text)));
  socket.end(request);
  await once(socket, 'close');
  return answer;
}

it('a memcached server counts what it does, by the command', async () => {
  const server = await MemcachedServer.start({ maxConnections: 1 });
  const request = `set ${SECRET} 0 0 1\r\nx\r\nget ${SECRET}\r\nget none\r\nnonsense\r\nmn\r\n`;
  const answer = await talk(server.address, request);
  expect(server.metrics).toMatchObject({
    server: server.address,
    protocol: 'memcached',
    connections: { open: 0, max: 1, total: 1, rejected: 0 },
    bytesRead: request.length,
    bytesWritten: answer.length,
    commands: { set: 1, get: 2, mn: 1, unknown: 1 },
    authentications: { total: 0, failed: 0 },
    store: { items: 1, hits: 1, misses: 1, evictions: 0, expired: 0 },
  });
  expect(Object.keys(server.metrics.commands)).toHaveLength(4);
  await server.close();
});

it('counts what is flushed as reclaimed, as memcached does, and whom it closes for idleness', async () => {
  const server = await MemcachedServer.start({ idleTimeout: 50 });
  expect(await talk(server.address, 'set a 0 0 1\r\nx\r\nflush_all\r\nstats\r\n')).toMatch(/STAT idle_kicks 0\r\n[^]*STAT reclaimed 1\r\n/);
  const idle = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  await once(idle, 'close');
  expect(await talk(server.address, 'stats\r\n')).toContain('STAT idle_kicks 1\r\n');
  await server.close();
});

it('counts who gave which password, and nothing else of it', async () => {
  const server = await MemcachedServer.start({ auth: { username: 'user', password: SECRET } });
  await talk(server.address, `set a 0 0 10\r\nuser wrong\r\nset a 0 0 12\r\nuser ${SECRET}\r\nget k\r\n`);
  expect(server.metrics.authentications).toEqual({ total: 2, failed: 1 });
  expect(server.metrics.commands).toEqual({ set: 2, get: 1 });
  expect(JSON.stringify(server.metrics)).not.toContain(SECRET);
  await server.close();
});

it('stats reset begins anew with the counts of connections and log-ins too, as in memcached; metrics go on', async () => {
  const server = await MemcachedServer.start({ auth: { username: 'user', password: SECRET } });
  const logIn = `set a 0 0 12\r\nuser ${SECRET}\r\n`;
  await talk(server.address, logIn);
  const answer = await talk(server.address, `${logIn}stats reset\r\nstats\r\n`);
  for (const name of ['total_connections', 'rejected_connections', 'auth_cmds', 'auth_errors', 'bytes_read', 'bytes_written', 'conn_yields']) {
    expect(answer).toContain(`STAT ${name} 0\r\n`);
  }
  expect(answer).toContain('STAT curr_connections 1\r\n');
  expect(server.metrics).toMatchObject({ connections: { total: 2 }, authentications: { total: 2 } });
  await server.close();
});

it('a Redis server counts by its own commands', async () => {
  const server = await RedisServer.start({ store: new MemoryStore() });
  await talk(server.address, 'SET k v\r\nGET k\r\nclient id\r\nNOSUCH\r\nQUIT\r\n');
  expect(server.metrics).toMatchObject({ protocol: 'redis', connections: { total: 1 }, store: { hits: 1 } });
  expect(server.metrics.commands).toEqual({ set: 1, get: 1, 'client|id': 1, unknown: 1, quit: 1 });
  await server.close();
});

it('a Redis server counts what was executed, as Redis does: not what was only kept, or refused', async () => {
  const server = await RedisServer.start({ store: new MemoryStore() });
  const ear = new Ear();
  const lines = [
    ...['MULTI', 'SET a 1', 'GET a', 'DISCARD'],
    ...['MULTI', 'SET a 1', 'GET a', 'EXEC'],
    ...['WATCH a', 'SET a 2', 'MULTI', 'DEL a', 'EXEC'],
    ...['MULTI', 'GET', 'STRLEN a', 'NOSUCH', 'EXEC', 'GET', `GET ${'x'.repeat(251)}`, 'CLIENT NOSUCH'],
    ...['SET a x', 'INCR a', 'INFO stats'],
  ];
  const answer = await talk(server.address, lines.map((line) => `${line}\r\n`).join(''));
  ear.stop();
  // By redis-server 7.0: INFO commandstats.
  expect(server.metrics.commands).toEqual({ multi: 4, discard: 1, set: 3, get: 1, exec: 3, watch: 1, incr: 1, info: 1, unknown: 2 });
  expect(answer).toContain('total_commands_processed:14\r\n');
  const published = ear.of(EMBEDDED_CHANNELS.command).map((message) => (message as ExecutedMessage).command);
  expect(published.join(' ')).toBe('multi discard multi set get exec watch set multi exec multi unknown exec unknown set incr info');
  await server.close();
});

it('commands that are refused before they are executed are not counted, nor published', async () => {
  const auth = { username: 'user', password: SECRET };
  const memcached = await MemcachedServer.start({ auth });
  const redis = await RedisServer.start({ store: memcached.store, auth });
  const ear = new Ear();
  await talk(memcached.address, `get unknown\r\nset a 0 0 12\r\nuser ${SECRET}\r\nget\r\nset k\r\nget k\r\n`);
  await talk(redis.address, `GET k\r\nAUTH user ${SECRET}\r\nGET k\r\n`);
  ear.stop();
  expect(memcached.metrics.commands).toEqual({ set: 1, get: 1 });
  expect(redis.metrics.commands).toEqual({ auth: 1, get: 1 });
  expect(ear.of(EMBEDDED_CHANNELS.command)).toHaveLength(4);
  await Promise.all([memcached.close(), redis.close()]);
});

it('a command whose reply a fault replaces is not executed, and not counted', async () => {
  const server = await MemcachedServer.start({ faults: ({ verb }) => (verb === 'set' ? { reply: 'SERVER_ERROR no' } : undefined) });
  const ear = new Ear();
  expect(await talk(server.address, 'set a 0 0 1\r\nx\r\nget a\r\n')).toBe('SERVER_ERROR no\r\nEND\r\n');
  ear.stop();
  expect(server.metrics.commands).toEqual({ get: 1 });
  expect(ear.of(EMBEDDED_CHANNELS.command)).toHaveLength(1);
  await server.close();
});

it('connections and commands are published, without a word that a client has chosen', async () => {
  const ear = new Ear();
  const server = await MemcachedServer.start({ maxConnections: 1 });
  const held = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  await once(held, 'connect');
  expect(await talk(server.address, 'version\r\n')).toContain('Too many');
  held.write(`set ${SECRET} 0 0 ${SECRET.length}\r\n${SECRET}\r\n${SECRET}\r\n`);
  await once(held, 'data');
  held.end();
  await once(held, 'close');
  await server.close();
  ear.stop();
  const own = { server: server.address, protocol: 'memcached' };
  expect(ear.of(EMBEDDED_CHANNELS.connect)).toEqual([{ ...own, connection: 1 }]);
  expect(ear.of(EMBEDDED_CHANNELS.disconnect)).toEqual([{ ...own, connection: 1 }]);
  expect(ear.of(EMBEDDED_CHANNELS.refuse)).toEqual([own]);
  expect(ear.of(EMBEDDED_CHANNELS.command)).toEqual(
    ['set', 'unknown'].map((command) => ({ ...own, connection: 1, command, duration: expect.any(Number) as number })),
  );
  expect(JSON.stringify(ear.heard)).not.toContain(SECRET);
});

it('an EmbeddedClient publishes its commands, and nothing when nobody listens', async () => {
  const client = new EmbeddedClient();
  await client.get('unheard');
  const ear = new Ear();
  await client.get('heard');
  ear.stop();
  await client.get('unheard');
  expect(ear.heard).toEqual([
    {
      name: EMBEDDED_CHANNELS.command,
      message: { server: 'embedded', protocol: 'memcached', connection: 1, command: 'get', duration: expect.any(Number) as number },
    },
  ]);
  await client.close();
});
