import type { Adapter } from './clients/adapter';

/** One line of the comparison: what is called, and how many calls are under way at any time. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly outstanding: number;
  /** Size of the values stored before the row begins, in bytes. */
  readonly valueSize: number;
  readonly call: (client: Adapter, load: Load) => Promise<unknown>;
  /** Contestants that are not asked to do this. */
  readonly without?: readonly string[];
}

/** The keys and values of a row. */
export interface Load {
  readonly keys: readonly string[];
  readonly missing: readonly string[];
  readonly value: string;
  /** Counts the calls. */
  turn: number;
}

/** Keys are of 19 characters. */
export function makeLoad(row: Row): Load {
  const names = Array.from({ length: 1000 }, (_, i) => `bench:key:${String(i).padStart(9, '0')}`);
  return { keys: names, missing: names.map((name) => `${name.slice(0, -1)}x`), value: 'v'.repeat(row.valueSize), turn: 0 };
}

function next(list: readonly string[], load: Load): string {
  return list[load.turn++ % list.length] ?? '';
}

const get: Row['call'] = (client, load) => client.get(next(load.keys, load));
const set: Row['call'] = (client, load) => client.set(next(load.keys, load), load.value);
const miss: Row['call'] = (client, load) => client.get(next(load.missing, load));
const mixed: Row['call'] = (client, load) => (load.turn % 10 === 9 ? set(client, load) : get(client, load));
const getMany: Row['call'] = (client, load) => {
  const from = (load.turn++ % 9) * 100;
  return client.getMany(load.keys.slice(from, from + 100));
};
const allOf100: Row['call'] = (client, load) => Promise.all(Array.from({ length: 100 }, () => get(client, load)));

function row(name: string, title: string, call: Row['call'], outstanding: number, valueSize = 100): Row {
  return { name, title, call, outstanding, valueSize };
}

export const rows: readonly Row[] = [
  ...[1, 16, 128, 1024].map((n) => row(`get-100-${n}`, `get 100 B, ${n} outstanding`, get, n)),
  ...[1, 16, 128, 1024].map((n) => row(`set-100-${n}`, `set 100 B, ${n} outstanding`, set, n)),
  row('get-4k-128', 'get 4 KB, 128 outstanding', get, 128, 4096),
  row('get-100k-16', 'get 100 KB, 16 outstanding', get, 16, 102_400),
  row('set-100k-16', 'set 100 KB, 16 outstanding', set, 16, 102_400),
  // `memcached` answers a multi-get of 16 at once out of several connections; it takes part all the same.
  row('get-many-1', 'getMany of 100, 1 outstanding', getMany, 1),
  row('get-many-16', 'getMany of 100, 16 outstanding', getMany, 16),
  row('promise-all-1', 'Promise.all of 100 gets, 1 outstanding', allOf100, 1),
  row('mixed-1024', '90 % get 10 % set, 1024 outstanding', mixed, 1024),
  row('miss-128', 'miss, 128 outstanding', miss, 128),
];
