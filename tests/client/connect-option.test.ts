/** Whatever the option `connect` does, calls get a MemcacheConnectError and nothing is thrown where nobody can catch it. */
import { Client, FallbackClient, HashClient, MemcacheConnectError, PooledClient, RetryingClient, type ClientOptions, type Connect } from '../../src';
import { failure } from '../support/contract';
import { MemoryServer } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

const kinds: [name: string, make: (options: ClientOptions) => Client][] = [
  ['Client', (options) => new Client('a', options)],
  ['PooledClient', (options) => new PooledClient('a', options)],
  ['HashClient', (options) => new HashClient(['a', 'b'], options)],
  ['HashClient of pools', (options) => new HashClient(['a', 'b'], { ...options, usePooling: true })],
  ['RetryingClient', (options) => new RetryingClient(new PooledClient('a', options))],
  ['FallbackClient', (options) => new FallbackClient([new Client('a', options), new PooledClient('b', options)])],
];

const cause = new Error('no tunnel');
const ends: [what: string, connect: Connect][] = [
  ['throws', () => { throw cause; }],
  ['throws no error', () => { throw 'no tunnel'; }], // eslint-disable-line @typescript-eslint/only-throw-error -- what it is about
  ['returns nothing', () => undefined as never],
  ['returns no transport', () => ({ write: () => undefined }) as never],
  ['is closed before it returns', (_address, _options, handler) => {
    handler.onClose(cause);
    return transport({});
  }],
  ['tells of the end what the event of a socket does', (_address, _options, handler) => {
    setImmediate(() => { handler.onClose(true as never); });
    return transport({});
  }],
  ['opens before it throws', (_address, _options, handler) => {
    handler.onOpen();
    throw cause;
  }],
  ['returns a transport that cannot be ended', (_address, _options, handler) => {
    setImmediate(() => { handler.onClose(cause); });
    return transport({ destroy: () => { throw cause; } });
  }],
  ['returns a transport that cannot be written to', (_address, _options, handler) => {
    handler.onOpen();
    return transport({ write: () => { throw cause; } });
  }],
];

function transport(methods: Partial<ReturnType<Connect>>): ReturnType<Connect> {
  const nothing = (): void => undefined;
  return { write: nothing, cork: nothing, uncork: nothing, backlog: 0, destroy: nothing, ref: nothing, unref: nothing, ...methods };
}

const uncaught: unknown[] = [];
const note = (error: unknown): void => { uncaught.push(error); };
beforeAll(() => { process.on('uncaughtException', note).on('unhandledRejection', note); });
afterAll(() => { process.off('uncaughtException', note).off('unhandledRejection', note); });

