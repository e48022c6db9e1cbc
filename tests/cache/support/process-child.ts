/** A process of its own with a cache over a real server; it does what its parent says. */
import { Client } from '../../../src';
import { ReadThroughCache, type CacheOptions } from '../../../src/cache';

export interface Order {
  readonly id: number;
  readonly what: 'open' | 'herd' | 'set' | 'delete' | 'invalidate' | 'hang' | 'close';
  readonly address?: string;
  readonly options?: CacheOptions;
  readonly key?: string;
  readonly calls?: number;
  /** Milliseconds that a load takes. */
  readonly duration?: number;
  readonly value?: string;
  readonly fails?: boolean;
}

export interface Report {
  readonly id: number;
  readonly values: unknown[];
  readonly times: number[];
  /** When loads began and ended, in milliseconds since 1970. */
  readonly loads: (readonly [number, number])[];
  readonly stats: Record<string, number>;
}

let client: Client | undefined;
let cache: ReadThroughCache | undefined;
let unhandled = 0;
process.on('unhandledRejection', () => unhandled++);

async function obey(order: Order): Promise<Report> {
  const { id, what, key = '', calls = 1, duration = 0, value = '' } = order;
  const loads: (readonly [number, number])[] = [];
  const times: number[] = [];
  const values: unknown[] = [];
  const load = async (): Promise<string> => {
    const start = Date.now();
    process.send?.('loading');
    await new Promise((resolve) => setTimeout(resolve, duration));
    loads.push([start, Date.now()]);
    if (order.fails === true) throw new Error('the loader failed');
    return value;
  };
  if (what === 'open') {
    client = new Client(order.address);
    cache = new ReadThroughCache(client, order.options);
  } else if (what === 'herd') {
    await Promise.all(
      Array.from({ length: calls }, async () => {
        const start = performance.now();
        values.push(await cache!.get(key, load).catch((error: unknown) => (error instanceof Error ? error.message : error)));
        times.push(performance.now() - start);
      }),
    );
    // A refresh behind is a part of what is told.
    await cache!.close();
  } else if (what === 'hang') {
    void cache!.get(key, () => {
      process.send?.('loading');
      return new Promise<string>(() => undefined);
    });
  } else if (what === 'set') values.push(await cache!.set(key, value));
  else if (what === 'delete') values.push(await cache!.delete(key));
  else if (what === 'invalidate') values.push(await cache!.invalidate(key));
  else {
    await cache?.close();
    await client?.close();
    process.disconnect();
  }
  return { id, values, times, loads, stats: { ...cache?.stats(), unhandled } };
}

process.on('message', (order: Order) => {
  void obey(order).then((report) => {
    if (process.connected) process.send?.(report);
  });
});
process.send?.('ready');
