/** What must compile and, behind `@ts-expect-error`, what must not. The compiler is the test; nothing here runs. */
import { RetryingClient, Client, CompressedSerde, ElastiCacheClient, FallbackClient, HashClient, JsonSerde, MISS, PooledClient, PythonSerde, RawSerde, StringSerde, StructuredSerde, TypedSerde, VersionedSerde } from '../../src';
import type { CacheApi, CacheValue, Codec, Entries, Serde, ValueWithCas } from '../../src';
import { ReadThroughCache } from '../../src/cache';
import { EmbeddedClient } from '../../src/embedded';
import { is } from './same.types';

interface User {
  name: string;
}

const server = '127.0.0.1:11211';
const serde = new JsonSerde<User>();

export async function everyClientReadsUsers(): Promise<void> {
  const clients = {
    one: new Client(server, { serde }),
    pooled: new PooledClient(server, { serde }),
    hash: new HashClient([server], { serde }),
    retrying: new RetryingClient(new Client(server, { serde })),
    retryingHash: new RetryingClient(new HashClient([server], { serde })),
    fallback: new FallbackClient([new Client(server, { serde }), new PooledClient(server, { serde })]),
    cloud: new ElastiCacheClient(server, { serde }),
    embedded: new EmbeddedClient(undefined, { serde }),
  };
  is<User | undefined>()(await clients.one.get('k'));
  is<User | undefined>()(await clients.pooled.get('k'));
  is<User | undefined>()(await clients.hash.get('k'));
  is<User | undefined>()(await clients.retrying.get('k'));
  is<User | undefined>()(await clients.retryingHash.get('k'));
  is<User | undefined>()(await clients.fallback.get('k'));
  is<User | undefined>()(await clients.cloud.get('k'));
  is<User | undefined>()(await clients.embedded.get('k'));
  is<User | undefined>()(await new ReadThroughCache(clients.one).peek('k'));
  is<User>()(await new ReadThroughCache(clients.one).get('k', (): User => ({ name: 'Ada' })));

  for (const client of Object.values(clients)) {
    const many = await client.getMany(['a', 'b']);
    for (const user of many.values()) is<User>()(user);
    is<ValueWithCas<User>>()(await client.gets('k'));
    for (const entry of (await client.getsMany(['a'])).values()) is<[value: User, cas: string]>()(entry);
    is<User | undefined>()(await client.gat('k', 5));
    await client.set('k', { name: 'Ada' });
    await client.setMany({ k: { name: 'Ada' } });
    await client.cas('k', { name: 'Ada' }, '1');
    // @ts-expect-error -- a number is no User
    await client.set('k', 5);
    // @ts-expect-error -- a User has a name
    await client.add('k', {});
    // @ts-expect-error -- a User has a name
    await client.setMany({ k: { nom: 'Ada' } });
    // @ts-expect-error -- a User is no text
    is<string | undefined>()(await client.get('k'));
  }
}

export async function serdesGiveTheirTypes(): Promise<void> {
  is<CacheValue | undefined>()(await new Client(server).get('k'));
  is<CacheValue | undefined>()(await new Client(server, { serde: new TypedSerde() }).get('k'));
  is<CacheValue | undefined>()(await new Client(server, { serde: new PythonSerde() }).get('k'));
  is<string | undefined>()(await new Client(server, { serde: new StringSerde() }).get('k'));
  is<Buffer | undefined>()(await new Client(server, { serde: new RawSerde() }).get('k'));
  is<Map<string, Date> | undefined>()(await new Client(server, { serde: new StructuredSerde<Map<string, Date>>() }).get('k'));
  // `unknown | undefined` is unknown, and not the type of MISS.
  is<unknown>()(await new Client(server, { serde: new JsonSerde() }).get('k'));
  is<unknown>()(await new Client(server, { serde: new StructuredSerde() }).get('k'));
  await new Client(server, { serde: new JsonSerde() }).set('k', { anything: true });
  await new Client(server, { serde: new StructuredSerde() }).set('k', new Map());
}

export async function wrappedSerdesKeepTheirTypes(): Promise<void> {
  is<CompressedSerde<User>>()(new CompressedSerde(serde));
  is<VersionedSerde<User>>()(new VersionedSerde(serde, 1));
  is<CompressedSerde<Buffer, string | Uint8Array>>()(new CompressedSerde(new RawSerde()));
  is<CompressedSerde<unknown>>()(new CompressedSerde(new JsonSerde()));
  const wrapped = new Client(server, { serde: new VersionedSerde(new CompressedSerde(serde, { level: 9 }), '2') });
  is<User | undefined>()(await wrapped.get('k'));
  // @ts-expect-error -- a User has a name
  await wrapped.set('k', { nom: 'Ada' });
  const validated = new JsonSerde({ validate: (value): User => ({ name: String(value) }) });
  is<User | undefined>()(await new Client(server, { serde: validated }).get('k'));
}