describe.each(kinds)('%s', (_, make) => {
  it('close() ends although a transport cannot be ended, and never tells of its end', async () => {
    const client = make({
      connect: (_address, _options, handler) => {
        handler.onOpen();
        const end = Buffer.from('END\r\n');
        return transport({
          write: () => { setImmediate(() => { handler.onData(end, end.length); }); },
          destroy: () => { throw cause; },
        });
      },
    });
    expect(await client.get('k')).toBeUndefined();
    await client.close();
    for (const { connections, disconnects } of client.metrics().values()) expect({ connections, most: disconnects <= 1 }).toEqual({ connections: 0, most: true });
    expect(await client.get('k')).toBeUndefined();
    await client.close();
  });

  it('a reply may come while its request is still being written', async () => {
    const client = make({
      connect: (_address, _options, handler) => {
        handler.onOpen();
        return transport({
          write: (request) => {
            const reply = Buffer.from(String(request).replace(/get .*/, 'END').replace('version', 'VERSION 1.6.0'));
            handler.onData(reply, reply.length);
          },
          destroy: () => { handler.onClose(undefined); },
        });
      },
    });
    expect(await Promise.all([client.get('k'), client.raw('version', '\r\n'), client.get('k')])).toEqual([undefined, expect.any(Buffer), undefined]);
    await client.close();
  });

  it('a transport may read nothing, also while nothing is awaited', async () => {
    let opened = 0;
    const client = make({
      connect: (_address, _options, handler) => {
        opened++;
        handler.onOpen();
        const read = (text: string): void => { handler.onData(Buffer.from(text), text.length); };
        return transport({
          write: (request) => {
            setImmediate(() => {
              read('');
              read(String(request).replace(/get .*/, 'END').replace('version', 'VERSION 1.6.0'));
              read('');
            });
          },
          destroy: () => { handler.onClose(undefined); },
        });
      },
    });
    expect(await client.get('k')).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const before = opened;
    expect(await client.get('k')).toBeUndefined();
    expect(opened).toBe(before);
    await client.close();
  });

  it.each(ends.flatMap(([what, connect]) => [[what, connect, {}], [`${what}, with credentials`, connect, { auth: { username: 'u', password: 'p' } }]] as const))(
    'whose connect %s',
    async (what, connect, options) => {
      const client = make({ connect, timeout: 500, ...options });
      for (const call of [client.get('k'), client.set('k', 'v'), client.get('k2')]) {
        const error: unknown = await call.then(() => 'fulfilled', (reason: unknown) => reason);
        if (what.includes('written')) expect(error).toMatchObject({ code: expect.stringMatching(/^MEMCACHE_(UNEXPECTED_CLOSE|CONNECT)$/) as string });
        else {
          expect(error).toBeInstanceOf(MemcacheConnectError);
          expect(error).toMatchObject({ certainty: 'notSent', command: expect.stringMatching(/^(get|set)$/) as string });
        }
      }
      await client.close();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(uncaught).toEqual([]);
    },
  );
});

it('while a connection is being made each call has its own deadline', async () => {
  const clock = new VirtualClock();
  const client = new Client('a', { clock, timeout: 100, connectTimeout: 0, connect: () => transport({}) });
  const ends: [key: string, at: number][] = [];
  const call = (key: string): Promise<void> => failure(client.get(key)).then(({ code, certainty }) => {
    expect([code, certainty]).toEqual(['MEMCACHE_TIMEOUT', 'notSent']);
    ends.push([key, clock.now()]);
  });
  const first = call('first');
  await clock.advance(50);
  const second = call('second');
  await clock.advance(50);
  await first;
  await clock.advance(50);
  await turns();
  expect(ends).toEqual([['first', 100], ['second', 150]]);
  await Promise.all([second, client.close()]);
});

it('text is stored byte by byte by a transport that has more to write', async () => {
  const server = new MemoryServer();
  const client = new Client('a', { connect: (...args) => Object.assign(server.connect(...args), { backlog: 1 }) });
  await client.setMany({ a: 'Zürich', b: 'ÿ'.repeat(500) });
  expect(await client.getMany(['a', 'b'])).toEqual(new Map([['a', 'Zürich'], ['b', 'ÿ'.repeat(500)]]));
  await client.close();
  server.close();
});

it('a name that has no address is asked after, and not a memcached', async () => {
  const client = new Client('no-such-host.invalid:11211', { connectTimeout: 0, timeout: 0 });
  const error = await failure(client.get('k'));
  expect(error.code).toBe('MEMCACHE_CONNECT');
  expect(error.message).toMatch(/getaddrinfo .*; is the name right\?$/);
  await client.close();
});

it('errors of several addresses are one readable line', async () => {
  const connect: Connect = (_address, _options, handler) => {
    const cause = Object.assign(new Error(''), { errors: [new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')] });
    process.nextTick(() => { handler.onClose(cause); });
    return transport({});
  };
  const client = new Client('localhost:1', { connect });
  await expect(client.get('k')).rejects.toMatchObject({
    message: 'cannot connect to localhost:1: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1; is a memcached running there?',
    command: 'get',
    server: 'localhost:1',
  });
  await client.close();
});
