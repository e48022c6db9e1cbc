import { join } from 'node:path';
import { inspect } from 'node:util';
import { CHANNELS, Client, FallbackClient, HashClient, MemcacheConnectError, MemcachePartialError, MemcacheTimeoutError, RetryingClient } from '../../src';
import { failure, illegal, rejection } from '../support/contract';
import { runAlone } from '../support/program';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import type { BrokenSubscriberReport } from './alone/broken-subscriber';
import { BoundStore } from './bound-store';
import { Recorder } from './recorder';

let server: MemcachedProcess;
let dead: string;
beforeAll(async () => {
  server = await startMemcached();
  const gone = await startMemcached();
  await gone.stop();
  dead = gone.address;
});
afterAll(async () => {
  await server.stop();
});

/** A transport over which nothing comes. */
const nobody = { backlog: 0, write: nothing, cork: nothing, uncork: nothing, destroy: nothing, ref: nothing, unref: nothing };
function nothing(): void {
  // There is nothing to do.
}

describe('diagnostics', () => {
  it('key tells what the function makes of the first key, and nothing when it throws or gives no string', async () => {
    const recorder = new Recorder();
    const functions = [(key: unknown) => String(key).split(':')[0] ?? '', () => { throw new Error('no'); }, () => illegal(7)];
    for (const key of functions) {
      const client = new Client(server.address, { diagnostics: { key } });
      await client.get('user:1');
      await client.getMany(['page:1', 'page:2']);
      await client.version();
      await client.close();
    }
    recorder.stop();
    expect(recorder.of(CHANNELS.command, 'start').map(({ key }) => key)).toEqual(['user', 'page', ...new Array<undefined>(7).fill(undefined)]);
  });

  it('sample is the share of calls that are told, connections apart', async () => {
    const recorder = new Recorder();
    for (const sample of [0, 0.5]) {
      const client = new Client(server.address, { diagnostics: { sample } });
      for (let i = 0; i < 400; i++) await client.get('a');
      await client.close();
      const { length } = recorder.of(CHANNELS.command).filter(({ clientId }) => clientId === client.clientId);
      expect(length).toBeGreaterThanOrEqual(sample * 400 * 0.7);
      expect(length).toBeLessThanOrEqual(sample * 400 * 1.3);
    }
    recorder.stop();
    expect(recorder.of(CHANNELS.connect)).toHaveLength(2);
    expect(recorder.unbalanced(CHANNELS.command)).toEqual([]);
  });

  it.each([7, { keys: 1 }, { key: 'x' }, { sample: 2 }, { sample: -0.1 }, { sample: NaN }, { sample: '1' }])('%j is refused', (diagnostics) => {
    expect(() => new Client(server.address, { diagnostics: illegal(diagnostics) })).toThrow(/diagnostics must be/);
  });
});

it('a call for many keys with one key has the outcome of that key', async () => {
  const client = new Client(server.address);
  await client.delete('one');
  const recorder = new Recorder();
  expect(await client.getMany(['one'])).toEqual(new Map());
  expect(await client.setMany({ one: 1 })).toEqual([]);
  expect(await client.getMany(['one'])).toEqual(new Map([['one', 1]]));
  expect((await client.getsMany(['one'])).size).toBe(1);
  expect(await client.deleteMany(['one'])).toBe(1);
  expect(await client.deleteMany(['one'])).toBe(0);
  recorder.stop();
  expect(recorder.of(CHANNELS.command).map(({ command, outcome, hits }) => [command, outcome, hits])).toEqual([
    ['get', 'miss', 0],
    ['set', 'stored', undefined],
    ['get', 'hit', 1],
    ['gets', 'hit', 1],
    ['delete', 'ok', undefined],
    ['delete', 'miss', undefined],
  ]);
  await client.close();
});

