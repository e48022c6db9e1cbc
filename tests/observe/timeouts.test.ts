import { CHANNELS, Client, HashClient, PooledClient, RetryingClient } from '../../src';
import { failure } from '../support/rejection';
import { ScriptedServer } from '../support/scripted-server';
import { Recorder } from './recorder';

let server: ScriptedServer;
let recorder: Recorder;

beforeEach(async () => {
  server = await ScriptedServer.start((c) => c.hold());
  recorder = new Recorder();
});
afterEach(async () => {
  recorder.stop();
  await server.close();
});

it('a call that waited for its reply may have been executed', async () => {
  const client = new Client(server.address, { timeout: 300 });
  await Promise.all([failure(client.set('a', 1)), failure(client.getMany(['a', 'b']))]);
  const { clientId } = client;
  expect(recorder.of(CHANNELS.timeout)).toEqual([
    { clientId, server: server.address, command: 'set', certainty: 'maybeExecuted', pending: 2, limitMs: 300 },
    { clientId, server: server.address, command: 'get', certainty: 'maybeExecuted', pending: 2, limitMs: 300 },
  ]);
  await client.close();
});

it('a call that waited for its connection was not sent', async () => {
  const client = new Client(server.address, {
    timeout: 30,
    connect: () => ({ write() {}, cork() {}, uncork() {}, backlog: 0, destroy() {}, ref() {}, unref() {} }),
  });
  const error = await failure(client.get('a'));
  expect(error).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  expect(recorder.of(CHANNELS.timeout)).toEqual([
    { clientId: client.clientId, server: server.address, command: 'get', certainty: 'notSent', pending: 1, limitMs: 30 },
  ]);
});

it('in a pool so was one for which no connection became free', async () => {
  const pool = new PooledClient(server.address, { maxPoolSize: 1, timeout: 3000, acquireTimeout: 40 });
  const first = failure(pool.get('a'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await failure(pool.get('b'))).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
  expect(recorder.of(CHANNELS.timeout)).toEqual([
    { clientId: pool.clientId, server: server.address, command: 'get', certainty: 'notSent', pending: 2, limitMs: 40 },
  ]);
  for (const connection of server.connections) connection.destroy();
  await first;
  await pool.close();
});

it('in a cluster so was one that waited for the list of its servers, of which there is no server to name', async () => {
  const cluster = new HashClient(async function* ({ wait }) {
    await wait(Infinity);
    yield [server.address];
  }, { timeout: 30 });
  await Promise.all([failure(cluster.get('a')), failure(new RetryingClient(cluster, { attempts: 1 }).delete('b'))]);
  const { clientId } = cluster;
  expect(recorder.of(CHANNELS.timeout)).toEqual([
    { clientId, server: undefined, command: 'get', certainty: 'notSent', pending: 2, limitMs: 30 },
    { clientId, server: undefined, command: 'delete', certainty: 'notSent', pending: 1, limitMs: 30 },
  ]);
  await cluster.close();
});

it('an aborted call is none', async () => {
  const client = new Client(server.address, { timeout: 400 });
  const controller = new AbortController();
  const aborted = client.get('a', { signal: controller.signal }).catch(() => undefined);
  const late = failure(client.get('b'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await Promise.all([aborted, late]);
  expect(recorder.of(CHANNELS.timeout)).toMatchObject([{ command: 'get', certainty: 'maybeExecuted' }]);
  await client.close();
});
