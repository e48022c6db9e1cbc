import { inspect } from 'node:util';
import { Client, MemcacheIllegalInputError } from '../../src';
import { parseServerAddress } from '../../src/client/server-address';

it.each<[string, unknown, string, boolean]>([
  ['a host', 'cache', 'cache:11211', false],
  ['host and port', 'cache.example.org:11212', 'cache.example.org:11212', false],
  ['an IPv4 address', '127.0.0.1:11211', '127.0.0.1:11211', false],
  ['an IPv6 address', '::1', '::1:11211', false],
  ['an IPv6 address in brackets', '[::1]', '::1:11211', false],
  ['an IPv6 address and port', '[fe80::1%eth0]:1', 'fe80::1%eth0:1', false],
  ['an IPv6 address with a zone, in a URL', 'memcached://[fe80::1%25eth0]:1', 'fe80::1%eth0:1', false],
  ['an IPv6 address with a zone that is a number, in a URL', 'memcacheds://[fe80::1%252]', 'fe80::1%2:11211', true],
  ['an IPv6 address with a zone, as it is, in a URL', 'memcached://u:p%2525@[fe80::1%eth0]', 'fe80::1%eth0:11211', false],
  ['a path', '/run/memcached.sock', '/run/memcached.sock', false],
  ['a path with its scheme', 'unix:/run/memcached.sock', '/run/memcached.sock', false],
  ['a URL', 'memcached://cache:11212', 'cache:11212', false],
  ['a URL with a slash', 'memcached://cache/', 'cache:11211', false],
  ['a URL for TLS', 'memcacheds://[::1]:11212', '::1:11212', true],
  ['a pair', ['cache', 11212], 'cache:11212', false],
  ['an object', { host: 'cache', port: 11212 }, 'cache:11212', false],
  ['an object without a port', { host: 'cache' }, 'cache:11211', false],
  ['an object with a path', { path: '/s' }, '/s', false],
])('%s', (_, server, name, tls) => {
  expect(parseServerAddress(server)).toMatchObject({ name, tls });
});

it.each<[string, unknown]>([
  ['nothing', ''],
  ['undefined', undefined],
  ['a number', 11211],
  ['a port alone', ':11211'],
  ['a port that is none', 'cache:http'],
  ['port 0', 'cache:0'],
  ['a port too large', 'cache:65536'],
  ['two ports', 'cache:1:2'],
  ['a blank', 'ca che'],
  ['a line end', 'cache\r\n:11211'],
  ['NUL in a path', '/a\0b'],
  ['an empty path', { path: '' }],
  ['unix: alone', 'unix:'],
  ['brackets without IPv6', '[cache]:11211'],
  ['a scheme of others', 'redis://cache'],
  ['a URL without a host', 'memcached://'],
  ['a URL with a path', 'memcached://cache/0'],
  ['a user without a password', 'memcached://user@cache'],
  ['broken escapes', 'memcached://user:%zz@cache'],
  ['a pair with a text as port', ['cache', '11211']],
  ['three', ['cache', 1, 2]],
  ['an empty object', {}],
  ['null', null],
])('refuses %s', (_, server) => {
  expect(() => parseServerAddress(server)).toThrow(MemcacheIllegalInputError);
  expect(() => parseServerAddress(server)).toThrow(/^server/);
});

it.each<[unknown, string]>([
  [{ host: 'cache', prot: 11212 }, 'there is no option "prot"; the options are host, port'],
  [{ path: '/s', port: 11211 }, 'there is no option "port"; the options are path'],
])('a part that there is not is no server elsewhere: %j', (server, message) => {
  expect(() => parseServerAddress(server)).toThrow(new MemcacheIllegalInputError(message));
});

it('a URL is told of the forms that there are', () => {
  expect(() => parseServerAddress(new URL('memcached://cache:11212'))).toThrow(/^server must be .*"memcached:/);
});

it.each([[['a:1', 'b:1']], [['a', 'b', 'c']], ['a:1,b:1']])('several servers for one client are sent to HashClient: %j', (servers) => {
  expect(() => parseServerAddress(servers)).toThrow(/several servers are for HashClient, in an array$/);
});

it('takes credentials out of a URL and shows them to nobody', () => {
  const address = parseServerAddress('memcached://us%2Fer:p%40ss:w0rd@cache:11212');
  expect(address).toMatchObject({ name: 'cache:11212' });
  expect(address.auth).toEqual({ username: 'us/er', password: 'p@ss:w0rd' });
  const client = new Client('memcached://user:s3cret@cache');
  for (const shown of [inspect(address, { depth: 9 }), JSON.stringify(address), inspect(client, { depth: 9 }), JSON.stringify(client)]) {
    expect(shown).not.toMatch(/p@ss|s3cret/);
  }
  try {
    new Client('memcached://user:s3cret@ca che');
  } catch (error) {
    expect(String(error)).not.toContain('s3cret');
  }
  expect.assertions(7);
});
