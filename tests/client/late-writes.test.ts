/**
 * A network that is away for seconds: what the system has not delivered of a connection it sends again and again, for minutes also
 * after the connection was closed. A `set` that was not answered in time was so executed after a newer one, and undid it.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Client, HashClient, PooledClient } from '../../src';
import { SilentConnections } from '../../src/client/wire/silent';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { TestAuthority } from '../support/certificates';
import { failure } from '../support/contract';
import { describeWithOpenssl } from '../support/describe';
import { SimulatedClock } from '../support/simulated-clock';
import { turns, VirtualClock } from '../support/virtual-clock';

/** Asks again and again until it is so. Not for ever: where it never comes to pass, that is to be told before the time of the test is over. */
async function soon(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const since = performance.now();
  while (!(await isSo())) {
    if (performance.now() - since > 60_000) throw new Error(`not within a minute: ${String(isSo)}`);
    await turns();
  }
}

const stores = (client: Client): Promise<boolean> => client.set('k', 'new').catch(() => false);

/** How each connection to `server` ended, in their order. A FIN comes after all that was sent; a reset says that nothing more is to come of it. */
function endsAt(server: Server): string[] {
  const ends: string[] = [];
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    const index = accepted++;
    socket.on('end', () => { ends[index] ??= 'FIN'; });
    socket.on('error', (error: NodeJS.ErrnoException) => { ends[index] ??= String(error.code); });
  });
  return ends;
}