it('what is bound to the start of a call is there at its end, as with tracePromise, and not in its caller', async () => {
  const { storage, seen, stop } = new BoundStore(CHANNELS.command);
  const client = new Client(server.address);
  try {
    await storage.run('request', async () => {
      await client.get('a');
      await failure(client.raw('nonsense'));
      expect(storage.getStore()).toBe('request');
    });
  } finally {
    stop();
  }
  // start, end, asyncStart, asyncEnd, and error for the second.
  expect(seen).toEqual(new Array<boolean>(9).fill(true));
  await client.close();
});

it.each<[string, () => Client]>([
  ['made', () => new Client(server.address)],
  ['refused', () => new Client(dead)],
  ['too late', () => new Client(dead, { connectTimeout: 20, connect: (_, __, handler) => ({ ...nobody, destroy: () => { process.nextTick(() => { handler.onClose(undefined); }); } }) })],
])('what is bound to the start of a connection is there at its end, when it is %s', async (_, make) => {
  const { seen, stop } = new BoundStore(CHANNELS.connect);
  const client = make();
  try {
    await client.get('a').catch(() => undefined);
  } finally {
    stop();
  }
  expect(seen.length).toBeGreaterThan(3);
  expect(seen).not.toContain(false);
  await client.close();
});

it('says what came of each call', async () => {
  const recorder = new Recorder();
  const client = new Client(server.address);
  await client.set('k', 'v');
  await client.add('k', 'v');
  await client.get('k');
  await client.get('none');
  await client.getMany(['k', 'none', 'none2']);
  await client.cas('k', 'w', '1234567');
  await client.cas('none', 'w', '1');
  await client.delete('k');
  await client.delete('k');
  await client.set('k', 'v', { noreply: true });
  await client.incr('k').catch(() => undefined);
  await client.version();
  await client.close();
  recorder.stop();
  expect(recorder.of(CHANNELS.command).map(({ command, keyCount, outcome, hits, error }) => [command, keyCount, outcome, hits, error?.code])).toEqual([
    ['set', 1, 'stored', undefined, undefined],
    ['add', 1, 'notStored', undefined, undefined],
    ['get', 1, 'hit', 1, undefined],
    ['get', 1, 'miss', 0, undefined],
    ['get', 3, undefined, 1, undefined],
    ['cas', 1, 'exists', undefined, undefined],
    ['cas', 1, 'miss', undefined, undefined],
    ['delete', 1, 'ok', undefined, undefined],
    ['delete', 1, 'miss', undefined, undefined],
    ['set', 1, 'ok', undefined, undefined],
    ['incr', 1, undefined, undefined, 'MEMCACHE_CLIENT_ERROR'],
    ['version', 0, 'ok', undefined, undefined],
  ]);
  expect(recorder.of(CHANNELS.command).every(({ clientId, server: at }) => clientId === client.clientId && at === server.address)).toBe(true);
  expect(recorder.of(CHANNELS.command).some((message) => 'result' in message)).toBe(false);
});

it('a noreply call for many keys has no outcome: that is for one key', async () => {
  const recorder = new Recorder();
  const client = new Client(server.address);
  await client.setMany([['a', 1], ['b', 2]], { noreply: true });
  await client.deleteMany(['a', 'b'], { noreply: true });
  await client.close();
  recorder.stop();
  expect(recorder.of(CHANNELS.command)).toMatchObject([{ keyCount: 2, outcome: undefined }, { keyCount: 2, outcome: undefined }]);
});

