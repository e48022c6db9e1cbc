/**
 * What a get allocates. The process was started with a young generation so large that it is never collected meanwhile, so
 * that the heap grows by all that is allocated.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { answer, type Order } from '../order';
import { makeLoad, rows } from '../rows';
import type { MemoryFigure } from './memory';

const CALLS = 50_000;

answer(async ({ row: name, client: contestantName, ports, build }: Order): Promise<MemoryFigure> => {
  const row = rows.find((entry) => entry.name === name);
  const contestant = row?.contestants.find((entry) => entry.name === contestantName);
  if (row === undefined || contestant === undefined) throw new Error(`no such row or client: ${name}, ${contestantName}`);
  const client = await contestant.make({ ports, build });
  const load = makeLoad(row);
  for (const key of load.keys) await client.set(key, load.value);

  const calls = async (count: number): Promise<void> => {
    let left = count;
    const lane = async (): Promise<void> => {
      while (left-- > 0) await row.call(client, load);
    };
    await Promise.all(Array.from({ length: row.outstanding }, lane));
  };
  await calls(CALLS / 2);
  globalThis.gc?.();
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  await pause(20);
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage().heapUsed;
  await calls(CALLS);
  const after = process.memoryUsage().heapUsed;
  await pause(20);
  if (collections > 0) throw new Error('a garbage collection came in between');
  return { bytes: (after - before) / CALLS };
});
