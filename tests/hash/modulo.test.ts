import { MemcacheIllegalInputError } from '../../src/errors';
import { KetamaHash, ModuloHash, RendezvousHash } from '../../src/hash';
import { crc15 } from '../../src/hash/placement/key-hash';
import type { KeyHashName, ModuloHashOptions } from '../../src/hash';
import { illegal } from '../support/contract';
import { readVectors } from './read-vectors';
import { manyKeys, placeAll, sharesOf, withNodes } from './shares';

interface PythonVectors {
  sets: {
    servers: [name: string, weight: number][];
    buckets: string[];
    placements: [key: string, hash: number, node: string][];
  }[];
}

interface LibmemcachedVectors {
  sets: { distribution: string; servers: string[]; placements: [key: string, node: string][] }[];
}

const MODULA: Record<string, ModuloHashOptions['hash']> = {
  modula: 'one-at-a-time',
  modula_crc: 'crc',
  modula_md5: 'md5',
};

const pythonSets = readVectors<PythonVectors>('python-memcached-crc').sets;

test.each(pythonSets)("python-memcached's placements: $servers", ({ servers, placements }) => {
  const hasher = new ModuloHash({ hash: 'python-memcached' });
  for (const [name, weight] of servers) hasher.addNode(name, weight);
  const expected = placements.map(([key, , node]) => [key, node]);
  expect(expected.length).toBeGreaterThanOrEqual(300);
  expect(placements.map(([key]) => [key, hasher.getNode(key)])).toEqual(expected);
});

test('python-memcached up to 1.59 never uses a hash of 0; later ones do', () => {
  // The CRC-32 of no bytes is 0, which was turned into 1.
  const nodes = ['a:1', 'b:1'];
  expect(withNodes(new ModuloHash({ hash: 'python-memcached-1.59' }), nodes).getNode('')).toBe('b:1');
  expect(withNodes(new ModuloHash({ hash: 'python-memcached' }), nodes).getNode('')).toBe('a:1');
  // A key with that hash, and one without.
  const [zero = '', other = ''] = [0, 1].map((wanted) => manyKeys(200_000).find((key) => Math.min(crc15(key), 1) === wanted));
  const [current, older] = (['python-memcached', 'python-memcached-1.59'] as const).map((hash) => withNodes(new ModuloHash({ hash }), nodes));
  expect([current?.getNode(zero), older?.getNode(zero)]).toEqual(['a:1', 'b:1']);
  expect(current?.getNode(other)).toBe(older?.getNode(other));
});

test('weights are buckets for both', () => {
  const hasher = new ModuloHash({ hash: 'python-memcached-1.59' });
  hasher.addNode('a:1', 3);
  hasher.addNode('b:1');
  expect(sharesOf(placeAll(hasher, manyKeys(10_000))).get('a:1')).toBeCloseTo(0.75, 1);
});

const modulaSets = readVectors<LibmemcachedVectors>('libmemcached').sets.filter(
  ({ distribution }) => distribution in MODULA,
);

test('there are vectors of each of the three hashes', () => {
  expect(new Set(modulaSets.map(({ distribution }) => distribution))).toEqual(new Set(Object.keys(MODULA)));
});

test.each(modulaSets)("libmemcached's placements: $distribution over $servers", (set) => {
  const hasher = withNodes(new ModuloHash({ hash: MODULA[set.distribution] ?? 'md5' }), set.servers);
  expect(set.placements.length).toBeGreaterThanOrEqual(300);
  expect(set.placements.map(([key]) => [key, hasher.getNode(key)])).toEqual(set.placements);
});

test("weights are buckets in python-memcached's way, and nothing in libmemcached's", () => {
  const place = (hash: ModuloHashOptions['hash']) => {
    const hasher = new ModuloHash({ hash });
    hasher.addNode('a:1', 3);
    hasher.addNode('b:1');
    return sharesOf(placeAll(hasher, manyKeys(10_000)));
  };
  expect(place('python-memcached').get('a:1')).toBeCloseTo(0.75, 1);
  expect(place('crc').get('a:1')).toBeCloseTo(0.5, 1);
});

test('a large weight costs no memory', () => {
  const hasher = new ModuloHash({ hash: 'python-memcached' });
  hasher.addNode('a:1', 1_000_000_000);
  hasher.addNode('b:1', 1_000_000_000);
  expect(hasher.getNode('k')).toBe('a:1');
});

test('a weight that is no whole number is refused', () => {
  const hasher = new ModuloHash({ hash: 'python-memcached' });
  expect(() => hasher.addNode('a:1', 1.5)).toThrow(/weight of node a:1 must be a whole number/);
});

test('an unknown hash is refused', () => {
  for (const hash of ['sha1', 'constructor', '']) {
    expect(() => new ModuloHash({ hash: hash as KeyHashName })).toThrow(MemcacheIllegalInputError);
  }
  expect(() => new ModuloHash(illegal({}))).toThrow('hash must be given: python-memcached or');
});

test('an option that does not exist is refused', () => {
  expect(() => new ModuloHash(illegal({ hash: 'md5', lik: 'x' }))).toThrow('there is no option "lik"; the options are hash');
  expect(() => new KetamaHash(illegal({ like: 'x' }))).toThrow('there is no option "like"; the options are weighted, hash');
  expect(() => new KetamaHash(illegal({ weighted: 1 }))).toThrow('weighted must be true or false');
  expect(() => new RendezvousHash(illegal({ sead: 1 }))).toThrow('there is no option "sead"; the options are seed');
});
