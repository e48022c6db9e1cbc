import { chunkSize, slabClass } from '../../../src/server/engine/slab-class';

describe('slab classes', () => {
  // Observed with `me` and `stats slabs` on memcached 1.6.18.
  it.each([
    [65, 1],
    [96, 1],
    [97, 2],
    [160, 4],
    [192, 4],
    [524_060, 39],
    [1_000_060, 39],
  ])('an item of %d bytes is in class %d', (size, expected) => {
    expect(slabClass(size)).toBe(expected);
  });

  it('has chunks that fit their items', () => {
    for (let size = 60; size < 524_288; size += 997) expect(chunkSize(slabClass(size))).toBeGreaterThanOrEqual(size);
  });
});
