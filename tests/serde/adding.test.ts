/** What `append` and `prepend` do through each serde: readable afterwards, refused, or noticed when it is read. */
import { Client, MemcacheSerdeError, RetryingClient } from '../../src';
import { CompressedSerde, JsonSerde, PythonSerde, RawSerde, StringSerde, StructuredSerde, TypedSerde, VersionedSerde, type Serde } from '../../src/serde';
import { MemcachedServer } from '../../src/server';
import { failure } from '../support/rejection';

let server: MemcachedServer;

beforeAll(async () => {
  server = await MemcachedServer.start();
});

afterAll(() => server.close());

let keys = 0;

async function withClient<V>(serde: Serde<V>, work: (client: Client<V>, key: string) => Promise<void>): Promise<void> {
  const client = new Client(server.address, { serde });
  try {
    await work(client, `adding-${keys++}`);
  } finally {
    await client.close();
  }
}

const LONG = 'long '.repeat(1000);

describe.each<[string, Serde<unknown>]>([
  ['TypedSerde', new TypedSerde()],
  ['StringSerde', new StringSerde()],
  ['PythonSerde', new PythonSerde()],
  ['a CompressedSerde', new CompressedSerde(new TypedSerde())],
  ['a VersionedSerde', new VersionedSerde(new StringSerde(), 3)],
  ['a VersionedSerde in a CompressedSerde', new CompressedSerde(new VersionedSerde(new StringSerde(), 3))],
  ['a CompressedSerde in a VersionedSerde', new VersionedSerde(new CompressedSerde(new StringSerde()), 3)],
])('%s', (_, serde) => {
  it.each(['short', LONG])('text grows by text %#', async (addition) => {
    await withClient(serde, async (client, key) => {
      await client.set(key, 'begin ');
      expect(await client.append(key, addition)).toBe(true);
      expect(await client.get(key)).toBe(`begin ${addition}`);
      expect(await client.metaSet(key, addition, { mode: 'append' })).toMatchObject({ status: 'done' });
      expect(await new RetryingClient(client).append(key, ' end')).toBe(true);
      expect(await client.get(key)).toBe(`begin ${addition}${addition} end`);
    });
  });
});

it('without a version text grows in front, too, however long it is', async () => {
  await withClient(new CompressedSerde(new TypedSerde()), async (client, key) => {
    await client.set(key, 'end');
    expect(await client.prepend(key, LONG)).toBe(true);
    await client.metaSet(key, LONG, { mode: 'prepend' });
    expect(await client.get(key)).toBe(`${LONG}${LONG}end`);
  });
});

it('bytes of a RawSerde that is compressed grow', async () => {
  await withClient<Buffer>(new CompressedSerde(new RawSerde()), async (client, key) => {
    await client.set(key, Buffer.of(0, 255));
    await client.append(key, Buffer.alloc(5000));
    expect(await client.get(key)).toEqual(Buffer.concat([Buffer.of(0, 255), Buffer.alloc(5000)]));
  });
});

it('what was added to a compressed value is noticed when it is read', async () => {
  await withClient(new CompressedSerde(new TypedSerde()), async (client, key) => {
    await client.set(key, LONG);
    await client.append(key, 'end');
    expect(await failure(client.get(key))).toBeInstanceOf(MemcacheSerdeError);
  });
});

describe.each<[string, Serde<unknown>, unknown]>([
  ['JsonSerde', new JsonSerde(), 1],
  ['StructuredSerde', new StructuredSerde(), 1],
  ['PythonSerde, of what would be a pickle', new PythonSerde(), [1]],
  ['a CompressedSerde of JSON', new CompressedSerde(new JsonSerde()), 1],
  ['a VersionedSerde of JSON', new VersionedSerde(new JsonSerde(), 3), 1],
])('%s refuses', (_, serde, value) => {
  it.each(['append', 'prepend'] as const)('%s, before a byte is written', async (verb) => {
    await withClient(serde, async (client, key) => {
      await client.set(key, value);
      for (const [command, call] of [[verb, client[verb](key, value)], ['ms', client.metaSet(key, value, { mode: verb })]] as const) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(MemcacheSerdeError);
        expect(error).toMatchObject({ command, certainty: 'notSent' });
        expect(error).toHaveProperty('message', expect.stringMatching(`${verb} would make .* unreadable: read the value, change it, and store it with cas`));
      }
      expect(await client.get(key)).toEqual(value);
    });
  });
});

it('nothing is put before a version', async () => {
  await withClient(new VersionedSerde(new StringSerde(), 3), async (client, key) => {
    await client.set(key, 'value');
    expect(await failure(client.prepend(key, 'front'))).toMatchObject({ message: expect.stringContaining('prepend would make a value behind its version unreadable') as string });
    expect(await client.get(key)).toBe('value');
  });
});

it('a serde of your own is told the command, and the mode of a meta command', async () => {
  const seen: (string | undefined)[] = [];
  const serde: Serde<string> = {
    serialize(value, _key, verb) {
      seen.push(verb);
      return { data: value, flags: 0 };
    },
    deserialize: (data) => data.toString(),
  };
  await withClient(serde, async (client, key) => {
    await client.set(key, 'a');
    await client.setMany({ [key]: 'b' });
    await client.append(key, 'c');
    await client.metaSet(key, 'd');
    await client.metaSet(key, 'e', { mode: 'prepend' });
  });
  expect(seen).toEqual(['set', 'set', 'append', 'ms', 'prepend']);
});