it('what is refused before it is sent names its command and its server too', async () => {
  const client = new Client(server.address);
  const large = 'x'.repeat(2 ** 20 + 1);
  const refused: [command: string, error: unknown][] = [
    ['get', await failure(client.get('a b'))],
    ['get', await failure(client.getMany(['a b']))],
    ['gets', await failure(client.getsMany(['a b']))],
    ['set', await failure(client.set('a b', 1))],
    ['set', await failure(client.set('a', large))],
    ['add', await failure(client.add('a', large))],
    ['set', await failure(client.setMany([['a b', 1]]))],
    ['cas', await failure(client.cas('a', 1, 'x'))],
    ['delete', await failure(client.deleteMany(['a b']))],
    ['incr', await failure(client.incr('a', -1))],
    ['touch', await failure(client.touch('a', NaN))],
    ['mg', await failure(client.metaGet('a b'))],
    ['ms', await failure(client.metaSet('a b', 1))],
    ['md', await failure(client.metaDelete('a b'))],
    ['ma', await failure(client.metaArithmetic('a b'))],
    ['me', await failure(client.metaDebug('a b'))],
    ['verbosity', await failure(client.verbosity(-1))],
  ];
  for (const [command, error] of refused) expect(error).toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT', command, server: server.address, certainty: 'notSent' });
  await client.close();
  const behindProxy = new Client(server.address, { proxy: true });
  expect(await failure(behindProxy.gat('a', 1))).toMatchObject({ command: 'gat', server: server.address, certainty: 'notSent' });
  await behindProxy.close();
  const cluster = new HashClient([server.address, dead]);
  expect(await failure(cluster.get('a b'))).toMatchObject({ command: 'get', server: undefined });
  await cluster.close();
});

it('what wraps a client has its number, and a retry is told with its reason', async () => {
  const recorder = new Recorder();
  const inner = new Client(dead);
  const client = new RetryingClient(inner, { attempts: 3 });
  expect(client.clientId).toBe(inner.clientId);
  await client.get('a').catch(() => undefined);
  await client.close();
  recorder.stop();
  const told = { clientId: client.clientId, command: 'get', delayMs: 0, code: 'MEMCACHE_CONNECT', certainty: 'notSent' };
  expect(recorder.of(CHANNELS.retry)).toEqual([{ ...told, attempt: 1 }, { ...told, attempt: 2 }]);
  expect(recorder.of(CHANNELS.command)).toMatchObject([{ attempts: 3, error: { code: 'MEMCACHE_CONNECT' } }]);
});

it('a call for which several caches of a fallback were asked names no server', async () => {
  const other = await startMemcached();
  const older = new Client(other.address);
  const client = new FallbackClient([new Client(server.address), older]);
  await client.set('only-first', 1);
  await older.set('only-older', 1);
  const recorder = new Recorder();
  await client.get('only-first');
  await client.get('only-older');
  await client.getMany(['only-first', 'only-older']);
  await client.delete('only-first');
  await client.flushAll();
  recorder.stop();
  await client.close();
  await other.stop();
  const several = { server: undefined };
  const told = recorder.of(CHANNELS.command);
  expect(told).toMatchObject([{ server: server.address, outcome: 'hit' }, { ...several, outcome: 'hit' }, { ...several, hits: 2 }, several, several]);
});

