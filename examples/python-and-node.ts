/**
 * A Python program (pymemcache) and this one share a cluster: the same key lives on the same server for both, and each reads
 * what the other wrote.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { HashClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

const PYTHON = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import pymemcache.client.hash']).status === 0);

const PROGRAM = `
import sys
from pymemcache.client.hash import HashClient
from pymemcache import serde

servers = [(host, int(port)) for host, port in (name.split(":") for name in sys.argv[1:])]
client = HashClient(servers, serde=serde.pickle_serde)
print("Python reads  ", client.get("from-node"), client.get("number-from-node"))
for i in range(20):
    client.set("from-python-%d" % i, "text %d" % i)
client.set("bytes-from-python", b"\\x00\\x01")
client.set("number-from-python", 2 ** 40)
`;

async function main(): Promise<void> {
  if (PYTHON === undefined) {
    console.log('pymemcache is not there; on Debian: apt-get install python3-pymemcache');
    return;
  }
  const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
  const addresses = servers.map(({ address }) => address);
  const client = new HashClient(addresses);
  await client.set('from-node', 'größe');
  await client.set('number-from-node', 42);

  const { stdout } = await promisify(execFile)(PYTHON, ['-c', PROGRAM, ...addresses], { env: { ...process.env, PYTHONIOENCODING: 'utf-8' } });
  process.stdout.write(stdout);

  const texts = await client.getMany(Array.from({ length: 20 }, (_, i) => `from-python-${i}`));
  console.log('Node reads    ', texts.size, 'of 20 texts,', await client.get('bytes-from-python'), await client.get('number-from-python'));

  await client.close();
  await Promise.all(servers.map((server) => server.close()));
}

void main();
