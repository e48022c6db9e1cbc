/** What must compile and, behind `@ts-expect-error`, what must not. The compiler is the test; nothing here runs. */
import { Client, JsonSerde } from '../../src';
import { ReadThroughCache, type Loader, type RequestScope } from '../../src/cache';
import { is } from './same.types';

interface Row {
  a: number;
}

declare function find(id: string, signal?: AbortSignal): Promise<Row | undefined>;
declare function load(id: string, signal?: AbortSignal): Promise<Row>;

const cache = new ReadThroughCache(new Client('a'));
const rows = new ReadThroughCache(new Client('a', { serde: new JsonSerde<Row>() }));

/** Whether or not it looks at its argument: the type of the result is that of the loader. */
export async function loadersGiveTheirTypes(): Promise<void> {
  is<Row>()(await cache.get('a', () => load('a'), { expire: ({ a }) => a }));
  is<Row>()(await cache.get('a', ({ signal }) => load('a', signal), { expire: ({ a }) => a, tags: ({ a }) => [String(a)] }));
  is<Row | undefined>()(await cache.get('a', () => find('a')));
  is<Row | undefined>()(await cache.get('a', ({ signal }) => find('a', signal), { negativeExpire: 5, expire: ({ a }) => a }));
  is<Row | undefined>()(await cache.get('a', async ({ key, signal }) => find(String(key), signal)));
  const assigned: Row | undefined = await cache.get('a', ({ signal }) => find('a', signal));
  is<number>()(await cache.get('a', () => Math.random()));
  is<Row | undefined>()(await rows.get('a', ({ old }) => old));
  is<Row>()(await rows.get('a', ({ old }) => ({ a: (old?.a ?? 0) + 1 })));
  is<Row | undefined>()(assigned);
}

export async function namedTypesAreThoseOfTheOldValueToo(): Promise<void> {
  is<Row>()(await cache.get<Row>('a', ({ old, signal }) => (old?.a === 1 ? old : load('a', signal))));
  is<Row | undefined>()(await cache.get<Row>('a', ({ old, signal }) => (old?.a === 1 ? old : find('a', signal))));
  is<Row | undefined>()(await cache.get<Row | undefined>('a', ({ old, signal }) => (old?.a === 1 ? old : find('a', signal))));
  const renew: Loader<Row> = ({ old }) => old ?? { a: 1 };
  is<Row>()(await cache.get('a', renew));
}

export async function manyWrappedAndScoped(scope: RequestScope): Promise<void> {
  is<Map<string, Row | undefined>>()(await cache.getMany(['a'] as string[], async (keys, { signal }) => Promise.all(keys.map((id) => find(id, signal)))));
  is<Map<string, Row>>()(await cache.getMany(['a'] as string[], async (keys) => new Map((await Promise.all(keys.map((id) => load(id)))).map((row, i) => [keys[i] ?? '', row]))));
  is<Row | undefined>()(await cache.wrap((id: string) => find(id), { key: (id) => id, expire: ({ a }) => a })('a'));
  is<Row | undefined>()(await cache.scope().get('a', ({ signal }) => find('a', signal)));
  is<Row>()(await scope.get('a', () => load('a')));
  const same: RequestScope = cache.scope();
  await same.peek('a');
}

/** As with a client's `getMany`, a Map by keys that were given as literals can be asked for any string. */
export async function mapsOfManyKeys(bytes: Buffer[]): Promise<void> {
  is<Map<string, Row>>()(await cache.getMany(['a', 'b'], (keys) => keys.map(() => ({ a: 1 }))));
  is<Map<string, Row>>()(await cache.scope().getMany(['a', 'b'], () => new Map([['a', { a: 1 }]])));
  is<Map<Buffer, Row>>()(await cache.getMany(bytes, (keys) => keys.map(() => ({ a: 1 }))));
}

export async function whatIsNotStoredIsNotLoaded(): Promise<void> {
  // @ts-expect-error -- what is loaded is no Row
  await rows.get('a', () => 5);
  // @ts-expect-error -- what is loaded is no Row
  await rows.get('a', ({ signal }) => signal.aborted);
  // @ts-expect-error -- a symbol is no value
  await cache.get('a', () => Symbol('a'));
}