it('servers and their states are told', async () => {
  const recorder = new Recorder();
  const client = new HashClient([server.address, dead], { retryTimeout: 10, retryAttempts: 1 });
  const key = Array.from({ length: 50 }, (_, i) => `k${i}`).find((each) => client.serverFor(each) === dead) ?? '';
  for (let i = 0; i < 200 && recorder.of(CHANNELS.serverState).length < 2; i++) {
    await client.get(key).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await client.removeServer(dead);
  await client.close();
  recorder.stop();
  const { clientId } = client;
  expect(recorder.of(CHANNELS.serverState)).toEqual([
    { clientId, server: dead, from: 'healthy', to: 'failing', code: 'MEMCACHE_CONNECT' },
    { clientId, server: dead, from: 'failing', to: 'dead', code: 'MEMCACHE_CONNECT' },
  ]);
  expect(recorder.of(CHANNELS.servers).at(-1)).toEqual({ clientId, added: [], removed: [dead] });
});

it('a subscriber that throws harms no call: Node reports what it threw', async () => {
  const { reported, ...seen } = await runAlone<BrokenSubscriberReport>(join(__dirname, 'alone', 'broken-subscriber.ts'), {});
  expect(seen).toEqual({ stored: true, read: 'x', errors: 0 });
  expect(reported).toBeGreaterThan(0);
});

it('callerStack: errors carry the stack of the call, each its own', async () => {
  const client = new Client(dead, { callerStack: true });
  async function here(): Promise<unknown> {
    return failure(client.get('a'));
  }
  async function there(): Promise<unknown> {
    return failure(client.get('b'));
  }
  const [one, other] = (await Promise.all([here(), there()])) as [Error, Error];
  expect(one.stack).toMatch(/--- the call ---\n.*Client\.get[^]*at here /);
  expect(other.stack).toMatch(/--- the call ---\n.*Client\.get[^]*at there /);
  expect(one.stack).not.toContain('at there ');
  expect(other.stack).not.toContain('at here ');
  expect(one).toMatchObject({ code: 'MEMCACHE_CONNECT', server: dead, command: 'get' });
  expect(other.message).toBe(one.message);
  await client.close();
});

it('callerStack: what a partial failure has is there for each of several calls that fail with it', async () => {
  const partial = new Map([['a', 1]]);
  const error = new MemcachePartialError(partial, new Map());
  const client = new Client({ execute: () => Promise.reject(error), close: () => Promise.resolve() }, { callerStack: true });
  const calls = await Promise.all([rejection(client.getMany(['a'])), rejection(client.getMany(['a']))]);
  expect(calls.map((each) => (each as MemcachePartialError).partial)).toEqual([partial, partial]);
});

it('callerStack alone has nothing published: no message is made for nobody', async () => {
  const key = jest.fn(() => 'shown');
  await using client = new Client(server.address, { callerStack: true, diagnostics: { key } });
  await client.get('a');
  expect(key).not.toHaveBeenCalled();
  const heard = new Recorder();
  await client.get('a');
  heard.stop();
  expect(key).toHaveBeenCalledTimes(1);
});

it('a function for ignoreErrors that rejects, as one that awaits may, is ignored too', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  process.on('unhandledRejection', note);
  const client = new Client(dead, {
    ignoreErrors: illegal(() => Promise.reject(new Error('cannot tell'))),
  });
  try {
    expect(await client.get('a')).toBeUndefined();
    // Node looks for them once a turn.
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
  await client.close();
});

it('inspect shows servers, states and the options that differ, in one screen and without secrets', async () => {
  const client = new Client(server.address, { auth: { username: 'user', password: 'pa55w0rd' }, tls: false, timeout: 500, noDelay: true, keyPrefix: 'app:' });
  const shown = inspect(client);
  expect(shown).toContain(server.address);
  expect(shown).toMatch(/healthy[^]*timeout: 500[^]*app:/);
  expect(shown).not.toMatch(/pa55w0rd|noDelay/);
  await client.close();
  const wrapped = [new RetryingClient(client, { attempts: 7 }), new FallbackClient([client], { copyHits: true })];
  expect(inspect(new Client(dead, { diagnostics: Object.assign(Object.create(null) as object, { sample: 0.5 }) }))).toContain("diagnostics: 'sample'");
  expect(wrapped.map((each) => inspect(each))).toEqual([expect.stringMatching(/attempts: 7/), expect.stringMatching(/copyHits: true/)]);
  expect(inspect(new RetryingClient(client, { retryFor: [MemcacheTimeoutError, MemcacheConnectError] }))).toContain("retryFor: 'MemcacheTimeoutError, MemcacheConnectError'");
  const many = new HashClient(Array.from({ length: 100 }, (_, i) => `10.0.0.${i + 1}`));
  expect(inspect(many).split('\n').length).toBeLessThan(60);
  await many.close();
  // One in trouble is shown before those that are well.
  const last = new HashClient([...Array.from({ length: 50 }, (_, i) => `10.0.0.${i + 1}`), dead], { retryAttempts: 0 });
  const key = Array.from({ length: 1000 }, (_, i) => `k${i}`).find((each) => last.serverFor(each) === dead) ?? '';
  await failure(last.get(key));
  expect(inspect(last)).toMatch(new RegExp(`servers: \\{\n +'${dead}': 'dead; [^]*'10.0.0.1:11211': 'healthy; `));
  await last.close();
});
