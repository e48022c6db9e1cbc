import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { elastiCacheDiscovery, ElastiCacheClient, MemcacheIllegalInputError, type ElastiCacheClientOptions } from '../../src';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { MemcachedServer } from '../../src/server';
import { failure, illegal } from '../support/contract';
import { ScriptedServer } from '../support/scripted-server';
import { TestAuthority } from '../support/certificates';
import { turns, VirtualClock } from '../support/virtual-clock';
import { describeWithOpenssl } from '../support/describe';

let nodes: MemcachedServer[];
let endpoint: MemcachedServer;
beforeEach(async () => {
  nodes = await Promise.all([1, 2, 3, 4].map(() => MemcachedServer.start()));
  endpoint = await MemcachedServer.start();
  announce(1, [0, 1, 2]);
});
afterEach(async () => {
  await Promise.all([...nodes, endpoint].map((server) => server.close()));
});

const port = (index: number): number => nodes[index]?.port ?? 0;

function announce(version: number, indices: number[]): void {
  endpoint.cluster = { version, nodes: indices.map((index) => ({ host: 'localhost', ip: '127.0.0.1', port: port(index) })) };
}

function makeClient(options: ElastiCacheClientOptions = {}): { client: ElastiCacheClient; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { clock, client: new ElastiCacheClient(endpoint.address, { clock, random: () => 1, ...options }) };
}

const names = (client: ElastiCacheClient): string[] => client.servers().map(({ name }) => name).sort();
const byIp = (...indices: number[]): string[] => indices.map((index) => `127.0.0.1:${port(index)}`).sort();

it.each([
  [{ refreshIntervall: 5 }, /^there is no option "refreshIntervall"; the options are refreshInterval, useVpc, connectTimeout, /],
  // A client of the cluster has it, the look-ups have not.
  [{ keyPrefix: 'p' }, /^there is no option "keyPrefix"; /],
  [{ timeout: '5' }, /^timeout must be a number of milliseconds/],
  [null, /^options must be an object; /],
])('elastiCacheDiscovery refuses %j', (options, message) => {
  const make = (): unknown => elastiCacheDiscovery('localhost:1', illegal(options));
  expect(make).toThrow(MemcacheIllegalInputError);
  expect(make).toThrow(message);
});

it('finds its servers, and follows them: 1000 calls a round, none is lost, only keys that must move do', async () => {
  const { client, clock } = makeClient();
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  expect(await client.setMany(keys.map((key): [string, string] => [key, key]))).toEqual([]);
  expect(names(client)).toEqual(byIp(0, 1, 2));
  for (const [round, members] of [[0, 1, 2, 3], [0, 1, 3], [0, 1, 2, 3], [0, 1, 2]].entries()) {
    const before = new Map(keys.map((key) => [key, client.serverFor(key)]));
    const calls = keys.map((key) => client.set(key, key));
    announce(round + 2, members);
    await clock.advance(60_000);
    while (names(client).join() !== byIp(...members).join()) await turns();
    expect(new Set(await Promise.all(calls))).toEqual(new Set([true]));
    expect(new Set(await Promise.all(keys.map((key) => client.set(key, key))))).toEqual(new Set([true]));
    for (const key of keys) {
      const now = client.serverFor(key);
      if (now === before.get(key)) continue;
      // It moved to one that came, or from one that left.
      expect([now, before.get(key)].some((name) => [byIp(2), byIp(3)].flat().includes(name ?? ''))).toBe(true);
    }
  }
  await client.close();
});

it.each(['', 'x', '1', '1\n', '1\n||11211', '1\nhost|10.0.0.1|11211|more', '1\nhost|10.0.0.1|', '1\nhost|10.0.0.1|99999', '1\nhost|10.0.0.1|11211 host', '1\nho/st||11211'])(
  'an answer that is no list of servers is said to be none: %j',
  async (payload) => {
    endpoint.faults = ({ verb }) => (verb === 'config' ? { reply: `CONFIG cluster 0 ${payload.length}\r\n${payload}\r\nEND` } : undefined);
    const { client } = makeClient();
    const error = await failure(client.get('k'));
    expect(error).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', certainty: 'notSent', cause: { code: 'MEMCACHE_UNKNOWN' } });
    expect(error.message).toContain('the answer to "config get cluster" cannot be understood');
    await client.close();
  },
);

