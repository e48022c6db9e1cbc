import { MemcachedServer } from '../../src/server';
import { Client, HashClient } from '../../src';
import { failure } from '../support/contract';
import { deadClient } from './clients';

type Adapters = typeof import('../../src/adapters/keyv') & typeof import('../../src/adapters/unstorage') & typeof import('../../src/adapters/rate-limit') & typeof import('../../src/adapters/next');
type Copy = typeof import('../../src') & typeof import('../../src/cache') & Adapters;

/** What a bundler that makes modules anew does in a program whose client lives on, for example in `globalThis`. */
function otherCopy(): Copy {
  const modules: object[] = [];
  jest.isolateModules(() => {
    for (const name of ['index', 'cache/index', 'adapters/keyv', 'adapters/unstorage', 'adapters/rate-limit', 'adapters/next']) {
      modules.push(jest.requireActual<object>(`../../src/${name}`));
    }
  });
  return Object.assign({}, ...modules) as Copy;
}

const { createCacheHandler, FallbackClient, KeyvMemcache, memcacheDriver, MemcacheError, MemcacheRateLimitStore, ReadThroughCache, RetryingClient } = otherCopy();

let server: MemcachedServer;
let client: Client;
beforeAll(async () => {
  server = await MemcachedServer.start();
  client = new Client(server.address, { maxValueSize: 1000 });
});
afterAll(async () => {
  await client.close();
  await server.close();
});

it('what fails is a miss, though its class is of the copy that the client is of', async () => {
  const dead = await deadClient();
  expect(await failure(dead.get('k'))).not.toBeInstanceOf(MemcacheError);
  const store = new KeyvMemcache(dead);
  expect([await store.get('k'), await store.set('k', 'v'), await store.getMany(['k'])]).toEqual([undefined, false, [undefined]]);
  const driver = memcacheDriver({ client: dead });
  expect([await driver.getItem('k'), await driver.setItem('k', 'v')]).toEqual([null, undefined]);
  const Handler = createCacheHandler(dead);
  expect(await new Handler().get('k')).toBeNull();
});

it('a value that is too large is refused, and a server without meta commands counts', async () => {
  await expect(memcacheDriver({ client }).setItem('k', 'v'.repeat(2000))).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  const limits = new MemcacheRateLimitStore(client);
  server.faults = ({ line }) => (line.startsWith('ma ') ? { reply: 'ERROR\r\n' } : undefined);
  expect([(await limits.increment('k')).totalHits, (await limits.increment('k')).totalHits]).toEqual([1, 2]);
  server.faults = undefined;
});

it('what needs commands and errors of its own copy refuses the client, and says why', () => {
  const message = /; this one is of another copy of tsmemcache: see docs\/runtimes\.md$/;
  expect(() => new ReadThroughCache(client as never)).toThrow(message);
  expect(() => new RetryingClient(new HashClient([server.address]) as never)).toThrow(message);
  expect(() => new FallbackClient([client as never])).toThrow(message);
  expect(() => new RetryingClient({} as never)).toThrow(/for example new Client\(\)$/);
  expect(() => new FallbackClient([{} as never])).toThrow(/an array of clients$/);
});
