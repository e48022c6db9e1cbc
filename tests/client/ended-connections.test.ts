import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, HashClient, PooledClient, type ClientOptions } from '../../src';
import { connectSocket, type Connect } from '../../src/client/wire/transport';
import { ScriptedServer } from '../support/scripted-server';
import { turns } from '../support/virtual-clock';

it.each<[string, (server: string, options: ClientOptions) => Client]>([
  ['Client', (server, options) => new Client(server, options)],
  ['PooledClient', (server, options) => new PooledClient(server, options)],
  ['HashClient', (server, options) => new HashClient([server], options)],
])('%s keeps nothing of a connection that has ended', async (_, make) => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const server = await ScriptedServer.start();
  const made: WeakRef<object>[] = [];
  const connect: Connect = (address, options, handler) => {
    made.push(new WeakRef(handler));
    return connectSocket(address, options, handler);
  };
  const client = make(server.address, { connect });
  const isKept = (index: number): boolean => made[index]?.deref() !== undefined;
  for (let round = 0; round < 3; round++) {
    await client.get('k');
    for (const connection of server.connections) connection.destroy();
    await turns(5);
  }
  await client.get('k');
  const until = performance.now() + 20_000;
  while ([0, 1, 2].some(isKept) && performance.now() < until) {
    await turns(5);
    gc();
  }
  // That of the last one shows that this can fail.
  expect([0, 1, 2, 3].map(isKept)).toEqual([false, false, false, true]);
  await client.close();
  await server.close();
});
