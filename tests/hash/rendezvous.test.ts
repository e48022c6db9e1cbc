import fc from 'fast-check';
import { join } from 'node:path';
import { MemcacheIllegalInputError } from '../../src/errors';
import { murmur3, RendezvousHash } from '../../src/hash';
import { readVectors } from './read-vectors';
import { manyKeys, movedBetween, placeAll, serverNames, sharesOf, withNodes } from './shares';
import { anyCharacter } from '../support/any-string';
import { runAlone } from '../support/program';
import type { KeysReport } from './alone/keys-of-bodies';

interface Vectors {
  sets: { nodes: string[]; placements: [key: string, node: string][]; unicode: [key: string, node: string][] }[];
}

const KEYS = manyKeys(100_000);
const anyNames = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 12 });

describe("pymemcache's placements", () => {
  const { sets } = readVectors<Vectors>('pymemcache-rendezvous');

  test.each(sets)('$nodes.length nodes, from $nodes.0', ({ nodes, placements, unicode }) => {
    const expected = [...placements, ...unicode];
    expect(expected.length).toBeGreaterThan(300);
    const hasher = withNodes(new RendezvousHash(), nodes);
    expect(expected.map(([key]) => [key, hasher.getNode(key)])).toEqual(expected);
  });

  test("pymemcache's own test values", () => {
    const hasher = withNodes(new RendezvousHash(), ['0', '1', '2']);
    expect(placeAll(hasher, ['ok', 'mykey', 'wat', 'lol'])).toEqual(['0', '1', '2', '2']);
    hasher.removeNode('1');
    expect(hasher.getNode('mykey')).toBe('0');
    hasher.addNode('3');
    expect(hasher.getNode('lol')).toBe('3');
  });

  test('the rule itself: the greatest hash of NODE-KEY, with any seed', () => {
    fc.assert(
      fc.property(anyNames, fc.string({ unit: anyCharacter }), fc.integer(), (names, key, seed) => {
        const hasher = withNodes(new RendezvousHash({ seed }), names);
        const winner = hasher.getNode(key);
        const best = Math.max(...names.map((name) => murmur3(`${name}-${key}`, seed)));
        expect(murmur3(`${winner}-${key}`, seed)).toBe(best);
      }),
    );
  });

  test('in a tie the greater name wins, by code points', () => {
    // The hash sees the low 8 bits only, so these names always tie.
    const names = ['\u0161', '\u0261', '\uff61', '\u{10061}'];
    for (const order of [names, names.toReversed()]) {
      const hasher = withNodes(new RendezvousHash(), order);
      expect(hasher.getNode('k')).toBe('\u{10061}');
      hasher.removeNode('\u{10061}');
      expect(hasher.getNode('k')).toBe('\uff61');
    }
  });
});

test.each([2, 3, 6])('%i nodes: a key has the same owner when it is new, known, forgotten, and when none is remembered', (count) => {
  const names = serverNames(count);
  const hasher = withNodes(new RendezvousHash(), names);
  // A hasher of its own for each key has nothing to remember.
  const expected = KEYS.slice(0, 300).map((key) => withNodes(new RendezvousHash(), names).getNode(key));
  const known = (): void => {
    expect(placeAll(hasher, KEYS.slice(0, 300))).toEqual(expected);
  };
  const fresh = placeAll(hasher, KEYS);
  known();
  known();
  // Many keys that come again and again, and then many that do not.
  for (let i = 0; i < 40; i++) known();
  expect(placeAll(hasher, KEYS)).toEqual(fresh);
  known();
  expect(placeAll(hasher, KEYS.toReversed())).toEqual(fresh.toReversed());
  known();
});

describe('weights', () => {
  test('are proportional shares', () => {
    const hasher = new RendezvousHash();
    hasher.addNode('a:1', 1);
    hasher.addNode('b:1', 2.5);
    hasher.addNode('c:1', 4);
    const shares = sharesOf(placeAll(hasher, KEYS));
    expect(shares.get('a:1')).toBeCloseTo(1 / 7.5, 2);
    expect(shares.get('b:1')).toBeCloseTo(2.5 / 7.5, 2);
    expect(shares.get('c:1')).toBeCloseTo(4 / 7.5, 2);
  });

  test('that are equal change nothing, also by the formula for unequal ones', () => {
    const names = serverNames(7);
    const plain = withNodes(new RendezvousHash(), names);
    const byFormula = new RendezvousHash();
    for (const name of names) byFormula.addNode(name, 3);
    expect(placeAll(byFormula, KEYS)).toEqual(placeAll(plain, KEYS));
    byFormula.addNode('too-light-to-win:1', Number.MIN_VALUE);
    expect(placeAll(byFormula, KEYS)).toEqual(placeAll(plain, KEYS));
  });

  test('a node that gets heavier takes keys and gives none away', () => {
    const hasher = withNodes(new RendezvousHash(), serverNames(5));
    const before = placeAll(hasher, KEYS);
    hasher.addNode('10.0.0.2:11211', 2);
    const after = placeAll(hasher, KEYS);
    const moved = movedBetween(before, after);
    expect(new Set(moved.map((i) => after[i]))).toEqual(new Set(['10.0.0.2:11211']));
    expect(moved.length / KEYS.length).toBeCloseTo(2 / 6 - 1 / 5, 2);
  });
});

describe('order', () => {
  test('the order in which nodes are added does not matter, nor does adding one twice', () => {
    const weights = new Map(serverNames(6).map((name, i) => [name, 1 + i / 2]));
    const names = [...weights.keys()];
    const twiceEach = fc.shuffledSubarray([...names, ...names], { minLength: 12 });
    const place = (order: string[], keys: string[]) => {
      const hasher = new RendezvousHash();
      for (const name of order) hasher.addNode(name, weights.get(name));
      return placeAll(hasher, keys);
    };
    fc.assert(
      fc.property(twiceEach, fc.array(fc.string()), (order, keys) => {
        expect(place(order, keys)).toEqual(place(names, keys));
      }),
    );
  });
});

test.each([false, true])('a placed key keeps nothing else in memory (a long routing key: %p)', async (routingKeys) => {
  const { placed, bytes } = await runAlone<KeysReport>(join(__dirname, 'alone', 'keys-of-bodies.ts'), { routingKeys });
  expect(placed).toBe(500);
  // Fifty megabytes passed through.
  expect(bytes).toBeLessThan(2_000_000);
});

test.each([0.5, NaN, Infinity])('a seed of %p is refused', (seed) => {
  expect(() => new RendezvousHash({ seed })).toThrow(MemcacheIllegalInputError);
});
