import { HashClient, KetamaHash, ModuloHash, RendezvousHash, type Hasher, type Key } from '../../src';
import { readVectors } from './read-vectors';

/** A key is text, or bytes in base64. */
type VectorKey = string | { readonly base64: string };

interface TwemproxyVectors {
  readonly servers: Readonly<Record<string, readonly string[]>>;
  readonly keys: readonly VectorKey[];
  readonly sets: readonly { distribution: string; hash: string; servers: string; hash_tag?: string; index: readonly number[] }[];
}

const { servers, keys, sets } = readVectors<TwemproxyVectors>('twemproxy');
const HASHES = { md5: 'md5', one_at_a_time: 'one-at-a-time', crc32: 'crc' } as const;
const isKnown = (hash: string): hash is keyof typeof HASHES => hash in HASHES;

/** Its ketama is always the weighted ring; its `modula` with weights, and its own names of servers, are not ours yet. */
const known = sets.filter(({ distribution, hash, servers: list, hash_tag: tag }) =>
  isKnown(hash) && tag === undefined && !list.includes('named') && (distribution === 'ketama' || (distribution === 'modula' && !list.includes('weighted'))),
);

const keyOf = (key: VectorKey): Key => (typeof key === 'string' ? key : Buffer.from(key.base64, 'base64'));

test('the vectors hold byte keys that are not UTF-8', () => {
  const odd = keys.filter((key) => typeof key === 'object' && !Buffer.from(key.base64, 'base64').equals(Buffer.from(Buffer.from(key.base64, 'base64').toString())));
  expect(odd.length).toBeGreaterThan(10);
  expect(known.length).toBeGreaterThan(8);
});

test.each(known)("twemproxy's placements, byte keys included: $distribution, $hash, $servers", ({ distribution, hash, servers: list, index }) => {
  if (!isKnown(hash)) throw new Error(hash);
  const hasher = distribution === 'ketama' ? new KetamaHash({ weighted: true, hash: HASHES[hash] }) : new ModuloHash({ hash: HASHES[hash] });
  const entries = (servers[list] ?? []).map((line) => line.split(':'));
  const cluster = new HashClient(entries.map(([host = '', port = '', weight]) => ({ host, port: Number(port), weight: Number(weight) })), { hasher });
  const expected = index.map((at) => entries[at]?.slice(0, 2).join(':'));
  expect(keys.map((key) => cluster.serverFor(keyOf(key)))).toEqual(expected);
});

test('a hasher is given the bytes of keys that are bytes, and of no others; commands place as serverFor tells', async () => {
  const given: [string, Uint8Array | undefined][] = [];
  class Watching extends RendezvousHash implements Hasher {
    override getNode(key: string, bytes?: Uint8Array): string | undefined {
      given.push([key, bytes]);
      return super.getNode(key, bytes);
    }
  }
  const client = new HashClient(['127.0.0.1:1'], { hasher: new Watching(), connectTimeout: 100, allowUnicodeKeys: true });
  const bytes = Buffer.from([0x6b, 0xff]);
  client.serverFor('text');
  client.serverFor([bytes, 'text']);
  await Promise.allSettled([client.get(bytes), client.getMany(['a', bytes]), client.setMany([[bytes, 'x']]), client.deleteMany([bytes]), client.delete(['r', bytes])]);
  const replaced = 'k\ufffd';
  expect(given).toEqual([
    ['text', undefined], [replaced, bytes], [replaced, bytes], ['a', undefined], [replaced, bytes], [replaced, bytes], [replaced, bytes], ['r', undefined],
  ]);
  await client.close();
});
