/** What must be so whatever faked the timers. The same for each tool; see the page docs/testing.md. */
import * as assert from 'node:assert/strict';
import * as timers from 'node:timers';
import { Client, FallbackClient, HashClient, PooledClient, RetryingClient, type ClientOptions, type Connect } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';

/** One way of one tool to fake the time. */
export interface FakeTimers {
  fake(): void;
  real(): void;
  /** Lets time pass. */
  advance(milliseconds: number): unknown;
  /** Sets the wall clock forward; undefined where the tool cannot. */
  setForward?: ((milliseconds: number) => void) | undefined;
  /** Whether `Date` is faked. */
  readonly fakesDate: boolean;
  /** Whether the faked time begins with the present one. @default true */
  readonly fromNow?: boolean;
}

const classes: [name: string, make: (server: string, options?: ClientOptions) => Client][] = [
  ['Client', (server, options) => new Client(server, options)],
  ['PooledClient', (server, options) => new PooledClient(server, options)],
  ['HashClient', (server, options) => new HashClient([server], options)],
  ['HashClient of pools', (server, options) => new HashClient([server], { ...options, usePooling: true })],
  ['RetryingClient', (server, options) => new RetryingClient(new Client(server, options), { attempts: 1 })],
  ['FallbackClient', (server, options) => new FallbackClient([new Client(server, options)], { ignoreFailures: false })],
];

async function use(client: Client, key: string): Promise<void> {
  assert.equal(await client.set(key, 'v', { expire: 60 }), true);
  const values = await Promise.all([client.get(key), client.get('none'), client.getMany([key])]);
  assert.deepEqual(values, ['v', undefined, new Map([[key, 'v']])]);
  await client.set(`${key}-2`, 'v', { noreply: true });
  assert.equal(await client.delete(key), true);
}

const { setImmediate: realSetImmediate } = timers;

