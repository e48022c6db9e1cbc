import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Client, HashClient, PooledClient } from '../../src';
import { MemcachedServer } from '../../src/server';
import { memcachedBinary } from '../support/memcached';
import { describeWithMemcached } from '../support/describe';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  path = join(folder, 'cache.sock');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function useEveryForm(): Promise<void> {
  const clients = [
    new Client(path),
    new Client(`unix:${path}`),
    new Client({ path }),
    new PooledClient(path),
    new HashClient([{ path }]),
  ];
  for (const [i, client] of clients.entries()) {
    expect(await client.set(`k${i}`, i)).toBe(true);
    expect(await client.get(`k${i}`)).toBe(i);
    expect([...(await client.version()).keys()]).toEqual([path]);
    await client.close();
  }
}

it('the embedded server is reached over a unix socket', async () => {
  const server = await MemcachedServer.start({ path });
  expect(server.address).toBe(path);
  await useEveryForm();
  await server.close();
  const client = new Client(path);
  await expect(client.get('k')).rejects.toMatchObject({ code: 'MEMCACHE_CONNECT', server: path, certainty: 'notSent' });
  await client.close();
});

describeWithMemcached('a real memcached', () => {
  it('is reached over a unix socket', async () => {
    const asUser = userInfo().uid === 0 ? ['-u', 'root'] : [];
    const child = spawn(memcachedBinary() ?? '', ['-s', path, ...asUser], { stdio: 'ignore' });
    try {
      while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
      await useEveryForm();
    } finally {
      child.kill();
    }
  });
});