it('asks once per refreshInterval', async () => {
  let asked = 0;
  endpoint.faults = ({ verb }) => {
    if (verb === 'config') asked++;
    return undefined;
  };
  const { client, clock } = makeClient({ refreshInterval: 10_000 });
  await client.get('k');
  for (let looks = 1; looks <= 3; looks++) {
    // The time stands still.
    await turns(100);
    expect(asked).toBe(looks);
    await clock.advance(10_000);
    while (asked === looks) await turns();
  }
  await client.close();
});

it('a version of old changes nothing', async () => {
  const { client, clock } = makeClient();
  announce(7, [0, 1]);
  await client.get('k');
  for (const version of [6, 1, 7]) {
    announce(version, [2, 3]);
    await clock.advance(60_000);
    await turns(20);
    expect(names(client)).toEqual(byIp(0, 1));
  }
  announce(8, [2, 3]);
  await clock.advance(60_000);
  while (names(client).join() !== byIp(2, 3).join()) await turns();
  await client.close();
});

it.each([1, 7])('a cluster that was made anew, and counts from %i, is followed after a while', async (version) => {
  const { client, clock } = makeClient();
  announce(7, [0, 1]);
  await client.get('k');
  const asked = (): number => endpoint.metrics.commands['config'] ?? 0;
  const look = async (): Promise<void> => {
    const before = asked();
    await clock.advance(60_000);
    while (asked() === before) await turns();
    await turns(20);
  };
  announce(version, [2, 3]);
  for (let i = 0; i < 28; i++) await look();
  expect(names(client)).toEqual(byIp(0, 1));
  // The old list once more, in another order: what was told before has been outdated.
  announce(7, [1, 0]);
  await look();
  announce(version, [2, 3]);
  for (let i = 0; i < 29; i++) await look();
  expect(names(client)).toEqual(byIp(0, 1));
  await look();
  while (names(client).join() !== byIp(2, 3).join()) await turns();
  announce(version + 1, [3]);
  await look();
  while (names(client).join() !== byIp(3).join()) await turns();
  await client.close();
});

it('a look that fails makes nobody forget what was known: not the version, and not whom to ask', async () => {
  const { client, clock } = makeClient();
  announce(7, [0, 1]);
  await client.get('k');
  const look = async (): Promise<void> => {
    await clock.advance(60_000);
    await turns(30);
  };
  endpoint.cluster = undefined;
  await look();
  announce(6, [2, 3]);
  await look();
  expect(names(client)).toEqual(byIp(0, 1));
  // The endpoint is gone for good: the servers that were known before it failed are asked, in turn.
  await endpoint.close();
  await look();
  const [, second] = nodes;
  if (second === undefined) throw new Error('no nodes');
  second.cluster = { version: 8, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: port(3) }] };
  await look();
  while (names(client).join() !== byIp(3).join()) await turns();
  await client.close();
});

it('close ends a look that is not answered, with no time passing', async () => {
  const silent = await ScriptedServer.start((connection) => connection.hold());
  let open = 0;
  const connect: Connect = (address, options, handler) => {
    open++;
    return connectSocket(address, options, {
      ...handler,
      onClose: (cause) => {
        open--;
        handler.onClose(cause);
      },
    });
  };
  const client = new ElastiCacheClient(silent.address, { clock: new VirtualClock(), timeout: 0, connect });
  const call = failure(client.get('k'));
  while (silent.connections.length === 0) await turns();
  expect(open).toBe(1);
  await client.close();
  expect(await call).toMatchObject({ code: 'MEMCACHE_NO_SERVERS' });
  await turns(5);
  expect(open).toBe(0);
  await silent.close();
});

it('uses addresses, or host names when it is told to; what is missing is stood in for', async () => {
  const { client } = makeClient({ useVpc: false });
  await client.get('k');
  expect(names(client)).toEqual([0, 1, 2].map((index) => `localhost:${port(index)}`).sort());
  await client.close();
  endpoint.cluster = { version: 1, nodes: [{ host: 'localhost', port: port(0) }] };
  const other = makeClient().client;
  await other.get('k');
  expect(names(other)).toEqual([`localhost:${port(0)}`]);
  await other.close();
});

