import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A value as the vectors have it: what JSON lacks is tagged. */
type Tagged =
  | null
  | boolean
  | string
  | { int: string }
  | { float: string }
  | { bytes: string }
  | { list: Tagged[] }
  | { tuple: Tagged[] }
  | { set: Tagged[] }
  | { dict: [Tagged, Tagged][] };

type Row = [serde: string, protocol: number, flags: number, base64: string, value: Tagged];

/** What Python clients wrote, and what is to be read. */
export interface PythonVector {
  readonly name: string;
  readonly data: Buffer;
  readonly flags: number;
  readonly value: unknown;
}

export function pythonVectors(): PythonVector[] {
  const { rows } = JSON.parse(readFileSync(join(__dirname, '..', 'vectors', 'serde-pymemcache.json'), 'utf8')) as { rows: Row[] };
  return rows.map(([serde, protocol, flags, base64, value], i) => ({
    name: `${i}: ${serde}, protocol ${protocol}, flags ${flags}`,
    data: Buffer.from(base64, 'base64'),
    flags,
    value: untag(value),
  }));
}

function untag(tagged: Tagged): unknown {
  if (tagged === null || typeof tagged !== 'object') return tagged;
  if ('int' in tagged) return Number.isSafeInteger(Number(tagged.int)) ? Number(tagged.int) : BigInt(tagged.int);
  if ('float' in tagged) return tagged.float === 'inf' ? Number.POSITIVE_INFINITY : Number(tagged.float);
  if ('bytes' in tagged) return Buffer.from(tagged.bytes, 'base64');
  if ('list' in tagged) return tagged.list.map(untag);
  if ('tuple' in tagged) return tagged.tuple.map(untag);
  if ('set' in tagged) return new Set(tagged.set.map(untag));
  const pairs = tagged.dict.map(([key, item]) => [untag(key), untag(item)] as const);
  return pairs.every(([key]) => typeof key === 'string') ? Object.fromEntries(pairs as [string, unknown][]) : new Map(pairs);
}
