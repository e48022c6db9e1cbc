import { MemcacheIllegalInputError } from '../../src/errors';
import { KetamaHash } from '../../src/hash';
import type { KetamaHashOptions, KeyHashName } from '../../src/hash';
import { md5 } from '../../src/hash/placement/md5';
import { oneAtATime } from '../../src/hash/placement/one-at-a-time';
import { readVectors } from './read-vectors';
import { manyKeys, placeAll, serverNames, sharesOf, withNodes } from './shares';

interface Vectors {
  sets: {
    distribution: string;
    servers: string[];
    weights: number[] | null;
    placements: [key: string, node: string][];
  }[];
}

const RINGS: Record<string, KetamaHashOptions> = {
  ketama: {},
  consistent_default: {},
  ketama_weighted: { weighted: true },
};
const KEYS = manyKeys(100_000);
const FEW_KEYS = KEYS.slice(0, 2000);

interface Point {
  server: string;
  point: number;
}

/** The rule itself, without a search: the owner of the least point that is not less than `hash`, else of the least. */
function ownerOf(hash: number, points: readonly Point[]): string | undefined {
  const ahead = points.filter(({ point }) => point >= hash);
  const candidates = ahead.length > 0 ? ahead : points;
  return candidates.reduce((least, other) => (other.point < least.point ? other : least)).server;
}

const sets = readVectors<Vectors>('libmemcached').sets.filter(({ distribution }) => distribution in RINGS);

test('there are vectors of each ring, with and without weights', () => {
  const kinds = sets.map(({ distribution, weights }) => `${distribution}${weights === null ? '' : ', weights'}`);
  expect([...new Set(kinds)].sort()).toEqual(
    ['consistent_default', 'ketama', 'ketama, weights', 'ketama_weighted', 'ketama_weighted, weights'].sort(),
  );
});

test.each(sets)("libmemcached's placements: $distribution over $servers, weights $weights", (set) => {
  const hasher = new KetamaHash(RINGS[set.distribution]);
  for (const [i, server] of set.servers.entries()) hasher.addNode(server, set.weights?.[i]);
  expect(set.placements.length).toBeGreaterThanOrEqual(300);
  expect(set.placements.map(([key]) => [key, hasher.getNode(key)])).toEqual(set.placements);
});

test('the hash of the keys can be chosen for either ring', () => {
  const names = serverNames(5);
  const placements = (['one-at-a-time', 'crc', 'md5'] as const).flatMap((hash) =>
    [false, true].map((weighted) => placeAll(withNodes(new KetamaHash({ weighted, hash }), names), FEW_KEYS).join()),
  );
  expect(new Set(placements).size).toBe(6);
  const asUsual = placeAll(withNodes(new KetamaHash({ weighted: true }), names), FEW_KEYS).join();
  expect(placements[5]).toBe(asUsual);
});

test('points are named without the default port, and with port 0 for a unix socket', () => {
  const serversOfPoints = new Map([
    ['::1', '::1:11211'],
    ['fe80::11211', 'fe80::11211:11211'],
    ['/run/a.sock:0', '/run/a.sock'],
    ['cache.example.com:21121', 'cache.example.com:21121'],
  ]);
  const points = [...serversOfPoints].flatMap(([name, server]) =>
    Array.from({ length: 100 }, (_, i) => ({ server, point: oneAtATime(`${name}-${i}`) })),
  );
  const hasher = withNodes(new KetamaHash(), serversOfPoints.values());
  expect(placeAll(hasher, FEW_KEYS)).toEqual(FEW_KEYS.map((key) => ownerOf(oneAtATime(key), points)));
});

test("the number of points is rounded as C's float rounds it", () => {
  // 1 / 25 * 40 * 25 is a little less than 40 in single precision, and exactly 40 in double.
  const servers = serverNames(25).map((name) => name.replace(':11211', ':1'));
  const points = servers.flatMap((server) =>
    Array.from({ length: 39 }, (_, i) => md5(`${server}-${i}`)).flatMap((digest) =>
      [0, 4, 8, 12].map((at) => ({ server, point: digest.readUInt32LE(at) })),
    ),
  );
  const hasher = withNodes(new KetamaHash({ weighted: true }), servers);
  expect(placeAll(hasher, FEW_KEYS)).toEqual(FEW_KEYS.map((key) => ownerOf(md5(key).readUInt32LE(), points)));
});

test('shares of keys follow the weights', () => {
  const hasher = new KetamaHash({ weighted: true });
  for (const [i, name] of serverNames(4).entries()) hasher.addNode(name, i + 1);
  const shares = sharesOf(placeAll(hasher, KEYS));
  for (const [i, name] of serverNames(4).entries()) {
    expect(Math.abs((shares.get(name) ?? 0) - (i + 1) / 10)).toBeLessThan(0.05);
  }
});

test('an unknown hash is refused', () => {
  expect(() => new KetamaHash({ hash: 'python-memcached' as KeyHashName })).toThrow(MemcacheIllegalInputError);
});
