import { RendezvousHash } from '../../src/hash';
import { manyKeys, movedBetween, placeAll, serverNames, sharesOf, withNodes } from './shares';

const KEYS = manyKeys(100_000);

describe('movement and balance', () => {
  test.each([3, 10, 30, 99])('a node beside %i others takes its share and moves nothing else', (count) => {
    const hasher = withNodes(new RendezvousHash(), serverNames(count));
    const before = placeAll(hasher, KEYS);
    hasher.addNode('new:11211');
    const after = placeAll(hasher, KEYS);
    const moved = movedBetween(before, after);
    expect(moved.every((i) => after[i] === 'new:11211')).toBe(true);
    expect(Math.abs(moved.length / KEYS.length - 1 / (count + 1))).toBeLessThan(0.01);

    hasher.removeNode('new:11211');
    expect(placeAll(hasher, KEYS)).toEqual(before);
  });

  test('the fullest of 10 nodes has at most 5 % more than the mean', () => {
    const shares = sharesOf(placeAll(withNodes(new RendezvousHash(), serverNames(10)), manyKeys(1_000_000)));
    expect(shares.size).toBe(10);
    expect(Math.max(...shares.values()) * 10).toBeLessThan(1.05);
  });
});
