/** What is known of a call that a proxy answered by an error of its own: not what a server's error line says. */
import { Client, HashClient, MemcachePartialError, RetryingClient, type Certainty } from '../../src';
import { failure } from '../support/contract';
import { memcachedBinary, startMemcached } from '../support/memcached';
import { KINDS_OVER_ONE_SERVER, type MakeClient } from '../support/one-server';
import { memcachedProxyBinary, startMemcachedProxy, startTwemproxy, twemproxyBinary, type StartProxy } from '../support/proxies';
import { ScriptedServer, type Script } from '../support/scripted-server';

const kinds: readonly (readonly [string, MakeClient])[] = [
  ...KINDS_OVER_ONE_SERVER.filter(([name]) => !/Retrying|Fallback/.test(name)),
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options), { attempts: 1 })],
];

const LOST = 'SERVER_ERROR Connection timed out\r\n';
const REFUSED = 'SERVER_ERROR Connection refused\r\n';

describe('by the words', () => {
  let server: ScriptedServer;
  beforeEach(async () => {
    server = await ScriptedServer.start();
  });
  afterEach(async () => {
    await server.close();
    expect(server.failures).toEqual([]);
  });

  /** Answers each of these requests by its line. */
  const answering = (...exchange: readonly (readonly [RegExp, string])[]): Script => async (connection) => {
    for (const [pattern, reply] of exchange) {
      await connection.expectMatch(pattern);
      await connection.send(reply);
    }
  };

  it.each<[string, Certainty]>([
    // twemproxy, in the system's words.
    ['Connection refused', 'notSent'],
    ['Connection timed out', 'maybeExecuted'],
    ['Connection reset by peer', 'maybeExecuted'],
    ['Invalid argument', 'maybeExecuted'],
    ['Broken pipe', 'maybeExecuted'],
    ['No route to host', 'maybeExecuted'],
    ['unknown', 'maybeExecuted'],
    // memcached's own proxy.
    ['backend failure', 'maybeExecuted'],
    ['bad response', 'maybeExecuted'],
    ['lua failure', 'maybeExecuted'],
    // mcrouter.
    ['timeout', 'maybeExecuted'],
    ['connection error', 'maybeExecuted'],
    ['unavailable', 'maybeExecuted'],
    ['remote error', 'maybeExecuted'],
    // A server itself.
    ['object too large for cache', 'executed'],
    ['out of memory storing object', 'executed'],
    ['out of memory writing get response', 'executed'],
    ['busy', 'executed'],
  ])('%s: %s', async (words, certainty) => {
    const client = new Client(server.address);
    server.next(answering([/incr n 1\r\n/, `SERVER_ERROR ${words}\r\n`]));
    expect(await failure(client.incr('n'))).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', message: words, certainty });
    expect(await client.get('n')).toBeUndefined();
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it.each(kinds)('%s: setMany does not call a key not stored that may have been', async (_, make) => {
    const client = make(server.address);
    server.next(answering([/set e .*\r\n.*\r\n/, `STORED\r\n${LOST}NOT_STORED\r\n${REFUSED}SERVER_ERROR out of memory storing object\r\n`]));
    const error = await failure(client.setMany({ a: 1, b: 2, c: 3, d: 4, e: 5 }));
    expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted', cause: { message: 'Connection timed out' } });
    expect((error as MemcachePartialError).partial).toEqual(['c', 'd', 'e']);
    expect(await client.get('none')).toBeUndefined();
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it.each(kinds)('%s: setMany lists the keys that were not sent on', async (_, make) => {
    const client = make(server.address);
    server.next(answering([/set c .*\r\n.*\r\n/, `${REFUSED}STORED\r\n${REFUSED}`]));
    expect(await client.setMany({ a: 1, b: 2, c: 3 })).toEqual(['a', 'c']);
    await client.close();
  });

  it('a value that is too large among them: its key is in the list too', async () => {
    const client = new Client(server.address, { maxValueSize: 100 });
    server.next(answering([/set b .*\r\n.*\r\n/, `${REFUSED}${LOST}`], [/delete large\r\n/, 'DELETED\r\n']));
    const error = await failure(client.setMany({ a: 1, b: 2, large: 'x'.repeat(200) }));
    expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted' });
    expect((error as MemcachePartialError).partial).toEqual(['a', 'large']);
    await client.close();
  });

  it.each<[string, string, Certainty]>([
    ['one done, one not sent on', `DELETED\r\n${REFUSED}`, 'maybeExecuted'],
    ['one not sent on, one done', `${REFUSED}NOT_FOUND\r\n`, 'maybeExecuted'],
    ['none sent on', `${REFUSED}${REFUSED}`, 'notSent'],
    ['one lost', `${LOST}DELETED\r\n`, 'maybeExecuted'],
  ])('deleteMany, %s', async (_, reply, certainty) => {
    const client = new Client(server.address);
    server.next(answering([/delete b\r\n/, reply]));
    expect(await failure(client.deleteMany(['a', 'b']))).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', command: 'delete', server: server.address, certainty });
    await client.close();
  });

  it.each<[string, string, Certainty]>([
    ['one there, one not sent on', `VALUE a 16 1\r\n1\r\nEND\r\n${REFUSED}`, 'maybeExecuted'],
    ['none sent on', `${REFUSED}${REFUSED}`, 'notSent'],
    ['one refused by its server', `END\r\nSERVER_ERROR out of memory writing get response\r\n`, 'executed'],
  ])('getMany, %s', async (_, reply, certainty) => {
    const client = new Client(server.address, { proxy: true });
    server.next(answering([/get b\r\n/, reply]));
    expect(await failure(client.getMany(['a', 'b']))).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty });
    await client.close();
  });

  it('RetryingClient: repeats what may be done twice, and what was not sent on', async () => {
    const client = new RetryingClient(new Client(server.address));
    server.put('k', 'v');
    server.put('n', '1', 2);
    server.next(answering([/get k\r\n/, LOST]));
    expect(await client.get('k')).toBe('v');
    await client.close();
    server.next(answering([/incr n 1\r\n/, REFUSED]));
    expect(await client.incr('n')).toBe(2);
    await client.close();
    server.next(answering([/incr n 1\r\n/, LOST]));
    expect(await failure(client.incr('n'))).toMatchObject({ certainty: 'maybeExecuted' });
    expect(await client.get('n')).toBe(2);
    await client.close();
  });

  it('RetryingClient: a setMany that was lost first, and not sent on later, may have stored', async () => {
    const client = new RetryingClient(new Client(server.address));
    server.next(answering([/set b .*\r\n.*\r\n/, `${LOST}STORED\r\n`], [/set b .*\r\n.*\r\n/, `${REFUSED}STORED\r\n`]));
    const error = await failure(client.setMany({ a: 1, b: 2 }));
    expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted' });
    expect((error as MemcachePartialError).partial).toEqual([]);
    await client.close();
  });

  it.each([LOST, REFUSED])('a proxy that answers a probe so is back: %j', async (answer) => {
    const client = new HashClient([server.address], { retryTimeout: 20, retryAttempts: 100 });
    server.next((connection) => connection.rst());
    await failure(client.get('k'));
    expect(client.servers()).toMatchObject([{ state: 'failing' }]);
    server.next(answering([/get k\r\n/, answer]));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR' });
    expect(client.servers()).toMatchObject([{ state: 'healthy' }]);
    await client.close();
  });
});

const KEYS = Array.from({ length: 20 }, (_, i) => `key-${i}`);

function describeReal(name: string, binary: string | undefined, start: StartProxy): void {
  const describeOrSkip = binary === undefined || memcachedBinary() === undefined ? describe.skip : describe;
  describeOrSkip(name, () => {
    it('a server that stands still and then executes what it was sent: nobody was told that it had not, or had', async () => {
      const server = name === 'twemproxy' ? memcachedBinary() : binary;
      const backends = await Promise.all([startMemcached([], undefined, server), startMemcached([], undefined, server)]);
      const proxy = await start(backends.map(({ address }) => address));
      const client = new Client(proxy.address, { timeout: 20_000, proxy: true });
      await client.setMany(KEYS.map((key): [string, number] => [key, 1]));
      process.kill(backends[0].pid, 'SIGSTOP');
      const single = await Promise.all(KEYS.map((key) => client.incr(key).catch((error: unknown) => error)));
      const many = await failure(client.setMany(KEYS.map((key): [string, number] => [`${key}-many`, 1])));
      process.kill(backends[0].pid, 'SIGCONT');
      const lost = single.filter((outcome) => outcome !== 2);
      expect(lost.length).toBeGreaterThan(0);
      for (const error of lost) expect(error).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', certainty: 'maybeExecuted' });
      expect(many).toMatchObject({ code: 'MEMCACHE_PARTIAL', certainty: 'maybeExecuted' });
      expect((many as MemcachePartialError).partial).toEqual([]);
      await client.close();
      await proxy.stop();
      await Promise.all(backends.map((backend) => backend.stop()));
    });
  });
}

describeReal('memcached’s own proxy', memcachedProxyBinary(), startMemcachedProxy);
describeReal('twemproxy', twemproxyBinary(), startTwemproxy);
