/** What a connection is made with. */
import dns, { type LookupAddress } from 'node:dns';
import { connect, Socket } from 'node:net';
import { Client, HashClient, PooledClient, type ClientOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { describeWithMemcached } from '../support/describe';
import { startMemcached } from '../support/memcached';

afterEach(() => { jest.restoreAllMocks(); });

/** Makes connections to a server that takes none, until it has no place left for one that waits. */
async function fill(port: number, host = '127.0.0.1'): Promise<Socket[]> {
  const filling: Socket[] = [];
  for (let isMade = true; isMade; ) {
    const socket = connect(port, host).on('error', () => undefined);
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

/** Makes all names stand for these addresses. */
function nameStandsFor(...addresses: string[]): void {
  const all = (_host: string, _options: unknown, callback: (error: null, found: LookupAddress[]) => void): void => {
    process.nextTick(callback, null, addresses.map((address) => ({ address, family: 4 })));
  };
  jest.spyOn(dns, 'lookup').mockImplementation(all as never);
}

describeOnLinux('a name more of whose addresses do not answer than there is time for', () => {
  it.each<[string, (server: string, options: ClientOptions) => Client]>([
    ['Client', (server, options) => new Client(server, options)],
    ['PooledClient', (server, options) => new PooledClient(server, options)],
    ['HashClient', (server, options) => new HashClient([server], { ...options, retryTimeout: 20 })],
  ])('is reached by the one that does: %s', async (_, make) => {
    const dead = ['127.0.0.1', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
    const silent = await startMemcached(['-b', '1', '-l', dead.slice(1).join()]);
    const server = await MemcachedServer.start({ host: '127.0.0.2', port: silent.port });
    process.kill(silent.pid, 'SIGSTOP');
    const filling = (await Promise.all(dead.map((host) => fill(silent.port, host)))).flat();
    nameStandsFor(...dead, '127.0.0.2');
    const client = make(`five.test:${silent.port}`, { timeout: 300 });
    // Before, none ever succeeded: each attempt began with the same three. Now three of five have it among these.
    const failedToConnect = (): number => Math.max(0, ...Array.from(client.metrics().values(), ({ connectFailures }) => connectFailures));
    let isStored = false;
    while (!isStored && failedToConnect() < 40) {
      isStored = await client.set('k', 'v').catch(() => false);
      // A cluster fails at once until it may probe the server.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(isStored).toBe(true);
    await client.close();
    for (const socket of filling) socket.destroy();
    await Promise.all([server.close(), silent.stop()]);
  });
});

describeOnLinux('a name with three addresses', () => {
  it('is tried in their order, also when it could not be reached', async () => {
    const server = await MemcachedServer.start({ host: '127.0.0.3' });
    nameStandsFor('127.0.0.1', '127.0.0.2', '127.0.0.3');
    const begun = jest.spyOn(Socket.prototype, 'connect');
    const client = new Client(`three.test:${server.port}`);
    const address = server.address;
    expect(await client.set('k', 'v')).toBe(true);
    await server.close();
    const tried: (string[] | undefined)[] = [];
    for (let call = 0; call < 10; call++) {
      await client.get('k').catch(() => undefined);
      tried.push((begun.mock.contexts.at(-1) as Socket).autoSelectFamilyAttemptedAddresses);
    }
    expect(new Set(tried.map(String))).toEqual(new Set([['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => `${host}:${address.split(':')[1]}`).join()]));
    await client.close();
  });
});

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
    nameStandsFor('127.0.0.1', '127.0.0.2');
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