it('asks engines before 1.4.14 in their way', async () => {
  const old = await ScriptedServer.start();
  const list = `12\nlocalhost|127.0.0.1|${port(0)} localhost||${port(1)}\n`;
  old.put('AmazonElastiCache:cluster', list, 0);
  const client = new ElastiCacheClient(old.address);
  expect(await client.set('k', 'v')).toBe(true);
  expect(names(client)).toEqual([...byIp(0), `localhost:${port(1)}`].sort());
  await client.close();
  await old.close();
});

it.each<[string, string, number]>([
  ['as Amazon documents it', '1\nlocalhost|127.0.0.1|PORT\n', 0],
  ['without the last line end', '1\nlocalhost|127.0.0.1|PORT\n', -1],
  ['with that before the end token', '1\nlocalhost|127.0.0.1|PORT\n', 2],
  ['without any, where there are two', '1\r\nlocalhost|127.0.0.1|PORT\r\n', -2],
])('the length of the list may be counted %s', async (_, template, more) => {
  const list = template.replace('PORT', String(port(0)));
  const server = await ScriptedServer.start();
  server.next(async (connection) => {
    await connection.expect('config get cluster\r\n');
    await connection.send(`CONFIG cluster 0 ${list.length + more}\r\n${list}\r\nEND\r\n`);
  });
  const client = new ElastiCacheClient(server.address);
  expect(await client.set('k', 'v')).toBe(true);
  expect(names(client)).toEqual(byIp(0));
  await client.close();
  await server.close();
});

it.each<[string, string]>([
  ['an ordinary memcached', 'ERROR\r\n'],
  ['a length that leaves out a character', 'CONFIG cluster 0 24\r\n1\nlocalhost|127.0.0.1|11211\n\r\nEND\r\n'],
  ['a length of which a character is missing', 'CONFIG cluster 0 31\r\n1\nlocalhost|127.0.0.1|11211\n\r\nEND\r\n'],
  ['a wrong length', 'CONFIG cluster 0 5\r\n1\nlocalhost|127.0.0.1|11211\n\r\nEND\r\n'],
  ['no version', 'CONFIG cluster 0 27\r\nx\nlocalhost|127.0.0.1|11211\n\r\nEND\r\n'],
  ['no nodes', 'CONFIG cluster 0 3\r\n1\n\n\r\nEND\r\n'],
  ['a node without port', 'CONFIG cluster 0 22\r\n1\nlocalhost|127.0.0.1|\n\r\nEND\r\n'],
  ['port 0', 'CONFIG cluster 0 23\r\n1\nlocalhost|127.0.0.1|0\n\r\nEND\r\n'],
  ['a host that is none', 'CONFIG cluster 0 14\r\n1\na;b||11211\n\r\nEND\r\n'],
  ['an empty name', 'CONFIG cluster 0 10\r\n1\n||11211\n\r\nEND\r\n'],
  ['a fourth part', 'CONFIG cluster 0 21\r\n1\na|127.0.0.1|11211|x\n\r\nEND\r\n'],
  ['garbage', '<html>\r\n\r\nEND\r\n'],
])('%s: the calls that wait get an error, and a list that is known stays', async (_, answer) => {
  const bad = await ScriptedServer.start();
  bad.next(async (connection) => {
    await connection.expect('config get cluster\r\n');
    await connection.send(answer);
  });
  const client = new ElastiCacheClient(bad.address);
  const error = await failure(client.get('k'));
  expect(error).toMatchObject({ code: 'MEMCACHE_NO_SERVERS', certainty: 'notSent' });
  expect(error.cause).toBeInstanceOf(Error);
  await client.close();
  await bad.close();
});

it('when the endpoint is gone the servers themselves are asked', async () => {
  const { client, clock } = makeClient();
  await client.get('k');
  await endpoint.close();
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  first.cluster = { version: 2, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: port(3) }] };
  await clock.advance(60_000);
  while (names(client).join() !== byIp(3).join()) await turns();
  expect(await client.set('k', 'v')).toBe(true);
  await client.close();
});

