import { KetamaHash, type KetamaHashOptions } from '../../src/hash';
import { manyKeys, movedBetween, placeAll, serverNames, withNodes } from './shares';

const KEYS = manyKeys(25_000);

describe.each<[string, KetamaHashOptions]>([
  ['ketama', {}],
  ['ketama, keys and points by md5', { hash: 'md5' }],
  ['ketama_weighted', { weighted: true }],
])('movement in %s', (_, options) => {
  test.each([3, 10, 30])('a node beside %i others takes its share on average and moves nothing else', (count) => {
    const newcomers = Array.from({ length: 8 }, (_, i) => `10.1.0.${i}:11211`);
    const hasher = withNodes(new KetamaHash(options), serverNames(count));
    const before = placeAll(hasher, KEYS);
    const shares = newcomers.map((newcomer) => {
      hasher.addNode(newcomer);
      const after = placeAll(hasher, KEYS);
      const moved = movedBetween(before, after);
      expect(moved.every((i) => after[i] === newcomer)).toBe(true);
      hasher.removeNode(newcomer);
      return moved.length / KEYS.length;
    });
    expect(placeAll(hasher, KEYS)).toEqual(before);

    // 100 or 160 random points make a node's share wider or narrower by a tenth, so one newcomer alone proves nothing.
    const average = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    expect(Math.abs(average - 1 / (count + 1))).toBeLessThan(0.01);
  });
});
