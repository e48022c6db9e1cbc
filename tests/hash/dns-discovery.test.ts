import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { HashClient, dnsDiscovery, srvDiscovery, type SrvRecord } from '../../src';
import { MemcachedServer } from '../../src/server';
import { illegal } from '../support/contract';
import { VirtualClock } from '../support/virtual-clock';

it('asks the system for the addresses of a name', async () => {
  const server = await MemcachedServer.start();
  const client = new HashClient(dnsDiscovery('localhost', { port: server.port }));
  await client.version().catch(() => undefined);
  expect(client.servers().map(({ name }) => name)).toContain(`127.0.0.1:${server.port}`);
  await client.close();
  await server.close();
});

it('follows the addresses as they change, each once, in whatever order they come', async () => {
  const clock = new VirtualClock();
  const answers = [['10.0.0.2', '10.0.0.1', '10.0.0.2'], ['10.0.0.1', '10.0.0.2'], ['10.0.0.3', '10.0.0.2']];
  const asked: string[] = [];
  const lookup = (name: string): Promise<{ address: string }[]> => {
    asked.push(name);
    return Promise.resolve((answers.shift() ?? []).map((address) => ({ address })));
  };
  const client = new HashClient(dnsDiscovery('cache.svc', { port: 11212, refreshInterval: 5000, lookup }), { clock });
  const ended = client.getMany([]);
  await ended;
  await client.get('k', { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  const names = (): string[] => client.servers().map(({ name }) => name);
  expect(names()).toEqual(['10.0.0.1:11212', '10.0.0.2:11212']);
  await clock.advance(5000);
  expect(names()).toEqual(['10.0.0.1:11212', '10.0.0.2:11212']);
  await clock.advance(5000);
  expect(names().sort()).toEqual(['10.0.0.2:11212', '10.0.0.3:11212']);
  expect(asked).toEqual(['cache.svc', 'cache.svc', 'cache.svc']);
  await client.close();
});

it('SRV: those of the best priority, with their weights', async () => {
  const records: SrvRecord[] = [
    { name: 'b.example', port: 11212, priority: 1, weight: 30 },
    { name: 'spare.example', port: 11211, priority: 2, weight: 100 },
    { name: 'a.example', port: 11211, priority: 1, weight: 0 },
  ];
  const client = new HashClient(srvDiscovery('_memcache._tcp.example', { resolveSrv: () => Promise.resolve(records) }));
  await client.get('k', { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  expect(client.servers().map(({ name, weight }) => [name, weight])).toEqual([['a.example:11211', 1], ['b.example:11212', 30]]);
  await client.close();
});

/** A DNS server that knows one SRV record: https://www.rfc-editor.org/rfc/rfc1035 §4 */
function srvAnswer(query: Buffer, target: string, port: number): Buffer {
  const question = query.subarray(12);
  const labels = target.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const name = Buffer.concat([...labels, Buffer.from([0])]);
  const data = Buffer.alloc(6);
  data.writeUInt16BE(10, 2);
  data.writeUInt16BE(port, 4);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(33, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length + name.length, 10);
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 6);
  header.writeUInt32BE(0, 8);
  // The question ends with its class; an OPT record may follow it.
  const end = question.indexOf(0) + 5;
  return Buffer.concat([header, question.subarray(0, end), record, data, name]);
}

it('SRV over a real resolver', async () => {
  const server = await MemcachedServer.start();
  const udp = createSocket('udp4');
  udp.on('message', (query, { port, address }) => {
    udp.send(srvAnswer(query, 'localhost', server.port), port, address);
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const resolver = new dns.Resolver();
  resolver.setServers([`127.0.0.1:${udp.address().port}`]);
  const client = new HashClient(srvDiscovery('_memcache._tcp.cluster.test', { resolveSrv: (name) => resolver.resolveSrv(name) }));
  expect(await client.set('k', 'v')).toBe(true);
  expect(client.servers()).toMatchObject([{ name: `localhost:${server.port}`, weight: 10 }]);
  await client.close();
  udp.close();
  await server.close();
});

it('a name that cannot be, and a port that cannot be, are refused', () => {
  expect(() => dnsDiscovery('')).toThrow('name');
  expect(() => dnsDiscovery('a b')).toThrow('name');
  expect(() => srvDiscovery(illegal(7))).toThrow('name');
  expect(() => dnsDiscovery('a', { port: 0 })).toThrow('port');
  expect(() => srvDiscovery('a', { refreshInterval: -1 })).toThrow('refreshInterval');
});