it('an endpoint that hangs is given up, also without a time-out: the servers are asked', async () => {
  const { client, clock } = makeClient({ timeout: 0 });
  await client.get('k');
  endpoint.faults = () => ({ delay: 1_000_000 });
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  first.cluster = { version: 2, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: port(3) }] };
  await clock.advance(60_000);
  await turns(20);
  await clock.advance(5000);
  while (names(client).join() !== byIp(3).join()) await turns();
  await client.close();
});

it('when nobody can tell, the list stays as it is', async () => {
  const { client, clock } = makeClient();
  await client.set('k', 'v');
  await endpoint.close();
  for (let minute = 0; minute < 3; minute++) {
    await clock.advance(60_000);
    await turns(20);
  }
  expect(names(client)).toEqual(byIp(0, 1, 2));
  expect(await client.get('k')).toBe('v');
  await client.close();
});

it.each([['are for all servers', 'bob', false], ['give way to the option', 'alice', true]])('credentials in the address of the endpoint %s', async (_, username, withOption) => {
  const user = { username: 'bob', password: 'a%20/:@b' };
  const [node, config] = await Promise.all([MemcachedServer.start({ auth: [user] }), MemcachedServer.start({ auth: [user] })]);
  config.cluster = { version: 1, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: node.port }] };
  const address = `memcached://${username}:${encodeURIComponent(user.password)}@${config.address}`;
  const client = new ElastiCacheClient(address, withOption ? { auth: user } : {});
  expect(await client.set('k', 'v')).toBe(true);
  expect(names(client)).toEqual([`127.0.0.1:${node.port}`]);
  expect(inspect(client, { depth: 9 })).not.toContain(user.password);
  await client.close();
  await Promise.all([node, config].map((server) => server.close()));
});

describeWithOpenssl('TLS', () => {
  it('in the address of the endpoint is for all servers: nothing travels in the clear', async () => {
    const authority = new TestAuthority('the authority');
    const tls = authority.sign('DNS:localhost');
    const clear: string[] = [];
    // It hangs up on a handshake, so that nobody has to wait until that is given up.
    const node = createServer((socket) => {
      socket.once('data', (data) => {
        clear.push(data.toString('latin1'));
        socket.destroy();
      }).on('error', () => undefined);
    });
    await once(node.listen(0, '127.0.0.1'), 'listening');
    const config = await MemcachedServer.start({ tls });
    config.cluster = { version: 1, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: (node.address() as AddressInfo).port }] };
    const rejectUnauthorized = false;
    // The certificate of this authority is known to nobody: to the endpoint it goes by a transport of its own.
    const connect: Connect = (address, options, handler) =>
      connectSocket(address, { ...options, tls: options.tls && { ...options.tls, rejectUnauthorized } }, handler);
    const client = new ElastiCacheClient(`memcacheds://localhost:${config.port}`, { connect });
    expect(await failure(client.set('k', 'a secret'))).toMatchObject({ code: 'MEMCACHE_CONNECT' });
    expect(names(client)).toHaveLength(1);
    expect(clear.length).toBeGreaterThan(0);
    expect(clear.join('')).not.toMatch(/set k|secret/);
    await client.close();
    node.close();
    await config.close();
    authority.remove();
  });

  it('goes to the endpoint and the servers alike, by host name', async () => {
    const authority = new TestAuthority('the authority');
    const tls = authority.sign('DNS:localhost');
    const [node, config] = await Promise.all([MemcachedServer.start({ tls }), MemcachedServer.start({ tls })]);
    config.cluster = { version: 1, nodes: [{ host: 'localhost', ip: '127.0.0.1', port: node.port }] };
    const client = new ElastiCacheClient(['localhost', config.port], { tls: { ca: authority.ca } });
    expect(await client.set('k', 'v')).toBe(true);
    expect(names(client)).toEqual([`localhost:${node.port}`]);
    await client.close();
    await Promise.all([node, config].map((server) => server.close()));
    authority.remove();
  });
});
