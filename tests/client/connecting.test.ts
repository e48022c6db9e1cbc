/** What a connection is made with. */
import dns, { type LookupAddress } from 'node:dns';
import { connect, Socket } from 'node:net';
import { Client, HashClient, PooledClient, type ClientOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { describeWithMemcached } from '../support/describe';
import { startMemcached } from '../support/memcached';

afterEach(() => { jest.restoreAllMocks(); });

/** Makes connections to a server that takes none, until it has no place left for one that waits. */
async function fill(port: number): Promise<Socket[]> {
  const filling: Socket[] = [];
  for (let isMade = true; isMade; ) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    filling.push(socket);
    isMade = await new Promise((resolve) => {
      socket.once('connect', () => { resolve(true); });
      setTimeout(resolve, 500, false);
    });
  }
  return filling;
}

// Where all of 127.0.0.0/8 is this machine, and a full queue of connections drops new ones without a word.
const describeOnLinux = process.platform === 'linux' ? describeWithMemcached : describe.skip;

describeOnLinux('a name whose first address does not answer', () => {
  it.each<[string, (server: string, options: ClientOptions) => Client]>([
    ['Client', (server, options) => new Client(server, options)],
    ['PooledClient', (server, options) => new PooledClient(server, options)],
    ['HashClient', (server, options) => new HashClient([server], { ...options, retryTimeout: 20 })],
  ])('is reached by the second one, though a call waits for less than the 250 ms that Node gives the first: %s', async (_, make) => {
    const silent = await startMemcached(['-b', '1']);
    const server = await MemcachedServer.start({ host: '127.0.0.2', port: silent.port });
    process.kill(silent.pid, 'SIGSTOP');
    const filling = await fill(silent.port);
    const all = (_host: string, _options: unknown, callback: (error: null, addresses: LookupAddress[]) => void): void => {
      process.nextTick(callback, null, ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })));
    };
    jest.spyOn(dns, 'lookup').mockImplementation(all as never);
    const client = make(`two.test:${silent.port}`, { timeout: 200 });
    // Before, none ever succeeded: each call gave up the attempt that it had begun. A busy machine may need several.
    let isStored = false;
    for (let call = 0; call < 25 && !isStored; call++) isStored = await client.set('k', 'v').catch(() => false);
    expect(isStored).toBe(true);
    await client.close();
    for (const socket of filling) socket.destroy();
    await Promise.all([server.close(), silent.stop()]);
  });
});

it.each([
  [true, 60_000],
  [0, 1000],
  [1, 1000],
  [500, 1000],
  [1000, 1000],
  [1001, 2000],
  [30_000, 30_000],
])('keepAlive: %p asks the system for %d ms; less than a second meant two hours', async (keepAlive, idle) => {
  const asked = jest.spyOn(Socket.prototype, 'setKeepAlive');
  const server = await MemcachedServer.start();
  asked.mockClear();
  const client = new Client(server.address, { keepAlive });
  const got = client.get('k');
  expect(asked.mock.calls).toEqual([[true, idle]]);
  await got;
  await client.close();
  await server.close();
});
