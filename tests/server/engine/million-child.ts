/** A million items in a process of its own, run with --expose-gc: what they take, and how they go. Prints JSON. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MemoryStore } from '../../../src/server';

export interface Figures {
  readonly items: number;
  /** Bytes of the process per item beyond key and value: without and with a deadline. */
  readonly beyond: readonly [number, number];
  /** How long the event loop was held up while they expired, in milliseconds. */
  readonly pauses: { readonly p50: number; readonly p99: number; readonly p999: number; readonly max: number };
  /** How long it took from the first to the last, in milliseconds. */
  readonly took: number;
}

const ITEMS = 1_000_000;
const KEY = 'key:000000000'.length;
const VALUE = 100;

function memory(): number {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Stores a million items; keys and values are cut out of a buffer, as those of a connection are. */
function fill(store: MemoryStore, exptime: number): void {
  const input = Buffer.alloc(KEY + VALUE, 'v');
  const deadline = store.deadline(exptime);
  for (let i = 0; i < ITEMS; i++) {
    input.write(`key:${String(i).padStart(9, '0')}`);
    store.store('set', input.toString('latin1', 0, KEY), input.toString('latin1', KEY), 0, deadline);
  }
}

async function main(): Promise<void> {
  const lengths = ITEMS * (KEY + VALUE);
  const beyond = (exptime: number): [number, MemoryStore] => {
    const before = memory();
    const store = new MemoryStore({ maxBytes: 2 ** 30 });
    fill(store, exptime);
    return [(memory() - before - lengths) / ITEMS, store];
  };
  const [lasting, first] = beyond(0);
  first.flushAll();
  const [expiring, store] = beyond(10_000);
  // All of them at the same moment, when the noise of filling is over.
  const deadline = store.deadline(1);
  for (const item of Array.from(store.items())) store.setDeadline(item, deadline);
  memory();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  while (store.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const took = performance.now() - start;
  delay.disable();
  const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1e4) / 100;
  const pauses = {
    p50: milliseconds(delay.percentile(50)),
    p99: milliseconds(delay.percentile(99)),
    p999: milliseconds(delay.percentile(99.9)),
    max: milliseconds(delay.max),
  };
  const figures: Figures = { items: ITEMS, beyond: [Math.round(lasting), Math.round(expiring)], pauses, took: Math.round(took) };
  process.stdout.write(JSON.stringify(figures));
}

void main();
