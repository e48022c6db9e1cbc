import fc from 'fast-check';
import type { CacheOptions } from '../../../src/cache';
import { Fleet, type Process } from './fleet';

const PROCESSES = 2;
const KEYS = ['a', 'b'];
const LEASE = 2;
const EXPIRE = 4;
const CACHE_TIMEOUT = 100;
const LEASE_WAIT = 1500;

/** What happens, each so many milliseconds after the one before. */
export interface Step {
  readonly what: 'get' | 'set' | 'delete' | 'invalidate' | 'crash' | 'flush' | 'slow' | 'cut' | 'fail';
  readonly process: number;
  readonly key: number;
  readonly after: number;
}

/** One course of events. */
export interface Schedule {
  readonly steps: readonly Step[];
  /** Milliseconds that a load takes. */
  readonly duration: number;
  readonly stale: number;
  readonly staleIfError: number;
  readonly near: boolean;
  readonly seed: number;
}

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  steps: fc.array(
    fc.record({
      what: fc.oneof(
        { weight: 10, arbitrary: fc.constant('get' as const) },
        { weight: 3, arbitrary: fc.constantFrom('set' as const, 'delete' as const, 'delete' as const, 'invalidate' as const) },
        { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'flush' as const, 'slow' as const, 'cut' as const, 'fail' as const) },
      ),
      process: fc.integer({ min: 0, max: PROCESSES - 1 }),
      key: fc.integer({ min: 0, max: KEYS.length - 1 }),
      after: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 5000 })),
    }),
    { minLength: 2, maxLength: 9 },
  ),
  duration: fc.constantFrom(0, 30, 300, 2500),
  stale: fc.constantFrom(0, 0, 5),
  staleIfError: fc.constantFrom(0, 0, 20),
  near: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e9 }),
});

