import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemcacheIllegalInputError } from '../../src/errors';
import { ManualClock, MemcachedServer, MemoryStore, Persistence, RedisServer, ServerContext } from '../../src/server';

/** What plain JavaScript may pass. */
const plain = (value: unknown): never => value as never;

/** The message of the refusal; what was started by mistake is ended. */
async function refusal(start: () => unknown): Promise<string> {
  try {
    const started = (await start()) as { close?: () => unknown };
    await started.close?.();
  } catch (error) {
    expect(error).toBeInstanceOf(MemcacheIllegalInputError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('not refused');
}

const credentials = 'auth must be { username, password }, both strings that are not empty, or an array of these';
const milliseconds = 'a number of milliseconds from 0 to 2147483647';
const natural = 'a whole number from 1 to 9007199254740991';

const OF_STORES: [unknown, string][] = [
  [{ maxBytes: -1 }, `maxBytes must be ${natural}`],
  [{ maxBytes: '1m' }, `maxBytes must be ${natural}`],
  [{ maxBytes: NaN }, `maxBytes must be ${natural}`],
  [{ maxItemSize: 'x' }, 'maxItemSize must be a whole number from 1 to 1073741824'],
  [{ evict: 0 }, 'evict must be true or false'],
  [{ cas: 'no' }, 'cas must be true or false'],
  [{ clock: Date }, 'clock must be a Clock'],
  [{ clock: { now: () => 0 } }, 'clock must be a Clock'],
  [{ clock: null }, 'clock must be a Clock'],
];

const OF_BOTH_SERVERS: [unknown, string][] = [
  [{ idleTimeout: -5 }, `idleTimeout must be ${milliseconds}`],
  [{ idleTimeout: Infinity }, `idleTimeout must be ${milliseconds}`],
  [{ maxConnections: 0 }, `maxConnections must be ${natural}`],
  [{ maxCommandsPerTurn: 0 }, `maxCommandsPerTurn must be ${natural}`],
  [{ backlog: -1 }, 'backlog must be a whole number from 0 to 2147483647'],
  [{ port: -5 }, 'port must be a whole number from 0 to 65535'],
  [{ port: 70_000 }, 'port must be a whole number from 0 to 65535'],
  [{ port: 'abc' }, 'port must be a whole number from 0 to 65535'],
  [{ host: 5 }, 'host must be a string that is not empty'],
  [{ host: '' }, 'host must be a string that is not empty'],
  [{ path: '' }, 'path must be a string that is not empty'],
  [{ pathMode: '700' }, 'pathMode must be an access mode from 0 to 0o7777'],
  [{ ipv6Only: 1 }, 'ipv6Only must be true or false'],
  [{ tls: true }, 'tls must be an object of options for tls.createServer'],
  [{ flush: 'yes' }, 'flush must be true or false'],
  [{ dump: 1 }, 'dump must be true or false'],
  [{ log: 'file' }, 'log must be a function'],
  [{ verbosity: -1 }, 'verbosity must be a whole number from 0 to 9007199254740991'],
  [{ store: {} }, 'store must be a MemoryStore'],
  [{ store: new Map() }, 'store must be a MemoryStore'],
  [{ auth: null }, credentials],
  [{ auth: true }, credentials],
  [{ auth: 'me:secret' }, credentials],
  [{ auth: {} }, credentials],
  [{ auth: { username: 'me' } }, credentials],
  [{ auth: { username: 'me', password: '' } }, credentials],
  [{ auth: { username: '', password: 'secret' } }, credentials],
  [{ auth: { username: 'me', password: 5 } }, credentials],
  [{ auth: [undefined] }, credentials],
  [{ auth: [{ username: 'me', password: 'secret' }, { username: 'you' }] }, credentials],
];

const OF_MEMCACHED: [unknown, string][] = [
  [{ shutdown: 'yes' }, 'shutdown must be true or false'],
  [{ onShutdown: 1 }, 'onShutdown must be a function'],
  [{ faults: {} }, 'faults must be a function'],
  [{ cluster: [] }, 'cluster must be { version, nodes: [{ host, port }, …] }'],
  [{ cluster: { version: 1 } }, 'cluster must be { version, nodes: [{ host, port }, …] }'],
  [{ cluster: { version: 1, nodes: ['a:1'] } }, 'cluster must be { version, nodes: [{ host, port }, …] }'],
];

it.each([11_211, null])('a MemcachedServer refuses %j', async (options) => {
  expect(await refusal(() => MemcachedServer.start(plain(options)))).toMatch(/^options must be an object; the options are host, port, /);
});

it.each(OF_STORES)('a MemoryStore refuses %j', async (options, message) => {
  expect(await refusal(() => new MemoryStore(plain(options)))).toBe(message);
  expect(await refusal(() => new ServerContext(plain(options)))).toBe(message);
});

it.each([...OF_STORES, ...OF_BOTH_SERVERS, ...OF_MEMCACHED])('a MemcachedServer refuses %j', async (options, message) => {
  expect(await refusal(() => MemcachedServer.start(plain(options)))).toBe(message);
});

it.each(OF_BOTH_SERVERS)('a RedisServer refuses %j', async (options, message) => {
  const store = new MemoryStore();
  expect(await refusal(() => RedisServer.start(plain({ store, ...(options as object) })))).toBe(message);
});

it('what has no default is asked for', async () => {
  expect(await refusal(() => RedisServer.start(plain(undefined)))).toMatch(/^options must be an object; the options are host, .*, store, /);
  expect(await refusal(() => RedisServer.start(plain({})))).toBe('store must be a MemoryStore');
  expect(await refusal(() => Persistence.open(plain({ file: 'f' }), plain(undefined)))).toBe('store must be a MemoryStore');
  expect(await refusal(() => Persistence.open(new MemoryStore(), plain('f')))).toMatch(/^options must be an object; the options are file, /);
  expect(await refusal(() => Persistence.open(new MemoryStore(), plain({})))).toBe('file must be a string that is not empty');
});

it.each([{ maxBytes: 1000 }, { maxItemSize: 1000 }, { evict: true }, { cas: false }, { clock: new ManualClock() }])('the options of a store are refused beside one that is given: %j', async (options) => {
  const given = { store: new MemoryStore(), ...options };
  const message = `${Object.keys(options).join()} is an option of the store, and has no effect beside one that is given; give it to new MemoryStore()`;
  // The port is not taken, nor an address that is not there looked for.
  expect(await refusal(() => MemcachedServer.start({ ...given, host: '192.0.2.1' }))).toBe(message);
  expect(await refusal(() => new ServerContext(given))).toBe(message);
  const unset = Object.fromEntries(Object.keys(options).map((name) => [name, undefined]));
  expect(new ServerContext({ ...given, ...unset }).store).toBe(given.store);
});

it("the store's own clock may be named once more", () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  expect(new ServerContext({ store, clock }).store).toBe(store);
});

it.each([MemcachedServer, RedisServer])('%p says how it is made', async (Server) => {
  // The types forbid it; JavaScript does not.
  const make = (): unknown => Reflect.construct(Server, [{ port: 0 }]);
  expect(await refusal(make)).toBe(`a server is made by ${Server.name}.start(options)`);
});

it('names that are unknown are refused with those that there are', async () => {
  const store = new MemoryStore();
  expect(await refusal(() => MemcachedServer.start(plain({ prot: 1 })))).toMatch(
    /^there is no option "prot"; the options are host, port, path, .*, auth, .*, maxBytes, .*, faults$/,
  );
  expect(await refusal(() => new ServerContext(plain({ port: 1 })))).toMatch(/^there is no option "port"; the options are auth, .*, maxBytes, .*, shutdown$/);
  expect(await refusal(() => RedisServer.start(plain({ store, maxBytes: 1 })))).toMatch(/^there is no option "maxBytes"; .*, saveControl$/);
  expect(await refusal(() => new MemoryStore(plain({ port: 1 })))).toBe(
    'there is no option "port"; the options are maxBytes, maxItemSize, evict, cas, clock',
  );
  expect(await refusal(() => Persistence.open(store, plain({ file: 'f', intervall: 1 })))).toBe(
    'there is no option "intervall"; the options are file, interval, log, signal',
  );
  expect(await refusal(() => MemcachedServer.start(plain({ toString: 1 })))).toContain('there is no option "toString"');
});

it.each([
  [{ signal: new AbortController() }, 'signal must be an AbortSignal'],
  [{ interval: -1 }, `interval must be ${milliseconds}`],
  [{ interval: 2 ** 31 }, `interval must be ${milliseconds}`],
  [{ log: true }, 'log must be a function'],
  [{ file: '' }, 'file must be a string that is not empty'],
])('a Persistence refuses %j', async (options, message) => {
  expect(await refusal(() => Persistence.open(new MemoryStore(), plain({ file: 'f', ...options })))).toBe(message);
});

it('nothing is opened before all is checked', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  try {
    const path = join(folder, 'socket');
    await refusal(() => MemcachedServer.start(plain({ path, faults: 1 })));
    expect(existsSync(path)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('no refusal repeats a password', async () => {
  for (const auth of ['secret', { username: '', password: 'secret' }, [{ username: 5, password: 'secret' }]]) {
    expect(await refusal(() => MemcachedServer.start(plain({ auth })))).not.toContain('secret');
    expect(await refusal(() => new ServerContext(plain({ auth })))).toBe(credentials);
  }
});

it('undefined is the default, and all that is legal is taken', async () => {
  const clock = new ManualClock();
  const names = ['host', 'port', 'path', 'auth', 'maxBytes', 'clock', 'store', 'tls', 'log', 'faults', 'cluster'];
  await using plainServer = await MemcachedServer.start(plain(Object.fromEntries(names.map((name) => [name, undefined]))));
  expect(plainServer.address).toMatch(/^127\.0\.0\.1:\d+$/);
  await using server = await MemcachedServer.start({
    ...{ host: '127.0.0.1', port: 0, auth: [], maxConnections: 1, idleTimeout: 0.5, maxCommandsPerTurn: 1, backlog: 0 },
    ...{ maxBytes: 1, maxItemSize: 2 ** 30, evict: false, cas: false, clock, flush: false, dump: false, verbosity: 3 },
    ...{ shutdown: true, onShutdown: () => undefined, log: () => undefined, faults: () => undefined },
    cluster: { version: 1, nodes: [{ host: 'a', ip: '10.0.0.1', port: 11_211 }] },
  });
  expect(server.store.clock).toBe(clock);
});

describe('a single user', () => {
  const auth = { username: 'me', password: 'secret' };

  async function ask(port: number, request: string): Promise<string> {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1').end(request);
    let answer = '';
    socket.on('data', (text: string) => (answer += text));
    await once(socket, 'close');
    return answer;
  }

  it('is asked for by memcached’s front end', async () => {
    await using server = await MemcachedServer.start({ auth });
    expect(await ask(server.port, 'version\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await ask(server.port, 'set auth 0 0 9\r\nme secret\r\n')).toBe('STORED\r\n');
  });

  it('is asked for by Redis’s', async () => {
    await using server = await RedisServer.start({ store: new MemoryStore(), auth });
    expect(await ask(server.port, 'GET k\r\n')).toBe('-NOAUTH Authentication required.\r\n');
    expect(await ask(server.port, 'AUTH me secret\r\n')).toBe('+OK\r\n');
  });
});
