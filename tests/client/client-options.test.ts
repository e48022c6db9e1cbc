import {
  Client,
  dnsDiscovery,
  ElastiCacheClient,
  HashClient,
  MemcacheIllegalInputError,
  PooledClient,
  RetryingClient,
  type Client as AnyClient,
  type ClientOptions,
  type HashClientOptions,
} from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { illegal } from '../support/contract';
import { VirtualClock } from '../support/virtual-clock';

it.each<[string, unknown]>([
  ['connectTimeout', -1],
  ['connectTimeout', NaN],
  ['connectTimeout', '1000'],
  ['timeout', Infinity],
  ['timeout', 2 ** 31],
  ['timeout', null],
  ['noDelay', 1],
  ['keepAlive', -1],
  ['keepAlive', 'yes'],
  ['tls', 'yes'],
  ['tls', null],
  ['auth', { username: 'a b', password: 'x' }],
  ['auth', { username: 'a:b', password: 'x' }],
  ['auth', { username: 'a', password: 'x\r\n' }],
  ['auth', { username: 'a' }],
  // memcached knows no password with a blank.
  ['auth', { username: 'a', password: 'x y' }],
  ['maxPending', 0],
  ['maxPending', 1.5],
  ['maxValueSize', 0],
  ['maxValueSize', '1m'],
  ['keyPrefix', 'a b'],
  ['keyPrefix', 7],
  ['keyPrefix', 'é'],
  ['allowUnicodeKeys', 'yes'],
  ['defaultNoreply', 0],
  ['ignoreErrors', 'no'],
])('%s: %p is refused by name', (name, value) => {
  const options: object = { [name]: value };
  const make: (() => AnyClient)[] = [
    () => new Client('localhost', options),
    () => new PooledClient('localhost', options),
    () => new HashClient(['localhost'], options),
  ];
  for (const client of make) {
    expect(client).toThrow(MemcacheIllegalInputError);
    expect(client).toThrow(name);
  }
});

it.each<[string, unknown]>([
  ['maxPoolSize', 0],
  ['minPoolSize', -1],
  ['poolIdleTimeout', 'x'],
  ['acquireTimeout', -5],
  ['maxWaiting', 0.5],
])('%s: %p is refused by name by a pool', (name, value) => {
  const options: object = { [name]: value };
  expect(() => new PooledClient('localhost', options)).toThrow(MemcacheIllegalInputError);
  expect(() => new PooledClient('localhost', options)).toThrow(name);
  expect(() => new HashClient(['localhost'], { usePooling: true, ...options })).toThrow(name);
});

it.each<[string, unknown]>([
  ['retryAttempts', -1],
  ['retryTimeout', NaN],
  ['deadTimeout', '60'],
  ['usePooling', 1],
])('%s: %p is refused by name by a cluster', (name, value) => {
  const options: object = { [name]: value };
  expect(() => new HashClient(['localhost'], options)).toThrow(MemcacheIllegalInputError);
  expect(() => new HashClient(['localhost'], options)).toThrow(name);
});

it.each<[string, unknown]>([
  ['attempts', 0],
  ['attempts', 1.5],
  ['retryDelay', -1],
  ['retryDelay', 'soon'],
  ['retryFor', [{}]],
  ['retryFor', Error],
  ['doNotRetryFor', ['MEMCACHE_TIMEOUT']],
])('%s: %p is refused by name by a client that retries', (name, value) => {
  const options: object = { [name]: value };
  expect(() => new RetryingClient(new Client('localhost'), options)).toThrow(MemcacheIllegalInputError);
  expect(() => new RetryingClient(new Client('localhost'), options)).toThrow(name);
});

it('a cluster is made of servers, each of them once', () => {
  expect(() => new HashClient(illegal('localhost'))).toThrow('servers');
  expect(() => new HashClient(illegal(7))).toThrow('servers');
  expect(() => new HashClient(['localhost', 'localhost:11211'])).toThrow('already');
  expect(() => new HashClient([{ server: 'localhost', weight: 0 }])).toThrow('weight');
});

it('tls: false is refused for an address that asks for TLS', () => {
  const address = 'memcacheds://user:secret@localhost';
  for (const make of [() => new Client(address, { tls: false }), () => new PooledClient(address, { tls: false }), () => new HashClient([address], { tls: false })]) {
    expect(make).toThrow(new MemcacheIllegalInputError('tls: false contradicts the address memcacheds://…'));
  }
});

it('making a client opens nothing and takes no time', () => {
  for (let i = 0; i < 1000; i++) new Client('does.not.exist.example');
});

const makers: [name: string, make: (address: string, options: ClientOptions) => Client][] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
];

it.each(makers)('a %s keeps the options that it was made with, whatever becomes of their object', async (_, make) => {
  await using server = await MemcachedServer.start();
  const options: ClientOptions = { keyPrefix: 'a:' };
  const client = make(server.address, options);
  options.keyPrefix = 'b:';
  await client.set('k', 'v');
  expect(client.options.keyPrefix).toBe('a:');
  expect(await new RetryingClient(client).get('k')).toBe('v');
  await client.close();
});

it.each(makers)('a %s takes options that are inherited', async (_, make) => {
  await using server = await MemcachedServer.start();
  server.faults = () => ({ drop: true });
  const clock = new VirtualClock();
  const client = make(server.address, Object.create({ timeout: 100, keyPrefix: 'a:', clock }) as ClientOptions);
  let error: unknown;
  void client.get('k').catch((reason: unknown) => (error = reason));
  await clock.advance(99);
  expect(error).toBeUndefined();
  await clock.advance(1);
  expect(error).toMatchObject({ code: 'MEMCACHE_TIMEOUT' });
  expect(client.options.keyPrefix).toBe('a:');
  await client.close();
});

it('an EmbeddedClient takes options that are inherited', async () => {
  const client = new EmbeddedClient(undefined, Object.create({ maxPending: 1 }) as ClientOptions);
  const [first, second] = await Promise.allSettled([client.set('k', 'v'), client.set('k', 'w')]);
  expect([first, second]).toMatchObject([{ value: true }, { reason: { code: 'MEMCACHE_OVERLOADED' } }]);
  await client.close();
});

it('a cluster takes its options when it is made: a server that is added later has the same', async () => {
  const options: HashClientOptions = { usePooling: true, maxPoolSize: 2 };
  const client = new HashClient(['127.0.0.1:1'], options);
  options.maxPoolSize = 0;
  await client.addServer('127.0.0.1:2');
  expect(client.servers()).toHaveLength(2);
  await client.close();
});

it.each([[{ maxPoolSize: 0 }, 'maxPoolSize'], [{ maxPoolSize: 2, minPoolSize: 3 }, 'minPoolSize'], [{ maxWaiting: 0.5 }, 'maxWaiting']])(
  'a cluster with a source refuses %p when it is made, not with its first call',
  (options, name) => {
    const source = dnsDiscovery('localhost');
    expect(() => new HashClient(source, { usePooling: true, ...options })).toThrow(name);
    expect(() => new ElastiCacheClient('localhost', { usePooling: true, ...options })).toThrow(name);
  },
);