/** Lets input and output that is under way arrive. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => { realSetImmediate(resolve); });
}

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'answered', (error: unknown) => (error as { code?: unknown }).code);
}

/** The cases, by name. */
export function scenario(tool: FakeTimers): Record<string, () => Promise<void>> {
  const cases: Record<string, () => Promise<void>> = {};

  const faked = async (body: () => Promise<void>): Promise<void> => {
    tool.fake();
    try {
      await body();
    } finally {
      tool.real();
    }
  };

  for (const [name, make] of classes) {
    cases[`${name}: answers while time stands still`] = async () => {
      const server = await MemcachedServer.start();
      await faked(async () => {
        const client = make(server.address);
        await use(client, 'k');
        await client.close();
        await use(client, 'k');
        await client.close();
      });
      await server.close();
    };

    cases[`${name}: connected before, used while faked, and used afterwards`] = async () => {
      const server = await MemcachedServer.start();
      const client = make(server.address, { timeout: 150 });
      await use(client, 'k');
      await faked(() => use(client, 'k'));
      await faked(() => use(client, 'k'));
      await use(client, 'k');
      // Time-outs are real ones again.
      server.faults = () => ({ drop: true });
      assert.equal(await code(client.get('k')), 'MEMCACHE_TIMEOUT');
      await client.close();
      await server.close();
    };

    cases[`${name}: a call that is not answered ends when its time has passed`] = async () => {
      const server = await MemcachedServer.start();
      const client = make(server.address, { timeout: 300 });
      await use(client, 'k');
      server.faults = () => ({ drop: true });
      await faked(async () => {
        const outcome = code(client.get('k'));
        await tool.advance(300);
        assert.equal(await outcome, 'MEMCACHE_TIMEOUT');
      });
      // And again, in a time of its own.
      await faked(async () => {
        const other = make(server.address, { timeout: 300 });
        const outcome = code(other.get('k'));
        await tool.advance(299);
        await tool.advance(1);
        assert.equal(await outcome, 'MEMCACHE_TIMEOUT');
        await other.close();
      });
      await client.close();
      await server.close();
    };

    cases[`${name}: a connection that cannot be made ends when its time has passed`] = async () => {
      const nothing = (): void => undefined;
      const connect: Connect = (_address, _options, handler) => ({
        write: nothing, cork: nothing, uncork: nothing, backlog: 0, ref: nothing, unref: nothing,
        destroy: () => { handler.onClose(undefined); },
      });
      await faked(async () => {
        const client = make('nowhere', { connect, timeout: 5000, connectTimeout: 500 });
        const outcome = code(client.get('k'));
        // A pool makes its connection in the next tick.
        await turns();
        await tool.advance(500);
        assert.equal(await outcome, 'MEMCACHE_CONNECT');
        await client.close();
      });
    };
  }

  cases['ReadThroughCache: reads and loads while time stands still'] = async () => {
    const server = await MemcachedServer.start();
    await faked(async () => {
      for (const client of [new Client(server.address), new EmbeddedClient()]) {
        const cache = new ReadThroughCache(client, { tags: ['t'] });
        assert.equal(await cache.get('a', () => 1), 1);
        assert.equal(await cache.get('a', () => 2), 1);
        assert.deepEqual(await cache.getMany(['b', 'c'], (keys) => [...keys]), new Map([['b', 'b'], ['c', 'c']]));
        assert.equal(await cache.delete('a'), true);
        assert.equal(await cache.get('a', () => 3), 3);
        await cache.close();
        await client.close();
      }
    });
    await server.close();
  };

  cases['ReadThroughCache: cacheTimeout holds before, while and after the timers are faked'] = async () => {
    const server = await MemcachedServer.start();
    const client = new Client(server.address, { timeout: 1000 });
    const cache = new ReadThroughCache(client, { circuit: { failures: 1000 } });
    assert.equal(await cache.get('a', () => 1), 1);
    server.faults = () => ({ drop: true });
    assert.equal(await cache.get('b', () => 2), 2);
    await faked(async () => {
      const value = cache.get('c', () => 3);
      await turns();
      await tool.advance(100);
      await turns();
      await tool.advance(100);
      await turns();
      await tool.advance(100);
      assert.equal(await value, 3);
      void cache.get('d', () => 4);
      await turns();
    });
    assert.equal(await cache.get('e', () => 5), 5);
    await Promise.all([client.close(), server.close()]);
  };

  cases['EmbeddedClient: answers while time stands still'] = () => faked(async () => {
    const client = new EmbeddedClient();
    await use(client, 'k');
    await client.close();
  });

  cases['MemcachedServer: starts, answers and closes while time stands still'] = () => faked(async () => {
    const server = await MemcachedServer.start();
    const client = new Client(server.address);
    await use(client, 'k');
    await client.close();
    await server.close();
  });

  cases['RetryingClient: waits for its delay'] = async () => {
    const server = await MemcachedServer.start();
    await faked(async () => {
      let faults = 1;
      server.faults = () => (faults-- > 0 ? { reset: true } : undefined);
      const client = new RetryingClient(new Client(server.address), { attempts: 2, retryDelay: 700 });
      let settled = false;
      const value = client.get('k').finally(() => (settled = true));
      while (faults > 0) await turns();
      await turns();
      assert.equal(settled, false);
      await tool.advance(700);
      assert.equal(await value, undefined);
      await client.close();
    });
    await server.close();
  };

  if (tool.fakesDate) {
    cases['items expire when time has passed'] = () => expiry((milliseconds) => tool.advance(milliseconds));
    const { setForward } = tool;
    if (setForward !== undefined) cases['items expire when the time is set'] = () => expiry(setForward);
  }

  /** Items that were stored before the time was faked, and while. */
  async function expiry(pass: (milliseconds: number) => unknown): Promise<void> {
    const server = await MemcachedServer.start();
    const clients = [new Client(server.address), new EmbeddedClient()];
    const there = [...(tool.fromNow === false ? [] : ['before']), 'while', 'date', 'long'];
    for (const client of clients) await client.set('before', 'v', { expire: 60 });
    await faked(async () => {
      for (const client of clients) {
        await client.set('while', 'v', { expire: 60 });
        await client.set('date', 'v', { expire: new Date(Date.now() + 30_000) });
        await client.set('long', 'v', { expire: 3600 });
        assert.deepEqual([...(await client.getMany(['before', 'while', 'date', 'long'])).keys()], there);
      }
      await pass(61_000);
      for (const client of clients) assert.deepEqual([...(await client.getMany(['before', 'while', 'date', 'long'])).keys()], ['long']);
    });
    await Promise.all(clients.map((client) => client.close()));
    await server.close();
  }

  return cases;
}
