import { MemcacheIllegalInputError } from '../../src';
import { KeyvMemcache } from '../../src/adapters/keyv';
import { createCacheHandler } from '../../src/adapters/next';
import { MemcacheRateLimitStore } from '../../src/adapters/rate-limit';
import { MemcacheSessionStore } from '../../src/adapters/session';
import { memcacheDriver } from '../../src/adapters/unstorage';
import { EmbeddedClient } from '../../src/embedded';

const KEY = 'any key at all';
const WORD = 'w'.repeat(100);

/** An adapter, whether it has kept what it was given, and the longest prefix of a client that leaves it room. */
const ADAPTERS: readonly (readonly [name: string, keeps: (client: EmbeddedClient) => Promise<boolean>, longest: number])[] = [
  ['Keyv', async (client) => {
    const store = new KeyvMemcache(client, { namespace: WORD });
    await store.set(KEY, 'v');
    return (await store.get(KEY)) === 'v';
  }, 92],
  ['unstorage', async (client) => {
    const driver = memcacheDriver({ client, base: WORD });
    await driver.setItem(KEY, 'v');
    return (await driver.getItem(KEY)) === 'v';
  }, 92],
  ['a session store', async (client) => {
    const store = new MemcacheSessionStore(client, { prefix: WORD, failures: 'miss' });
    await new Promise<void>((resolve) => { store.set(KEY, { user: 'u' }, () => { resolve(); }); });
    return new Promise((resolve) => { store.get(KEY, (_, session) => { resolve(session !== undefined); }); });
  }, 106],
  ['a rate limit', async (client) => {
    const store = new MemcacheRateLimitStore(client, { prefix: WORD, failures: 'miss' });
    await store.increment(KEY);
    const counted = (await store.get(KEY))?.totalHits === 1;
    await store.resetKey(KEY);
    return counted && (await store.get(KEY)) === undefined;
  }, 95],
  ['Next.js', async (client) => {
    const handler = new (createCacheHandler(client, { prefix: WORD }))();
    await handler.set(KEY, { kind: 'FETCH' }, { tags: ['t'] });
    return (await handler.get(KEY, { tags: ['t'] })) !== null;
  }, 104],
];

it.each(ADAPTERS)('%s keeps what it is given beside the longest prefix of a client, and refuses a longer one at once', async (_, keeps, longest) => {
  await using client = new EmbeddedClient(undefined, { keyPrefix: 'p'.repeat(longest) });
  expect(await keeps(client)).toBe(true);
  await using other = new EmbeddedClient(undefined, { keyPrefix: 'p'.repeat(longest + 1) });
  const refused: unknown = await keeps(other).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(MemcacheIllegalInputError);
  expect(refused).toMatchObject({ message: expect.stringContaining(`the keyPrefix of the client must be at most ${longest} bytes long here`) as unknown });
});
