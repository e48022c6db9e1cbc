import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Client, HashClient, MemcacheAuthenticationError, MemcacheError, PooledClient } from '../../src';
import { MemcachedServer } from '../../src/server';
import { failure } from '../support/contract';
import { startMemcached } from '../support/memcached';
import { rejection } from '../support/rejection';
import type { TestServer } from '../support/servers';
import { describeSince } from '../support/describe';

const auth = { username: 'alice', password: 'c0rrect:h0rse' };
const users = [{ username: 'bob', password: 'x' }, auth];

async function startReal(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  const file = join(folder, 'users');
  writeFileSync(file, users.map(({ username, password }) => `${username}:${password}\n`).join(''), { mode: 0o644 });
  // Another user must be able to read it.
  const server = await startMemcached(['-Y', file, '-u', 'root']);
  return {
    address: server.address,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startEmbedded(): Promise<TestServer> {
  const server = await MemcachedServer.start({ auth: users });
  return { address: server.address, stop: () => server.close() };
}

function describeAuthentication(start: () => Promise<TestServer>): void {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  it.each(['Client', 'PooledClient', 'HashClient'] as const)('lets a %s in that knows the password', async (kind) => {
    const client =
      kind === 'Client'
        ? new Client(server.address, { auth })
        : kind === 'PooledClient'
          ? new PooledClient(server.address, { auth })
          : new HashClient([server.address], { auth });
    expect(await Promise.all([client.set('k', 'v'), client.get('k'), client.set('l', 'w', { noreply: true }), client.get('l')])).toEqual([
      true, 'v', true, 'w',
    ].map((value, i): unknown => (kind === 'PooledClient' && i % 2 === 1 ? expect.anything() : value)));
    await client.close();
    expect(await client.get('k')).toBe('v');
    await client.close();
  });

  it('takes the credentials from the address', async () => {
    const client = new Client(`memcached://alice:c0rrect%3Ah0rse@${server.address}`);
    expect(await client.set('k', 'v')).toBe(true);
    await client.close();
  });

  it('leaves nothing behind that a login wrote', async () => {
    const client = new Client(server.address, { auth });
    expect(await client.get('auth')).toBeUndefined();
    await client.close();
  });

  it('refuses a wrong password, and says so without it', async () => {
    const client = new Client(server.address, { auth: { username: 'alice', password: 'wrong-s3cret' } });
    const errors = await Promise.all([failure(client.get('k')), failure(client.set('k', 'x'))]);
    for (const error of errors) {
      expect(error).toBeInstanceOf(MemcacheAuthenticationError);
      expect(error).toMatchObject({ code: 'MEMCACHE_AUTHENTICATION', certainty: 'notSent', server: server.address });
      expect(error.message).toMatch(/^the server \S+ refused the credentials: [\w ]+; check the option auth$/);
      expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).not.toContain('s3cret');
    }
    await client.close();
  });

  it.each([
    ['a meta command with a value', (client: Client) => client.metaSet('k', 'v')],
    ['one that is not answered', async (client: Client) => {
      await client.set('k', 'v', { noreply: true });
      // What closes the run of such commands has had no answer but that error.
      for (let tries = 0; client.metrics().get(server.address)?.disconnects === 0 && tries < 500; tries++) await setTimeout(1);
      return client.get('k');
    }],
  ])('says so too where the first call is %s, and takes the server for healthy', async (_, call) => {
    const client = new HashClient([server.address], { timeout: 20_000 });
    expect(await rejection(call(client))).toMatchObject({ code: 'MEMCACHE_AUTHENTICATION' });
    expect(client.servers()).toMatchObject([{ state: 'healthy' }]);
    await client.close();
  });

  it('refuses who does not log in', async () => {
    const client = new Client(server.address);
    expect(await failure(client.get('k'))).toBeInstanceOf(MemcacheAuthenticationError);
    expect(await failure(client.set('k', 'secret value'))).toBeInstanceOf(MemcacheError);
    await client.close();
  });
}

describe('the embedded server', () => {
  describeAuthentication(startEmbedded);
});

describeSince('1.5.15', 'a real memcached', () => {
  describeAuthentication(startReal);
});

it('a server that asks for no password serves those who send one', async () => {
  const server = await MemcachedServer.start();
  const other = new Client(server.address);
  // Other programs write under this key to log in; it is one like any other.
  await other.set('auth', 'of a user');
  const client = new Client(server.address, { auth });
  expect(await client.set('k', 'v')).toBe(true);
  expect(await client.get('k')).toBe('v');
  expect(await client.get('auth')).toBe('of a user');
  await Promise.all([client.close(), other.close()]);
  await server.close();
});
