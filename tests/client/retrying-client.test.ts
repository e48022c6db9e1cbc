import { getEventListeners } from 'node:events';
import {
  Client,
  HashClient,
  MemcacheConnectError,
  MemcacheError,
  MemcacheIllegalInputError,
  MemcacheServerError,
  MemcacheTimeoutError,
  PooledClient,
  Retrier,
  RetryingClient,
  backoff,
  type CallOptions,
  type Executor,
  type RetryOptions,
} from '../../src';
import type { Timer } from '../../src/runtime/clock';
import { failure, illegal, rejection } from '../support/contract';
import { eachWithScriptedServer } from '../support/describe';
import { ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

let server: ScriptedServer;
eachWithScriptedServer((fresh) => {
  server = fresh;
});

/** The next connections drop dead when something is asked. */
function drop(times: number): void {
  for (let i = 0; i < times; i++) {
    server.next(async (connection: ScriptedConnection) => {
      const [line] = await connection.expectMatch(/.*\r\n/);
      // Asked for first where it decides how a command is sent.
      if (line === 'version\r\n') {
        await connection.send('VERSION 1.6.45\r\n');
        await connection.expectMatch(/\r\n/);
      }
      await connection.rst();
    });
  }
}

function makeClient(options: RetryOptions = {}): RetryingClient {
  return new RetryingClient(new Client(server.address), options);
}

it.each<[string, (client: Client) => Promise<unknown>, unknown]>([
  ['get', (c) => c.get('k'), 'v'],
  ['getMany', (c) => c.getMany(['k']), new Map([['k', 'v']])],
  ['set', (c) => c.set('k', 'w'), true],
  ['setMany', (c) => c.setMany({ k: 'w' }), []],
  ['touch', (c) => c.touch('k', 10), true],
  ['gat', (c) => c.gat('k', 10), 'v'],
  ['metaGet', (c) => c.metaGet('k').then((item) => item?.value), 'v'],
])('%s is repeated when its connection is lost: twice is once', async (_, call, result) => {
  server.put('k', 'v');
  drop(1);
  const client = makeClient();
  expect(await call(client)).toEqual(result);
  expect(server.connections).toHaveLength(2);
  await client.close();
});

it.each<[string, (client: Client) => Promise<unknown>]>([
  ['incr', (c) => c.incr('n')],
  ['decr', (c) => c.decr('n')],
  ['append', (c) => c.append('k', 'x')],
  ['prepend', (c) => c.prepend('k', 'x')],
  ['add', (c) => c.add('new', 'x')],
  ['cas', (c) => c.cas('k', 'x', '1')],
  ['metaArithmetic', (c) => c.metaArithmetic('n')],
  ['metaSet add', (c) => c.metaSet('k', 'x', { mode: 'add' })],
  ['raw', (c) => c.raw('verbosity 1')],
])('%s is not repeated when it may have been executed, but with retryAmbiguous it is', async (_, call) => {
  server.put('k', 'v');
  server.put('n', '5', 2);
  drop(1);
  const careful = makeClient({ attempts: 5 });
  expect(await failure(call(careful))).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE', certainty: 'maybeExecuted' });
  expect(server.connections).toHaveLength(1);
  await careful.close();
  drop(1);
  const ambiguous = makeClient({ attempts: 5, retryAmbiguous: true });
  await call(ambiguous);
  expect(server.connections).toHaveLength(3);
  await ambiguous.close();
});

it('what was never sent is repeated whatever it is', async () => {
  const dead = await ScriptedServer.start();
  const { address } = dead;
  await dead.close();
  let made = 0;
  const client = new RetryingClient(new Client(address), {
    attempts: 4,
    retryDelay: (attempt) => {
      made = attempt;
      return 0;
    },
  });
  expect(await failure(client.incr('n'))).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
  expect(made).toBe(3);
  await client.close();
});

it('the last error is the one that is told, after so many attempts', async () => {
  drop(10);
  const client = makeClient({ attempts: 3 });
  expect(await failure(client.get('k'))).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE' });
  expect(server.connections).toHaveLength(3);
  const once = makeClient({ attempts: 1 });
  await failure(once.get('k'));
  expect(server.connections).toHaveLength(4);
  await client.close();
  await once.close();
});

it('the certainty of several attempts is that of the one of which least is known', async () => {
  const gone = await ScriptedServer.start();
  let closed: Promise<void> | undefined;
  gone.next(async (connection) => {
    await connection.expectMatch(/x\r\n/);
    // It has been executed for all anybody can know; the second attempt is refused.
    closed = gone.close();
    await connection.closed;
  });
  const client = new RetryingClient(new Client(gone.address), { attempts: 3 });
  expect(await failure(client.set('k', 'x'))).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE', certainty: 'maybeExecuted' });
  await closed;
  expect(await failure(client.set('k', 'x'))).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
  await client.close();
});

it('an answer that is an error does not hide that an earlier attempt may have been executed', async () => {
  drop(1);
  server.put('k', 'text');
  const client = makeClient({ retryAmbiguous: true });
  expect(await failure(client.incr('k'))).toMatchObject({ certainty: 'maybeExecuted' });
  expect(server.connections).toHaveLength(2);
  await client.close();
});

it.each<[string, () => number]>([
  ['gives Infinity', () => Infinity],
  ['gives NaN', () => NaN],
  ['gives 2^31', () => 2 ** 31],
  ['gives less than nothing', () => -1],
  ['gives nothing', () => illegal(undefined)],
])('a retryDelay that %s is an error that says so, with what was to be repeated as its cause', async (_, retryDelay) => {
  drop(2);
  const client = makeClient({ retryDelay });
  const error = await failure(client.set('k', 'x'));
  expect(error).toBeInstanceOf(MemcacheIllegalInputError);
  expect(error.message).toContain('retryDelay must return a number of milliseconds from 0 to 2147483647');
  expect(error).toMatchObject({ certainty: 'maybeExecuted', cause: { code: 'MEMCACHE_UNEXPECTED_CLOSE' } });
  expect(server.connections).toHaveLength(1);
  await client.close();
});

it.each([false, true])('a retryDelay that throws is an error that says so; ignoreErrors: %s', async (ignoreErrors) => {
  drop(2);
  const cause = new Error('mine');
  const client = new RetryingClient(new Client(server.address, { ignoreErrors }), {
    retryDelay: () => {
      throw cause;
    },
  });
  const error = await failure(client.get('k'));
  expect(error).toBeInstanceOf(MemcacheIllegalInputError);
  expect(error).toMatchObject({ message: 'retryDelay threw an error; see cause', certainty: 'maybeExecuted', cause });
  await client.close();
});

it.each<[string, RetryOptions]>([
  ['during a delay', { retryDelay: 30_000 }],
  ['while an attempt is under way', { attempts: 9 }],
])('close %s leaves no new connection behind, and the call tells of what went wrong', async (name, options) => {
  let arrived: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (arrived = resolve));
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    arrived();
    if (name === 'during a delay') await connection.rst();
    else await turns(5).then(() => connection.rst());
  });
  const client = makeClient(options);
  const call = failure(client.get('k'));
  await asked;
  if (name === 'during a delay') await turns(10);
  await client.close();
  expect(await call).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE' });
  await turns(10);
  expect(server.connections).toHaveLength(1);
  // It may be used again, retries included.
  drop(1);
  if (name !== 'during a delay') expect(await client.get('k')).toBeUndefined();
  await client.close();
});