/** Lives through a schedule. @returns what was not as it must be; undefined when all was */
export async function live({ steps, duration, stale, staleIfError, near, seed }: Schedule): Promise<string | undefined> {
  const options: CacheOptions = {
    ...{ expire: EXPIRE, stale, staleIfError: Math.max(stale, staleIfError), lease: LEASE, leaseWait: LEASE_WAIT, cacheTimeout: CACHE_TIMEOUT },
    ...(near && { l1: { admit: 'all', ttl: 500, maxEntries: 2 * KEYS.length } as const }),
  };
  const fleet = new Fleet(PROCESSES, duration, options, undefined, seed);
  const { clock, database } = fleet;
  const wrong: string[] = [];
  const faults = steps.some(({ what }) => !['get', 'set', 'delete', 'invalidate'].includes(what)) || duration >= Math.min(LEASE * 1000, LEASE_WAIT);
  const versionOf = (value: unknown): number => Number(String(value).split('@')[1]);
  /** When each version of a key was replaced. */
  const replaced = new Map<string, number[]>(KEYS.map((key) => [key, []]));
  /** The version that a process may not go below: what was there when its own write was done. */
  const floors = new Map<string, number>();
  const calls = new Map<Process, number>();
  const rejections = new Map<Process, number>();
  const running = new Map<Process, number>(fleet.processes.map((process) => [process, 0]));
  let failing = 0;
  database.value = (key, version) => {
    if (failing > 0) {
      failing--;
      throw new Error('the database fails');
    }
    return `${key}@${version}`;
  };
  let resting = false;
  const loadsOf = new Map<string, number>();
  // An item may end while it is refreshed: then another process begins anew. In one process there is never a second load.
  const within = steps.reduce((sum, { after }) => sum + after, 0) < (EXPIRE - 1) * 1000;
  database.onLoad = (key, process, change) => {
    for (const scope of within ? [key, `${key} ${process}`] : [`${key} ${process}`]) {
      const now = (loadsOf.get(scope) ?? 0) + change;
      loadsOf.set(scope, now);
      if (now > 1 && !faults && !writes && !resting) wrong.push(`${now} loads of ${scope} at once`);
    }
  };
  // A load that a write has made worthless may still run beside the next one.
  const writes = steps.some(({ what }) => ['set', 'delete', 'invalidate'].includes(what));

  const get = async (process: Process, key: string, final = false): Promise<void> => {
    const floor = floors.get(`${process.name} ${key}`) ?? 0;
    calls.set(process, (calls.get(process) ?? 0) + 1);
    running.set(process, (running.get(process) ?? 0) + 1);
    try {
      const value = await process.get(key);
      const version = versionOf(value);
      if (!(version >= floor)) wrong.push(`${process.name} got version ${version} after it had deleted or set version ${floor}`);
      const since = replaced.get(key)?.[version];
      const limit = (EXPIRE + Math.max(stale, staleIfError) + 2) * 1000 + 500 + duration + LEASE_WAIT + CACHE_TIMEOUT;
      if (since !== undefined && clock.now() - since > limit) wrong.push(`version ${version} is ${clock.now() - since} ms old`);
      if (final && version !== database.versions.get(key)) wrong.push(`${process.name} still gets version ${version} in the end`);
    } catch {
      rejections.set(process, (rejections.get(process) ?? 0) + 1);
      if (final) wrong.push('a call rejects in the end');
    } finally {
      running.set(process, (running.get(process) ?? 0) - 1);
    }
  };
  const write = (key: string): number => {
    replaced.get(key)?.push(clock.now());
    return database.write(key);
  };
  for (const key of KEYS) database.versions.set(key, 0);

  for (const { what, process: index, key: keyIndex, after } of steps) {
    if (after > 0) await clock.pass(after);
    const process = fleet.processes[index];
    const key = KEYS[keyIndex] ?? '';
    if (process === undefined) continue;
    const raise = (version: number): void => {
      const name = `${process.name} ${key}`;
      floors.set(name, Math.max(floors.get(name) ?? 0, version));
    };
    if (what === 'get') void get(process, key);
    else if (what === 'set') {
      const version = write(key);
      const set = process.cache.set(key, `${key}@${version}`).then(() => { raise(version); }, () => undefined);
      // Two processes that write at the same moment race, whatever stands between them and the server.
      await clock.until(set);
    } else if (what === 'delete') {
      const version = write(key);
      process.cache.delete(key).then(() => { raise(version); }, () => undefined);
    } else if (what === 'invalidate') {
      write(key);
      process.cache.invalidate(key).then(() => undefined, () => undefined);
    } else if (what === 'crash') {
      process.crash();
      fleet.processes[index] = fleet.process(`${process.name}'`);
      running.set(process, 0);
    } else if (what === 'flush') fleet.flush();
    else if (what === 'fail') failing = 1;
    else {
      if (what === 'slow') process.line.delay = 250;
      else process.line.state = 'down';
      clock.setTimeout(() => {
        process.line.delay = 0;
        if (process.line.state === 'down') process.line.state = 'up';
      }, 400);
    }
  }
  resting = within;
  // All comes to rest; whoever reads on sees the present soon, whatever died or failed.
  await clock.pass(6000 + 3 * duration);
  failing = 0;
  for (const [process, count] of running) if (count > 0 && !process.dead) wrong.push(`${count} calls of ${process.name} never settle`);
  const until = clock.now() + (LEASE + 2) * 1000 + (EXPIRE + 1) * 1000 + 2 * duration;
  const used = new Set(steps.map(({ key }) => KEYS[key] ?? ''));
  for (let turn = 0; clock.now() < until; turn++) {
    const process = fleet.processes[turn % PROCESSES];
    if (process !== undefined) for (const key of used) void get(process, key);
    await clock.pass(1000);
  }
  await clock.pass(duration + LEASE_WAIT + 1000);
  for (const process of fleet.processes) for (const key of used) await clock.until(get(process, key, true));
  await clock.pass(duration + 1000);
  for (const process of fleet.processes) {
    const stats = process.cache.stats();
    const sum = (['hit', 'l1-hit', 'stale-hit', 'error-hit', 'negative-hit', 'joined', 'load'] as const).reduce((total, name) => total + stats[name], 0);
    const made = calls.get(process) ?? 0;
    if (sum > made || sum < made - (rejections.get(process) ?? 0)) wrong.push(`${made} calls of ${process.name} were counted as ${sum}`);
    if (stats.flights !== 0 || stats.loads !== 0 || stats.queued !== 0) wrong.push('something is still under way');
  }
  return wrong[0];
}
