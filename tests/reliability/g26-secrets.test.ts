import { inspect } from 'node:util';
import {
  Client,
  FallbackClient,
  HashClient,
  JsonSerde,
  MemcacheError,
  MetaCommand,
  PooledClient,
  RetryingClient,
  StructuredSerde,
  TypedSerde,
  type CacheValue,
  type ClientOptions,
  type Serde,
} from '../../src';
import { MemcachedServer } from '../../src/server';
import { illegal, rejection } from '../support/contract';
import { KEY, PASSWORD, VALUE } from '../support/confidential';
import { ScriptedServer } from '../support/scripted-server';
import { report } from './report';

const SECRETS = [PASSWORD, VALUE, KEY];

/** All that somebody may see of a thing in a log. */
function shown(thing: unknown): string {
  const text = thing instanceof Error ? `${String(thing)} ${thing.message} ${thing.stack ?? ''}` : '';
  return `${text} ${inspect(thing, { depth: 12, showHidden: true, getters: false })} ${JSON.stringify(thing)}`;
}

let looks = 0;

function expectDiscreet(thing: unknown): void {
  looks++;
  for (const secret of SECRETS) expect(shown(thing)).not.toContain(secret);
}

const options: ClientOptions = { auth: { username: 'user', password: PASSWORD }, timeout: 200, connectTimeout: 200 };

it('no client shows its password, nor what is under way on it', async () => {
  const server = await MemcachedServer.start({ auth: [{ username: 'user', password: PASSWORD }] });
  const clients = [
    new Client(server.address, options),
    new PooledClient(server.address, options),
    new HashClient([`memcached://user:${PASSWORD}@${server.address}`], { timeout: 200 }),
    new RetryingClient(new Client(server.address, options)),
    new FallbackClient([new Client(server.address, options)]),
  ];
  for (const client of clients) {
    const calls = [client.set(KEY, VALUE), client.get(KEY), client.metaGet(KEY)];
    for (const secret of [PASSWORD, VALUE]) expect(inspect(client, { depth: 12 }) + JSON.stringify(client)).not.toContain(secret);
    await Promise.all(calls);
    await client.close();
  }
  await server.close();
});

it.each<[string, string]>([
  ['an error of the server', 'SERVER_ERROR out of memory storing object\r\n'],
  ['an error of the client', 'CLIENT_ERROR bad data chunk\r\n'],
  ['ERROR', 'ERROR\r\n'],
  ['a part of a value in place of a reply', `${VALUE}\r\n`],
  ['a part of a value behind a known word', `STORED ${VALUE}\r\n`],
  ['the value of another key', `VALUE ${KEY} 16 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`],
  ['a value shorter than announced', `VALUE ${KEY} 16 ${VALUE.length + 3}\r\n${VALUE}\r\nEND\r\n`],
  ['a value that is no JSON', `VALUE a 64 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`],
  ['a value that is no number', `VALUE a 2 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`],
  ['a meta reply', `VA ${VALUE.length} f2 Oo\r\n${VALUE}\r\n`],
  ['silence', ''],
])('%s is told without key, value or password', async (_, reply) => {
  const server = await ScriptedServer.start();
  for (const serde of [undefined, new JsonSerde<CacheValue>()]) {
    const calls: ((client: Client) => Promise<unknown>)[] = [
      (c) => c.get('a'),
      (c) => c.set(KEY, VALUE),
      (c) => c.getMany([KEY, 'a']),
      (c) => c.setMany({ [KEY]: VALUE }),
      (c) => c.incr(KEY),
      (c) => c.metaGet('a', { opaque: 'o' }),
      (c) => c.metaSet(KEY, VALUE),
      (c) => c.executeMeta(new MetaCommand('mg', KEY, ['v'])),
      (c) => c.raw('version'),
    ];
    for (const call of calls) {
      const client = new Client(server.address, { serde, timeout: 40, connectTimeout: 200 });
      server.next(async (connection) => {
        await connection.expectMatch(/\r\n/);
        await connection.send(reply);
        await connection.hold();
      });
      const outcome: unknown = await call(client).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toBeInstanceOf(MemcacheError);
        expectDiscreet(outcome);
      }
      await client.close();
    }
  }
  await server.close();
});

it('illegal input is told without the input', async () => {
  const client = new Client('localhost', options);
  const bad = `${KEY} ${VALUE}`;
  for (const error of [
    await rejection(client.get(bad)),
    await rejection(client.set('k', VALUE, { expire: illegal(VALUE) })),
    await rejection(client.cas('k', VALUE, VALUE)),
    await rejection(client.incr('k', illegal(VALUE))),
    await rejection(client.metaSet('k', VALUE, { opaque: `${VALUE} ` })),
    await rejection(client.raw(`${VALUE}\n`)),
    await rejection(client.set('k', { toJSON: () => BigInt(7), text: VALUE })),
    await rejection(client.setMany([[KEY, VALUE], [bad, VALUE]])),
  ]) {
    expect(error).toBeInstanceOf(MemcacheError);
    expectDiscreet(error);
  }
  await client.close();
});

it('a value that a serde refuses is told without a part of it', async () => {
  const circle: Record<string, unknown> = {};
  circle[VALUE] = [circle];
  const method = { [VALUE]() { return 1; } };
  const refused: [Serde<unknown>, unknown][] = [
    [new TypedSerde(), circle],
    [new JsonSerde(), circle],
    [new StructuredSerde(), [Symbol(VALUE)]],
    [new StructuredSerde(), { [KEY]: Object.values(method) }],
  ];
  for (const [serde, value] of refused) {
    const client = new Client<unknown>('localhost', { ...options, serde });
    const error = await rejection(client.set(KEY, value));
    expect(error).toMatchObject({ code: 'MEMCACHE_SERDE' });
    expectDiscreet(error);
    await client.close();
  }
});

it('a partial failure does not print what came', async () => {
  const server = await MemcachedServer.start();
  const gone = await MemcachedServer.start();
  const client = new HashClient([server.address, gone.address], { timeout: 200 });
  const keys = Array.from({ length: 40 }, (_, i) => `${KEY}-${i}`);
  await client.setMany(keys.map((key): [string, string] => [key, VALUE]));
  await gone.close();
  const error = await rejection(client.getMany(keys));
  expect(error).toMatchObject({ code: 'MEMCACHE_PARTIAL' });
  expectDiscreet(error);
  await client.close();
  await server.close();
});

it('everything was looked at', () => {
  report({ goal: 'G26', claim: 'No password, key or value in any message, stack, inspect or JSON of an error', n: looks, value: 0, limit: 0, pass: looks > 150 });
});