it.each<[string, (server: string) => Client]>([
  ['Client', (server) => new Client(server, { timeout: 100 })],
  ['PooledClient', (server) => new PooledClient(server, { timeout: 100 })],
  ['HashClient', (server) => new HashClient([server], { timeout: 100, retryTimeout: 0 })],
])('a connection whose calls were not answered in time is reset when the server is reached again, and ended by close(): %s', async (_, make) => {
  const sockets: Socket[] = [];
  const ends: string[] = [];
  let answers = false;
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    socket.on('data', () => { if (answers) socket.write('STORED\r\n'); });
    // A FIN comes after all that was sent; a reset says that nothing more is to come of it.
    socket.on('end', () => { ends[index] ??= 'FIN'; });
    socket.on('error', (error: NodeJS.ErrnoException) => { ends[index] ??= String(error.code); });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = make(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  const notInTime = async (): Promise<void> => {
    expect(await failure(client.set('k', 'old'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
  };
  await notInTime();
  // Not yet: in a network that is away the reset would be lost, and the server keep its end for hours.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([sockets.length, ends]).toEqual([1, []]);
  answers = true;
  await soon(() => stores(client));
  await soon(() => ends[0] !== undefined);
  expect(ends[0]).toBe('ECONNRESET');

  answers = false;
  const last = sockets.at(-1);
  await notInTime();
  expect(last?.destroyed).toBe(false);
  await client.close();
  await soon(() => ends[sockets.length - 1] !== undefined);
  expect(ends[sockets.length - 1]).toBe('FIN');
  server.close();
});

describe('a connection whose calls were not answered in time, while the server cannot be reached', () => {
  const CLIENTS: [string, (server: string, clock: VirtualClock) => Client][] = [
    ['Client', (server, clock) => new Client(server, { timeout: 100, clock })],
    ['PooledClient', (server, clock) => new PooledClient(server, { timeout: 100, clock })],
  ];
  let closed: boolean;
  let client: Client;
  let clock: VirtualClock;
  let server: Server;

  /** Makes a call that is not answered in time; the clock stands still afterwards. */
  async function fallSilent(make: (server: string, clock: VirtualClock) => Client): Promise<void> {
    closed = false;
    server = createServer((socket) => socket.on('data', () => undefined).on('error', () => undefined).once('close', () => (closed = true)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    clock = new VirtualClock();
    client = make(`127.0.0.1:${(server.address() as AddressInfo).port}`, clock);
    const error = failure(client.set('k', 'old'));
    await soon(isConnected);
    await clock.advance(100);
    expect(await error).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
    await turns(50);
    expect(closed).toBe(false);
  }

  const isConnected = (): Promise<boolean> => new Promise((resolve) => { server.getConnections((_, count) => { resolve(count > 0); }); });

  it.each(CLIENTS)('is ended by close(), without a wait: %s', async (_, make) => {
    await fallSilent(make);
    await client.close();
    await soon(() => closed);
    server.close();
  });

  it.each(CLIENTS)('is ended after two minutes: %s', async (_, make) => {
    await fallSilent(make);
    await clock.advance(119_999);
    await turns(50);
    expect(closed).toBe(false);
    await clock.advance(1);
    await soon(() => closed);
    await client.close();
    server.close();
  });
});

it('a connection that never became usable does not take its place', async () => {
  const ends: string[] = [];
  let accepted = 0;
  // The first logs in and is not answered then, the second does not even log in, the third works.
  const server = createServer((socket) => {
    const index = accepted++;
    let commands = 0;
    socket.on('data', () => { if (index === 2 || (index === 0 && commands++ === 0)) socket.write('STORED\r\n'); });
    socket.on('end', () => { ends[index] ??= 'FIN'; });
    socket.on('error', (error: NodeJS.ErrnoException) => { ends[index] ??= String(error.code); });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = new Client(`127.0.0.1:${(server.address() as AddressInfo).port}`, { timeout: 100, connectTimeout: 0, auth: { username: 'u', password: 'p' } });
  expect(await failure(client.set('k', 'old'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
  expect(await failure(client.set('k', 'new'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  await soon(() => stores(client));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([accepted, ends]).toEqual([3, ['ECONNRESET', 'FIN']]);
  await client.close();
  server.close();
});

it('those of a pool are all reset when one connection is open again, and when another one brings something', async () => {
  const sockets: Socket[] = [];
  const answer = (socket: Socket | undefined): void => { socket?.write('STORED\r\n'); };
  let answers = true;
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('data', () => { if (answers) answer(socket); });
  });
  const ends = endsAt(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // A connection takes one call at a time.
  const client = new PooledClient(`127.0.0.1:${(server.address() as AddressInfo).port}`, { timeout: 1000, maxPoolSize: 2, maxPending: 1 });
  const inTwo = async (value: string): Promise<unknown[]> => Promise.all([client.set('k', value), client.set('k', value)].map((call) => call.catch(() => false)));
  expect(await inTwo('first')).toEqual([true, true]);
  answers = false;
  expect(await inTwo('old')).toEqual([false, false]);
  expect([sockets.length, ends]).toEqual([2, []]);

  answers = true;
  await soon(() => stores(client));
  await soon(() => ends.filter(Boolean).length === 2);
  expect(ends).toEqual(['ECONNRESET', 'ECONNRESET']);

  await soon(async () => !(await inTwo('new')).includes(false) && sockets.length >= 4);
  answers = false;
  const old = failure(client.set('k', 'old'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const slow = client.set('other', 'v');
  await old;
  expect([sockets.length, ends.length]).toEqual([4, 2]);
  for (const socket of sockets.slice(2)) answer(socket);
  expect(await slow).toBe(true);
  await soon(() => ends.filter(Boolean).length === 3);
  expect([sockets.length, ends.filter(Boolean)]).toEqual([4, ['ECONNRESET', 'ECONNRESET', 'ECONNRESET']]);
  await client.close();
  server.close();
});

it('one that was reset is forgotten, and not ended once more with each reply', async () => {
  let answers = false;
  const server = createServer((socket) => socket.on('data', () => { if (answers) socket.write('STORED\r\n'); }).on('error', () => undefined));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const ends: [connection: number, drops: boolean | undefined][] = [];
  let made = 0;
  const counted: Connect = (address, options, handler) => {
    const connection = made++;
    const transport = connectSocket(address, options, handler);
    const destroy = transport.destroy.bind(transport);
    return Object.assign(transport, { destroy: (drops?: boolean) => { ends.push([connection, drops]); destroy(drops); } });
  };
  const client = new Client(`127.0.0.1:${(server.address() as AddressInfo).port}`, { timeout: 100, connect: counted });
  await failure(client.set('k', 'old'));
  answers = true;
  for (let stored = 0; stored < 3; stored++) await soon(() => stores(client));
  expect(ends.filter(([connection]) => connection === 0)).toEqual([[0, true]]);
  await client.close();
  server.close();
});

describeWithOpenssl('with TLS', () => {
  it('it is reset too', async () => {
    const authority = new TestAuthority('the authority');
    let answers = false;
    const server = createTlsServer(authority.sign('IP:127.0.0.1'), (socket) => {
      socket.on('data', () => { if (answers) socket.write('STORED\r\n'); });
      socket.on('error', () => undefined);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // TLS hides from a server how the connection under it ended.
    const relay = createServer((near) => {
      const far = connect((server.address() as AddressInfo).port, '127.0.0.1', () => far.pipe(near));
      near.on('data', (data) => far.write(data));
      near.on('close', () => far.destroy());
    });
    const ends = endsAt(relay);
    await once(relay.listen(0, '127.0.0.1'), 'listening');
    const client = new Client(`127.0.0.1:${(relay.address() as AddressInfo).port}`, { timeout: 200, tls: { ca: authority.ca } });
    await failure(client.set('k', 'old'));
    expect(ends).toEqual([]);
    answers = true;
    await soon(() => stores(client));
    await client.close();
    await soon(() => ends.length > 0);
    expect(ends[0]).toBe('ECONNRESET');
    relay.close();
    server.close();
    authority.remove();
  });
});

it('a silent connection keeps no process alive', () => {
  const clock = new SimulatedClock();
  new SilentConnections(clock).add(() => undefined);
  expect([clock.timers, clock.held]).toEqual([1, 0]);
});
