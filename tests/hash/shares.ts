import type { Hasher } from '../../src/hash';

/** `count` different keys. */
export function manyKeys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `user:${i}:profile`);
}

export function withNodes<H extends Hasher>(hasher: H, names: Iterable<string>): H {
  for (const name of names) hasher.addNode(name);
  return hasher;
}

/** Names of `count` servers. */
export function serverNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:11211`);
}

export function placeAll(hasher: Hasher, keys: readonly string[]): (string | undefined)[] {
  return keys.map((key) => hasher.getNode(key));
}

/** Which part of `owners` each name has. */
export function sharesOf(owners: readonly (string | undefined)[]): Map<string | undefined, number> {
  const shares = new Map<string | undefined, number>();
  for (const owner of owners) shares.set(owner, (shares.get(owner) ?? 0) + 1 / owners.length);
  return shares;
}

/** The indices at which two placements differ. */
export function movedBetween(before: readonly unknown[], after: readonly unknown[]): number[] {
  return [...before.keys()].filter((i) => before[i] !== after[i]);
}
