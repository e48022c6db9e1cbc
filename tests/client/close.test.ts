import { Client, HashClient, PooledClient, RetryingClient, type ClientOptions } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { ScriptedServer } from '../support/scripted-server';
import { MemcachedServer } from '../../src/server';

const kinds: [name: string, make: (address: string, options?: ClientOptions) => Client][] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
  ['HashClient of pools', (address, options) => new HashClient([address], { ...options, usePooling: true })],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
];

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

describe.each(kinds)('close() of a %s', (_, make) => {
  it.concurrent.each([0, 2 ** 31 - 1])('lets what is in flight finish when timeout is %i', async (timeout) => {
    await using server = await MemcachedServer.start();
    const client = make(server.address, { timeout, connectTimeout: timeout === 0 ? 100 : timeout });
    await client.set('k', 'v');
    server.faults = () => ({ delay: 300 });
    const value = client.get('k');
    await wait(20);
    const closed = client.close();
    expect(await value).toBe('v');
    await closed;
  });

  it.concurrent('ends when the one that was called first has ended', async () => {
    await using server = await MemcachedServer.start();
    const client = make(server.address);
    await client.set('k', 'v');
    server.faults = () => ({ delay: 200 });
    let settled = false;
    const value = client.get('k').finally(() => (settled = true));
    await wait(20);
    const seen = [client.close(), client.close()].map((closing) => closing.then(() => settled));
    expect(await Promise.all(seen)).toEqual([true, true]);
    expect(await value).toBe('v');
    // And it can be used again.
    server.faults = undefined;
    expect(await client.get('k')).toBe('v');
    await client.close();
  });
});

it('an EmbeddedClient closes any number of times', async () => {
  const client = new EmbeddedClient();
  await client.set('k', 'v');
  await Promise.all([client.close(), client.close()]);
  expect(await client.get('k')).toBe('v');
  await client.close();
});

it('no new socket is left behind when it comes during a retry delay', async () => {
  const server = await ScriptedServer.start();
  let opened = 0;
  let open = 0;
  const connect: Connect = (address, options, handler) => {
    opened++;
    open++;
    return connectSocket(address, options, {
      ...handler,
      onOpen: () => { handler.onOpen(); },
      onData: (buffer, length) => { handler.onData(buffer, length); },
      onDrain: () => { handler.onDrain(); },
      onClose: (cause) => {
        open--;
        handler.onClose(cause);
      },
    });
  };
  server.next(async (connection) => {
    await connection.expect('get k\r\n');
    await connection.fin();
  });
  const client = new RetryingClient(new Client(server.address, { connect }), { attempts: 5, retryDelay: 100 });
  const outcome = client.get('k').catch((error: unknown) => error);
  await wait(50);
  await client.close();
  expect(await outcome).toMatchObject({ code: 'MEMCACHE_UNEXPECTED_CLOSE' });
  await wait(250);
  expect([opened, open]).toEqual([1, 0]);
  await server.close();
});
