import { MemcacheSerdeError } from '../../src/errors';

/** The same sequence in every run, so that a failure comes back. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** One to four bytes changed, left out, repeated or put in; now and then the end is cut off, or of another sample. */
export function mutate(samples: readonly Buffer[], random: (below: number) => number): Buffer {
  const pick = (): Buffer => samples[random(samples.length)] ?? Buffer.alloc(0);
  let data = Buffer.from(pick());
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(data.length + 1);
    const [before, after] = [data.subarray(0, at), data.subarray(at)];
    switch (random(8)) {
      case 0:
        data = Buffer.concat([before, Buffer.of(random(256)), after]);
        break;
      case 1:
        data = Buffer.concat([before, after.subarray(1 + random(4))]);
        break;
      case 2:
        data = Buffer.concat([before, after.subarray(0, 1 + random(8)), after]);
        break;
      case 3: {
        const other = pick();
        data = Buffer.concat([before, other.subarray(random(other.length))]);
        break;
      }
      case 4:
        data = before.length === 0 ? data : Buffer.from(before);
        break;
      default:
        if (data.length > 0) data[at % data.length] = random(4) === 0 ? (data[at % data.length] ?? 0) ^ (1 << random(8)) : random(256);
    }
  }
  return data;
}

const PLAIN = new Set([
  ...['Object', 'Array', 'Map', 'Set', 'Date', 'RegExp', 'Buffer', 'ArrayBuffer', 'DataView', 'Number', 'String', 'Boolean', 'BigInt'],
  ...['Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError'],
  ...['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'],
  ...['Float16Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'],
]);

/** Whatever the value is an instance of: by name, since the realm of jest's tests is not the one that V8 reads into. */
function prototypesIn(root: unknown): Set<object> {
  const prototypes = new Set<object>();
  const seen = new Set<unknown>();
  const todo = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (typeof value === 'function' || typeof value === 'symbol') throw new Error('not plain data');
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    prototypes.add(Object.getPrototypeOf(value) as object);
    if (isA(value, 'Map')) todo.push(...[...(value as Map<unknown, unknown>)].flat());
    else if (isA(value, 'Set')) todo.push(...(value as Set<unknown>));
    if (!ArrayBuffer.isView(value)) for (const key of Object.keys(value)) todo.push((value as Record<string, unknown>)[key]);
  }
  return prototypes;
}

function isA(value: object, name: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${name}]`;
}

function checkPlain(value: unknown): void {
  for (const prototype of prototypesIn(value)) {
    if (!Object.hasOwn(prototype, 'constructor') || !PLAIN.has(prototype.constructor.name)) throw new Error('not plain data');
  }
}

/**
 * Reads `count` mutated samples. Each must give plain data or a MemcacheSerdeError; the memory in use must stay low, and no
 * prototype may change. Returns how many could be read.
 */
export function readMutated(samples: readonly Buffer[], count: number, read: (data: Buffer) => unknown): number {
  const random = randomNumbers(20_240_229);
  const prototypes = new Set([...samples.flatMap((sample) => [...prototypesIn(read(sample))]), Object.prototype, Array.prototype, Map.prototype]);
  const keys = (): string => [...prototypes].map((prototype) => Reflect.ownKeys(prototype).map(String).join()).join('\n');
  const before = { keys: keys(), memory: process.memoryUsage.rss() };
  let good = 0;
  let highest = 0;
  for (let i = 0; i < count; i++) {
    const data = mutate(samples, random);
    try {
      checkPlain(read(data));
      good++;
    } catch (error) {
      if (!(error instanceof MemcacheSerdeError)) throw new Error(`mutation ${i}: ${data.toString('base64')}`, { cause: error });
    }
    if (i % 100 === 0) highest = Math.max(highest, process.memoryUsage.rss());
  }
  expect(keys()).toBe(before.keys);
  expect(highest - before.memory).toBeLessThan(256 << 20);
  return good;
}
