/** memcached's slab classes with its default settings. Items are not stored by class here, but reports use their numbers. */

/** The highest number of a class. */
export const LARGEST_CLASS = 63;

const SMALLEST_CHUNK = 96;
const GROWTH = 1.25;
const ALIGNMENT = 8;
const LARGEST_CHUNK = 512 * 1024;

const SIZES = chunkSizes();

function chunkSizes(): number[] {
  const sizes: number[] = [];
  let size = SMALLEST_CHUNK;
  while (sizes.length < LARGEST_CLASS - 1 && size < LARGEST_CHUNK / GROWTH) {
    size = Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    sizes.push(size);
    size = Math.trunc(size * GROWTH);
  }
  sizes.push(LARGEST_CHUNK);
  return sizes;
}

/** The size of the chunks of a class, in bytes. */
export function chunkSize(number: number): number {
  return SIZES[number - 1] ?? LARGEST_CHUNK;
}

/** The number of the class that an item of `size` bytes belongs to, counted from 1. */
export function slabClass(size: number): number {
  const index = SIZES.findIndex((chunk) => size <= chunk);
  return index < 0 ? SIZES.length : index + 1;
}
