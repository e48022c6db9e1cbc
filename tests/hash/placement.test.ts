import fc from 'fast-check';
import { MemcacheIllegalInputError } from '../../src/errors';
import { KetamaHash, ModuloHash, RendezvousHash } from '../../src/hash';
import type { Hasher } from '../../src/hash';
import { manyKeys, placeAll, serverNames, withNodes } from './shares';
import { anyCharacter } from '../support/any-string';

const KEYS = manyKeys(1000);

describe.each<[string, () => Hasher]>([
  ['RendezvousHash', () => new RendezvousHash()],
  ['KetamaHash', () => new KetamaHash()],
  ['KetamaHash, weighted', () => new KetamaHash({ weighted: true })],
  ['KetamaHash, 15 bits', () => new KetamaHash({ hash: 'crc' })],
  ['ModuloHash of python-memcached', () => new ModuloHash({ hash: 'python-memcached' })],
  ['ModuloHash of libmemcached', () => new ModuloHash({ hash: 'one-at-a-time' })],
])('%s', (_, create) => {
  test('without a node no key has an owner', () => {
    const hasher = create();
    expect(hasher.getNode('k')).toBeUndefined();
    hasher.addNode('a:1');
    expect(hasher.getNode('k')).toBe('a:1');
    hasher.removeNode('a:1');
    expect(hasher.getNode('k')).toBeUndefined();
  });

  test('adding a node twice is adding it once', () => {
    const names = serverNames(5);
    const once = withNodes(create(), names);
    const twice = withNodes(create(), [...names, ...names.toReversed()]);
    expect(placeAll(twice, KEYS)).toEqual(placeAll(once, KEYS));
    twice.removeNode('10.0.0.0:11211');
    expect(placeAll(twice, KEYS)).not.toContain('10.0.0.0:11211');
  });

  test('removing a node that is not there is refused', () => {
    const hasher = withNodes(create(), ['a:1']);
    expect(() => hasher.removeNode('b:1')).toThrow(new MemcacheIllegalInputError('no such node: b:1'));
    hasher.removeNode('a:1');
    expect(() => hasher.removeNode('a:1')).toThrow(MemcacheIllegalInputError);
  });

  test.each([0, -1, NaN, Infinity, -Infinity])('a weight of %p is refused and changes nothing', (weight) => {
    const hasher = withNodes(create(), ['a:1']);
    expect(() => hasher.addNode('b:1', weight)).toThrow(MemcacheIllegalInputError);
    expect(new Set(placeAll(hasher, KEYS))).toEqual(new Set(['a:1']));
  });

  test('however nodes fail and come back, when all are there every key is where it was', () => {
    const names = serverNames(6);
    const before = placeAll(withNodes(create(), names), KEYS);
    fc.assert(
      fc.property(fc.shuffledSubarray(names), fc.shuffledSubarray(names, { minLength: 6 }), (gone, order) => {
        const hasher = withNodes(create(), names);
        for (const name of gone) hasher.removeNode(name);
        const owners = new Set(placeAll(hasher, KEYS));
        expect(gone.some((name) => owners.has(name))).toBe(false);
        const back = order.filter((name) => gone.includes(name));
        expect(placeAll(withNodes(hasher, back), KEYS)).toEqual(before);
      }),
      { numRuns: 20 },
    );
  });

  test('any text is a key, and its owner is always one of the nodes', () => {
    const names = serverNames(5);
    const [one, other] = [withNodes(create(), names), withNodes(create(), names)];
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 400 }), (key) => {
        expect(names).toContain(one.getNode(key));
        expect(one.getNode(key)).toBe(other.getNode(key));
      }),
    );
  });
});

test.each([[999, true], [1000, false]])('after %i others have come and gone a node has its old place: %p', (others, kept) => {
  const names = ['a:1', 'b:1', 'c:1'];
  const create = (): Hasher => new ModuloHash({ hash: 'python-memcached' });
  const hasher = withNodes(create(), names);
  hasher.removeNode('a:1');
  for (const name of serverNames(others)) {
    hasher.addNode(name);
    hasher.removeNode(name);
  }
  hasher.addNode('a:1');
  expect(placeAll(hasher, KEYS)).toEqual(placeAll(withNodes(create(), kept ? names : ['b:1', 'c:1', 'a:1']), KEYS));
});