export async function whatSerdesRefuse(): Promise<void> {
  const texts = new Client(server, { serde: new StringSerde() });
  // @ts-expect-error -- a StringSerde stores no numbers
  await texts.set('k', 1);
  const bytes = new Client(server, { serde: new RawSerde() });
  await bytes.set('k', 'text');
  // @ts-expect-error -- a RawSerde stores no objects
  await bytes.set('k', {});
  // @ts-expect-error -- undefined is what a miss is
  await new Client(server).set('k', undefined);
  // @ts-expect-error -- a serde has two functions
  new Client(server, { serde: { serialize: (data: string) => ({ data, flags: 0 }) } });
  // @ts-expect-error -- levels end at 9
  new CompressedSerde(serde, { level: 10 });
  // @ts-expect-error -- codecs are synchronous
  new CompressedSerde(serde, { codec: { compress: async (data: Uint8Array) => Promise.resolve(data), decompress: (data: Uint8Array) => data } });
  // @ts-expect-error -- a version is a number or text
  new VersionedSerde(serde, null);
}

/** A serde and a codec of one's own. */
export const percent: Serde<number> = {
  serialize: (value) => ({ data: `${value * 100}%`, flags: 1024 }),
  deserialize: (data, flags) => (flags === 1024 ? Number.parseFloat(data.toString()) / 100 : MISS),
};
is<Promise<number | undefined>>()(new Client(server, { serde: percent }).get('k'));

export const identity: Codec = { compress: (data) => data, decompress: (data) => data };

export async function manyKeys(client: Client, people: Client<unknown>): Promise<void> {
  const id = ['user', 1].join(':');
  // A Map by keys that were given as literals can be asked for any text.
  (await client.getMany(['user:1', 'user:2'])).get(id);
  is<Map<string, CacheValue>>()(await client.getMany(['user:1']));
  is<Map<string, [value: CacheValue, cas: string]>>()(await client.getsMany(new Set(['a'])));
  // The type of the values alone, as with `get`.
  is<Map<string, User>>()(await people.getMany<User>([id, 'user:2']));
  is<Map<string, [value: User, cas: string]>>()(await people.getsMany<User>(new Set([id])));
  is<Map<Buffer, User>>()(await people.getMany<Buffer, User>([Buffer.from(id)]));
  // Pairs of a literal, with values of several types.
  await client.setMany([['a', 1], ['b', 'text'], [['route', 'c'], null]]);
  const rows = new Map<string, User>([['a', { name: 'Ada' }]]);
  await client.setMany([...rows.values()].map((row) => [row.name, row]));
  await (client as CacheApi).setMany([...rows].filter(([row]) => row !== 'b').map(([row, { name }]) => [row, name]));
  const entries: Entries<User> = rows;
  await new Client(server, { serde }).setMany(entries);
  await new Client(server, { serde: new StringSerde() }).setMany([['a', '1']]);
  // @ts-expect-error -- a StringSerde stores no numbers
  await new Client(server, { serde: new StringSerde() }).setMany([['a', 1]]);
  // @ts-expect-error -- a string is no type of what a client of users reads
  await new Client(server, { serde }).getMany<number>(['a']);
  // @ts-expect-error -- one key is no list of keys, although a text can be iterated over
  await client.getMany('abc');
  // @ts-expect-error -- nor here
  await client.deleteMany('abc');
  // @ts-expect-error -- one server is no list of servers
  new HashClient('localhost:11211');
  new HashClient([{ host: 'a', port: 1, weight: 5 }, { server: 'b', weight: 2 }, 'c']);
}

/** What is counted is any number, also where those that were given are literals. */
export async function counts(client: Client): Promise<void> {
  is<number | undefined>()((await client.metaArithmetic('k')).value);
  is<number | undefined>()((await client.metaArithmetic('k', { vivify: 0, initial: 1, delta: 5 })).value);
  is<bigint | undefined>()((await client.metaArithmetic('k', { vivify: 0, initial: 1n })).value);
  // @ts-expect-error -- a count is of one kind
  await client.metaArithmetic('k', { initial: 1n, delta: 5 });
}

/** A class of a user's own, over a client of any type. */
export class Repository<T> {
  readonly #client: Client<T>;

  constructor(client: Client<T>) {
    this.#client = client;
  }

  async find(id: string): Promise<T | undefined> {
    const [entry] = await this.#client.gets(id);
    const many: Map<string, T> = await this.#client.getMany([id]);
    return entry ?? many.get(id) ?? this.#client.get(id);
  }
}