it('what the server answered, and illegal input, are final', async () => {
  const client = makeClient({ attempts: 5 });
  server.put('k', 'text');
  expect(await failure(client.incr('k'))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR' });
  expect(await failure(client.get('a b'))).toBeInstanceOf(MemcacheIllegalInputError);
  expect(server.connections).toHaveLength(1);
  await client.close();
});

it('retryFor and doNotRetryFor name classes, their subclasses included', async () => {
  drop(9);
  for (const [options, connections] of [
    [{ retryFor: [MemcacheServerError] }, 2],
    [{ retryFor: [MemcacheTimeoutError] }, 1],
    [{ doNotRetryFor: [MemcacheServerError] }, 1],
    [{ doNotRetryFor: [MemcacheConnectError, MemcacheTimeoutError] }, 2],
    [{ retryFor: [MemcacheError], doNotRetryFor: [MemcacheServerError] }, 1],
  ] as const) {
    const before = server.connections.length;
    const client = makeClient(options);
    await failure(client.get('k'));
    expect([options, server.connections.length - before]).toEqual([options, connections]);
    await client.close();
  }
  expect(() => makeClient({ retryFor: [MemcacheError], doNotRetryFor: [MemcacheError] })).toThrow('same class');
  expect(() => makeClient({ retryFor: [illegal(Map)] })).toThrow('retryFor');
});

it('an answer that is an error is repeated only for those who name its class', async () => {
  server.next(async (connection) => {
    await connection.expectMatch(/\r\n/);
    await connection.send('SERVER_ERROR out of memory\r\n');
  });
  const client = makeClient({ retryFor: [MemcacheServerError] });
  expect(await client.get('k')).toBeUndefined();
  await client.close();
});

it('a count that no number can hold is not counted again', async () => {
  const inner = new Client(server.address);
  await inner.set('k', 2n ** 53n);
  const client = new RetryingClient(inner, { retryFor: [MemcacheError], attempts: 3 });
  expect(await failure(client.incr('k'))).toMatchObject({ code: 'MEMCACHE_INEXACT_NUMBER', exact: 2n ** 53n + 1n });
  expect(await inner.get('k')).toBe(2n ** 53n + 1n);
  await client.close();
});

it('is typed, prefixed and configured as the client it wraps', async () => {
  const inner = new PooledClient(server.address, { keyPrefix: 'p:', ignoreErrors: true });
  const client = new RetryingClient(inner);
  await client.set('k', 'v');
  expect(await new Client(server.address).get('p:k')).toBe('v');
  await client.close();
  expect(inner.poolStats.size).toBe(0);
});

it('goes around a cluster, which has its own idea of who is dead', async () => {
  drop(1);
  server.put('k', 'v');
  const clock = new VirtualClock();
  const cluster = new HashClient([server.address], { retryTimeout: 100, clock, random: () => 1 });
  const client = new RetryingClient(cluster, { attempts: 3, retryDelay: 150 });
  const call = client.get('k');
  await turns(20);
  await clock.advance(200);
  expect(await call).toBe('v');
  await client.close();
});

describe('time', () => {
  /** An executor that always fails, and counts. */
  class Failing implements Executor {
    count = 0;
    execute<R>(): Promise<R> {
      this.count++;
      return Promise.reject(new MemcacheConnectError('refused'));
    }
    close(): Promise<void> {
      return Promise.resolve();
    }
  }

  it('waits between attempts, and an abort ends the wait', async () => {
    const clock = new VirtualClock();
    const failing = new Failing();
    const client = new Client(new Retrier(failing, { attempts: 10, retryDelay: 100 }, clock));
    const abort = new AbortController();
    const call = rejection(client.get('k', { signal: abort.signal }));
    await clock.advance(99);
    expect(failing.count).toBe(1);
    await clock.advance(1);
    expect(failing.count).toBe(2);
    await clock.advance(350);
    expect(failing.count).toBe(5);
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await call).toBe(reason);
    await clock.advance(1000);
    expect(failing.count).toBe(5);
    expect(clock.pending).toBe(0);
  });

  it('keeps nothing of a wait that is over, neither of its signal nor for a later close', async () => {
    let closed = 0;
    class CountingClock extends VirtualClock {
      override setTimeout(callback: () => void, delay: number): Timer {
        const timer = super.setTimeout(callback, delay);
        return { unref: () => { timer.unref(); }, close: () => { closed++; timer.close(); } };
      }
    }
    const clock = new CountingClock();
    const client = new Client(new Retrier(new Failing(), { attempts: 5, retryDelay: 100 }, clock));
    const { signal } = new AbortController();
    const call = rejection(client.get('k', { signal }));
    await clock.advance(1000);
    await call;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const before = closed;
    await client.close();
    expect(closed).toBe(before);
  });

  it('does not wait for the attempt after one that failed while the client was being closed', async () => {
    let fail: () => void = () => undefined;
    const under: Executor = {
      execute: () => new Promise((_, reject) => { fail = () => { reject(new MemcacheConnectError('refused')); }; }),
      close: () => Promise.resolve(),
    };
    const retryDelay = jest.fn(() => 60_000);
    const client = new Client(new Retrier(under, { attempts: 5, retryDelay }, new VirtualClock()));
    const call = failure(client.get('k'));
    await client.close();
    fail();
    await turns();
    expect(retryDelay).not.toHaveBeenCalled();
    expect(await call).toBeInstanceOf(MemcacheConnectError);
  });

  it('does not wait beyond the deadline of the call', async () => {
    const clock = new VirtualClock();
    const failing = new Failing();
    const retrier = new Retrier(failing, { attempts: 10, retryDelay: 100 }, clock);
    const outer: Executor = {
      execute: (command, options) => retrier.execute(command, { ...options, deadline: clock.now() + 250 }),
      close: () => retrier.close(),
    };
    const call = failure(new Client(outer).get('k'));
    await clock.advance(1000);
    expect(await call).toBeInstanceOf(MemcacheConnectError);
    expect(failing.count).toBe(3);
  });

  it('backoff doubles, has a bound, and leaves a part to chance', () => {
    const full = backoff({ base: 10, max: 100, random: () => 1 });
    expect([1, 2, 3, 4, 5, 60].map(full)).toEqual([10, 20, 40, 80, 100, 100]);
    expect(backoff({ base: 10, random: () => 0 })(3)).toBe(0);
    expect([1, 2, 1025, 2 ** 30].map(backoff({ base: 0 }))).toEqual([0, 0, 0, 0]);
    const some = Array.from({ length: 100 }, () => backoff()(2));
    expect(new Set(some).size).toBeGreaterThan(50);
    expect(Math.max(...some)).toBeLessThanOrEqual(40);
  });
});

it('the object of options of a call may be used for another one while the call is repeated', async () => {
  drop(1);
  const client = makeClient();
  const aborted = new AbortController();
  const options: CallOptions = {};
  const value = client.get('k', options);
  options.signal = aborted.signal;
  aborted.abort();
  expect(await value).toBeUndefined();
  await client.close();
});
