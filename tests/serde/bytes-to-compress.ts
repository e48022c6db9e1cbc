import * as fc from 'fast-check';

/** Bytes of all kinds: none, all alike, text, noise, noise that repeats. */
export function compressible(maxLength: number): fc.Arbitrary<Buffer> {
  const noise = fc.uint8Array({ maxLength: 300 });
  return fc.oneof(
    fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(noise, fc.nat(maxLength)).map(([pattern, length]) => (pattern.length === 0 ? Buffer.alloc(length) : Buffer.alloc(length, pattern))),
    fc.array(fc.tuple(noise, fc.integer({ min: 1, max: 50 })), { maxLength: 40 }).map((runs) => repeated(runs, maxLength)),
    fc.array(fc.constantFrom('the ', 'quick ', 'brown ', 'fox ', '漢字 ', '0'), { maxLength: 2000 }).map((words) => Buffer.from(words.join(''))),
  );
}

function repeated(runs: readonly (readonly [Uint8Array, number])[], maxLength: number): Buffer {
  return Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))).subarray(0, maxLength);
}
