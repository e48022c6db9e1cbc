import { compressing, compressingPeers, manyServers, ourCalls, ourKinds, overOneServer, overThreeServers, withoutReplies, withSerde, writing, type Contestant } from './clients';
import type { Adapter } from './clients/adapter';

/** One line of the comparison: what is called, how many calls are under way at any time, and who takes part. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly outstanding: number;
  /** Size of the values stored before the row begins, in bytes. */
  readonly valueSize: number;
  /** The value in place of text of that size. */
  readonly value?: unknown;
  readonly call: (client: Adapter, load: Load) => Promise<unknown>;
  readonly contestants: readonly Contestant[];
  /** How many servers there are; a contestant for one server uses the first. */
  readonly servers: number;
}

/** The keys and values of a row. */
export interface Load {
  readonly keys: readonly string[];
  readonly missing: readonly string[];
  readonly value: unknown;
  /** Counts the calls. */
  turn: number;
}

/** Keys are of 19 characters. */
export function makeLoad(row: Row): Load {
  const names = Array.from({ length: 1000 }, (_, i) => `bench:key:${String(i).padStart(9, '0')}`);
  return { keys: names, missing: names.map((name) => `${name.slice(0, -1)}x`), value: row.value ?? textOf(row.valueSize), turn: 0 };
}

/** Text that a compressor makes about a quarter of, as it does of JSON. */
function textOf(length: number): string {
  let text = '';
  for (let i = 1; text.length < length; i++) {
    const noise = (i * 2654435761) % 4294967296;
    text += `{"id":${noise},"name":"user ${noise.toString(36)}","visits":${noise % 977}},`;
  }
  return text.slice(0, length);
}

function next(list: readonly string[], load: Load): string {
  return list[load.turn++ % list.length] ?? '';
}

const get: Row['call'] = (client, load) => client.get(next(load.keys, load));
const set: Row['call'] = (client, load) => client.set(next(load.keys, load), load.value);
const miss: Row['call'] = (client, load) => client.get(next(load.missing, load));
const mixed: Row['call'] = (client, load) => (load.turn % 10 === 9 ? set(client, load) : get(client, load));
function next100(load: Load): string[] {
  const from = (load.turn++ % 9) * 100;
  return load.keys.slice(from, from + 100);
}

const getMany: Row['call'] = (client, load) => client.getMany(next100(load));
const setMany: Row['call'] = (client, load) => {
  const keys = next100(load);
  return client.setMany?.(keys, load.value) ?? Promise.all(keys.map((key) => client.set(key, load.value)));
};
const deleteMany: Row['call'] = (client, load) => {
  const keys = next100(load);
  return client.deleteMany?.(keys) ?? Promise.all(keys.map((key) => client.delete(key)));
};
const allOf100: Row['call'] = (client, load) => Promise.all(Array.from({ length: 100 }, () => get(client, load)));

/** As JSON about 300 bytes. */
const OBJECT = {
  id: 4711, name: 'Ada Lovelace', email: 'ada@example.org', roles: ['admin', 'author'], active: true, score: 98.5,
  address: { street: '12 St James’s Square', city: 'London', postcode: 'SW1Y 4JH' }, created: '2024-02-29T12:30:15.123Z', visits: [1, 2, 3, 5, 8, 13],
};

interface Special {
  readonly value?: unknown;
  readonly valueSize?: number;
  readonly contestants?: readonly Contestant[];
  readonly servers?: number;
}

function row(name: string, title: string, call: Row['call'], outstanding: number, special: Special = {}): Row {
  return { name, title: `${title}, ${outstanding} outstanding`, call, outstanding, valueSize: 100, contestants: overOneServer, servers: 1, ...special };
}

export const rows: readonly Row[] = [
  ...[1, 16, 128, 1024].map((n) => row(`get-100-${n}`, 'get 100 B', get, n)),
  ...[1, 16, 128, 1024].map((n) => row(`set-100-${n}`, 'set 100 B', set, n)),
  row('set-2k-128', 'set 2 KB', set, 128, { valueSize: 2048 }),
  row('get-4k-128', 'get 4 KB', get, 128, { valueSize: 4096 }),
  row('get-100k-16', 'get 100 KB', get, 16, { valueSize: 102_400 }),
  row('set-100k-16', 'set 100 KB', set, 16, { valueSize: 102_400 }),
  // `memcached` answers a multi-get of 16 at once out of several connections; it takes part all the same.
  row('get-many-1', 'getMany of 100', getMany, 1),
  row('get-many-16', 'getMany of 100', getMany, 16),
  row('set-many-16', 'setMany of 100', setMany, 16, { contestants: writing }),
  row('delete-many-16', 'deleteMany of 100', deleteMany, 16, { contestants: writing }),
  row('promise-all-1', 'Promise.all of 100 gets', allOf100, 1),
  row('mixed-1024', '90 % get 10 % set', mixed, 1024),
  row('miss-128', 'miss', miss, 128),
  row('three-servers-get-128', 'three servers: get 100 B', get, 128, { contestants: overThreeServers, servers: 3 }),
  row('three-servers-get-many-16', 'three servers: getMany of 100', getMany, 16, { contestants: overThreeServers, servers: 3 }),
  ...[128, 1024].map((n) => row(`kinds-get-${n}`, 'our kinds: get 100 B', get, n, { contestants: ourKinds, servers: 3 })),
  row('calls-128', 'our calls for one key', get, 128, { contestants: ourCalls }),
  row('servers-16-get-128', '16 servers: get 100 B', get, 128, { contestants: manyServers(16), servers: 16 }),
  row('servers-100-get-128', '100 servers: get 100 B', get, 128, { contestants: manyServers(100), servers: 100 }),
  row('number-get-128', 'get a number', get, 128, { contestants: withSerde, value: 1_234_567 }),
  row('object-get-128', 'get an object of 300 B', get, 128, { contestants: withSerde, value: OBJECT }),
  row('object-set-128', 'set an object of 300 B', set, 128, { contestants: withSerde, value: OBJECT }),
  row('compressed-get-20k-16', 'compressed: get 20 KB', get, 16, { contestants: compressingPeers, valueSize: 20_480 }),
  row('noreply-set-1024', 'without replies: set 100 B', set, 1024, { contestants: withoutReplies }),
  row('compressed-get-4k-128', 'compressed: get 4 KB', get, 128, { contestants: compressing, valueSize: 4096 }),
  row('compressed-set-4k-128', 'compressed: set 4 KB', set, 128, { contestants: compressing, valueSize: 4096 }),
];
