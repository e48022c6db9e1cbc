/**
 * To notice a key that stands twice. A `Set` would cost 8 % of a `getMany` of 100 keys; this costs 2. Keys of one program differ
 * in a few places: before an ending that they share, as in `user:17:profile`. So the four characters there say which place of a
 * table a key has; where that is taken by another, all of its characters do.
 */

// Looked up once: in a vm context, where test runners put their tests, each look-up of a global takes 0.3 us.
const { imul } = Math;

/** How many characters two keys share at their ends. */
export function sharedEnding(one: string, other: string): number {
  const most = Math.min(one.length, other.length);
  let shared = 0;
  while (shared < most && one.charCodeAt(one.length - 1 - shared) === other.charCodeAt(other.length - 1 - shared)) shared++;
  return shared === most ? 0 : shared;
}

/** A number made of the four characters before the ending. */
export function hashBefore(ending: number, key: string): number {
  const end = key.length - ending;
  if (end < 4) return hashOfAll(key);
  return key.charCodeAt(end - 1) + 13 * key.charCodeAt(end - 2) + 171 * key.charCodeAt(end - 3) + 2203 * key.charCodeAt(end - 4);
}

/** A number made of all characters. */
export function hashOfAll(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (imul(hash, 31) + key.charCodeAt(i)) | 0;
  // The last characters of keys differ most, and the low bits of the product know little of the others.
  return hash ^ (hash >>> 15);
}

const PLACES = 2048;
/**
 * For each place the number of the key in it. The table is never emptied: each list has numbers of its own. It has half of
 * `PLACES` at the most, so that none has the number that stands for a place without a key, also when numbers start anew.
 */
const numbers = new Int32Array(PLACES).fill(-1);
let last = 0;

/** Whether a key stands twice in the list. */
export function hasRepeats(keys: readonly string[]): boolean {
  const [one, other] = keys;
  if (one === undefined || other === undefined) return false;
  if (keys.length > PLACES / 2) return new Set(keys).size < keys.length;
  const first = (last = (last + PLACES) | 0);
  const ending = sharedEnding(one, other);
  let index = 0;
  for (const key of keys) {
    let place = hashBefore(ending, key) & (PLACES - 1);
    for (let looks = 0; ; looks++) {
      const earlier = ((numbers[place] ?? 0) - first) | 0;
      if (earlier < 0 || earlier >= index) break;
      if (keys[earlier] === key) return true;
      place = (looks === 0 ? hashOfAll(key) : place + 1) & (PLACES - 1);
    }
    numbers[place] = (first + index++) | 0;
  }
  return false;
}
