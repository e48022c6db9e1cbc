import {
  backoff,
  Client,
  CompressedSerde,
  ElastiCacheClient,
  FallbackClient,
  HashClient,
  JsonSerde,
  MemcacheIllegalInputError,
  PooledClient,
  PythonSerde,
  RendezvousHash,
  Retrier,
  RetryingClient,
  VersionedSerde,
} from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { illegal, rejection } from '../support/contract';

const client = new Client();

it.each<[string, () => unknown, string]>([
  ['Client', () => new Client('a', illegal({ timeOut: 5 })), '"timeOut"; the options are connectTimeout, timeout,'],
  ['Client, an option of pools', () => new Client('a', illegal({ maxPoolSize: 5 })), '"maxPoolSize"'],
  ['PooledClient', () => new PooledClient('a', illegal({ poolSize: 5 })), 'maxPoolSize'],
  ['HashClient', () => new HashClient(['a'], illegal({ retries: 5 })), 'retryAttempts'],
  ['ElastiCacheClient', () => new ElastiCacheClient('a', illegal({ interval: 5 })), 'refreshInterval'],
  ['RetryingClient', () => new RetryingClient(client, illegal({ retries: 3 })), 'attempts'],
  ['Retrier', () => new Retrier(client.executor, illegal({ retries: 3 })), 'attempts'],
  ['FallbackClient', () => new FallbackClient([client], illegal({ copyHit: true })), 'copyHits'],
  ['EmbeddedClient', () => new EmbeddedClient(undefined, illegal({ prefix: 'x' })), 'keyPrefix'],
  ['backoff', () => backoff(illegal({ from: 20 })), 'base'],
  ['backoff of a number', () => backoff(illegal(20)), 'options must be an object'],
  ['backoff, a negative base', () => backoff({ base: -1 }), 'base must be'],
  ['options that are a text', () => new Client('a', illegal('b')), 'options must be an object'],
  ['null as options of a Client', () => new Client('a', illegal(null)), 'options must be an object'],
  ['null as options of a PooledClient', () => new PooledClient('a', illegal(null)), 'options must be an object'],
  ['null as options of a HashClient', () => new HashClient(['a'], illegal(null)), 'options must be an object'],
  ['null as options of an ElastiCacheClient', () => new ElastiCacheClient('a', illegal(null)), 'options must be an object'],
  ['null as options of an EmbeddedClient', () => new EmbeddedClient(undefined, illegal(null)), 'options must be an object'],
  ['null as the store of an EmbeddedClient', () => new EmbeddedClient(illegal(null)), 'store must be a MemoryStore'],
  ['a serde’s class in place of a serde', () => new Client('a', { serde: illegal(JsonSerde) }), 'serde must be an object'],
  ['an empty serde', () => new Client('a', { serde: illegal({}) }), 'serde must be an object'],
  ['a hasher’s class in place of a hasher', () => new HashClient(['a'], { hasher: illegal(RendezvousHash) }), 'hasher must be an object'],
  ['a hasher by name', () => new HashClient(['a'], { hasher: illegal('ketama') }), 'hasher must be an object'],
  ['RetryingClient without a client', () => new RetryingClient(illegal('a')), 'client must be a client'],
  ['FallbackClient of one client', () => new FallbackClient(illegal(client)), 'clients must be an array'],
  ['FallbackClient of addresses', () => new FallbackClient(illegal(['a', 'b'])), 'clients must be an array'],
  ['EmbeddedClient with options in place of a store', () => new EmbeddedClient(illegal({ keyPrefix: 'x' })), 'options are the second argument'],
  ['a source that was called', () => new HashClient(illegal((async function* () { await Promise.resolve(); yield ['a']; })())), 'the function itself'],
  ['validate that is no function', () => new JsonSerde({ validate: illegal(5) }), 'validate must be a function'],
  ['JsonSerde', () => new JsonSerde(illegal({ revive: () => 1 })), '"revive"; the options are reviver, validate'],
  ['CompressedSerde', () => new CompressedSerde(new JsonSerde(), illegal({ minSize: 5 })), '"minSize"; the options are minLength,'],
  ['PythonSerde', () => new PythonSerde(illegal({ maxSize: 5 })), '"maxSize"; the options are maxOutput'],
  ['VersionedSerde without a version', () => new VersionedSerde(new JsonSerde(), illegal(undefined)), 'version must be'],
  ['VersionedSerde with a version that is no number', () => new VersionedSerde(new JsonSerde(), NaN), 'version must be'],
  ['a codec that is none', () => new CompressedSerde(new JsonSerde(), { codec: illegal('brotli') }), 'codec must be'],
  ['CompressedSerde of nothing', () => new CompressedSerde(illegal(undefined)), 'inner must be'],
])('%s is refused by name', (_, make, message) => {
  expect(make).toThrow(MemcacheIllegalInputError);
  expect(make).toThrow(message);
});

it.each<[string, () => Promise<unknown>, string]>([
  ['set with ttl', () => client.set('k', 1, illegal({ ttl: 60 })), '"ttl"; the options are signal, expire'],
  ['delete with expires', () => client.delete('k', illegal({ expires: 60 })), '"expires"'],
  ['get with noReply', () => client.get('k', illegal({ noReply: true })), '"noReply"'],
  ['getMany with timeout', () => client.getMany(['k'], illegal({ timeout: 60 })), '"timeout"'],
  ['getMany of nothing with timeout', () => client.getMany([], illegal({ timeout: 60 })), '"timeout"'],
  ['setMany with ttl', () => client.setMany({ k: 1 }, illegal({ ttl: 60 })), '"ttl"'],
  ['metaGet with vivfy', () => client.metaGet('k', illegal({ vivfy: 30 })), 'vivify'],
  ['options named like methods of objects', () => client.get('k', illegal({ toString: 1 })), '"toString"'],
])('%s is refused by name, and nothing is sent', async (_, call, message) => {
  const error = await rejection(call());
  expect(error).toBeInstanceOf(MemcacheIllegalInputError);
  expect(String(error)).toContain(message);
});

it('what is undefined may be named, and one object may serve several commands', async () => {
  const embedded = new EmbeddedClient(undefined, { keyPrefix: undefined, timeout: 100 });
  const options = { expire: 60, noreply: false, signal: undefined };
  expect(await embedded.set('k', 1, options)).toBe(true);
  expect(await embedded.touch('k', 60, options)).toBe(true);
  expect(await embedded.delete('k', options)).toBe(true);
  await embedded.close();
});

it('a class of the user’s may have options of its own', () => {
  class Tagged extends Client {
    protected static override readonly optionNames: object = { ...super.optionNames, tag: true };
  }
  expect(new Tagged('a', illegal({ tag: 'x', timeout: 5 }))).toBeInstanceOf(Client);
});
