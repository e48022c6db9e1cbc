import { Client, HashClient, MemcacheIllegalInputError, PooledClient, RetryingClient, type Client as AnyClient } from '../../src';
import { illegal } from '../support/contract';

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
