import { setTimeout as pause } from 'node:timers/promises';
import { HashClient, type HashClientOptions } from '../../src';
import { Load, p99 } from '../support/load';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { describeWithMemcached } from '../support/describe';
import { report } from './report';

const KEYS = Array.from({ length: 5000 }, (_, i) => `key-${i}`);
const CALLERS = 2000;
const RETRY = 200;
const DEAD = 500;

/** Waits until something is so, and tells how long that took. */
async function until(condition: () => boolean, atMost = 10_000): Promise<number> {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > atMost) throw new Error('it never came to that');
    await pause(5);
  }
  return performance.now() - started;
}

describeWithMemcached('five memcached, 2 000 calls in flight', () => {
  let processes: MemcachedProcess[];
  beforeEach(async () => {
    processes = await Promise.all([1, 2, 3, 4, 5].map(() => startMemcached()));
  });
  afterEach(async () => {
    await Promise.all(processes.map((one) => one.stop()));
  });

  function makeClient(options: HashClientOptions = {}): HashClient {
    const addresses = processes.map(({ address }) => address);
    return new HashClient(addresses, { timeout: 500, connectTimeout: 300, retryAttempts: 2, retryTimeout: RETRY, deadTimeout: DEAD, ...options });
  }

  it.each([false, true])('SIGKILL, restart, SIGSTOP, SIGCONT; ignoreErrors %p', async (ignoreErrors) => {
    const [killed, stopped] = processes;
    if (killed === undefined || stopped === undefined) throw new Error('no processes');
    const client = makeClient({ ignoreErrors, usePooling: ignoreErrors });
    const stateOf = (one: MemcachedProcess): string | undefined => client.servers().find(({ name }) => name === one.address)?.state;
    const owners = new Map(KEYS.map((key) => [key, client.serverFor(key)]));
    const troubled = new Set([killed.address, stopped.address]);
    const load = new Load(client, KEYS, CALLERS, 42, (key) => (troubled.has(owners.get(key) ?? '') ? 'troubled' : 'living'));
    const living = (): ReturnType<Load['take']> => load.take('living');

    await pause(400);
    living();
    load.take('troubled');
    await pause(600);
    const normal = living();
    expect([normal.failed.size, load.take('troubled').failed.size]).toEqual([0, 0]);
    expect(normal.done).toBeGreaterThan(CALLERS);

    await killed.stop();
    await until(() => stateOf(killed) === 'dead');
    // Its keys are served by the others.
    load.take('troubled');
    living();
    await pause(400);
    expect(load.take('troubled').done).toBeGreaterThan(0);
    const whileDead = living();

    const restarted = await startMemcached([], killed.port);
    const recovery = await until(() => stateOf(killed) === 'healthy');
    processes[0] = restarted;
    living();

    process.kill(stopped.pid, 'SIGSTOP');
    await until(() => stateOf(stopped) !== 'healthy');
    await pause(600);
    const whileStopped = living();
    process.kill(stopped.pid, 'SIGCONT');
    const return_ = await until(() => stateOf(stopped) === 'healthy');
    await pause(200);

    await load.stop();
    await client.close();
    const suffix = ignoreErrors ? '-pools' : '';
    const milliseconds = (...times: number[]): string => `${times.map((time) => time.toFixed(0)).join(' and ')} ms`;
    const outcome = (goal: string, claim: string, failed: number, value: string, limit: string): void => {
      report({ goal: goal + suffix, claim, n: normal.done + whileDead.done + whileStopped.done, value, limit: `${limit}, not a gate`, pass: failed === 0 });
    };
    // Times are for the reader; that calls for the living servers never failed is for the test.
    const [usual, twice] = [milliseconds(p99(normal)), milliseconds(2 * p99(normal))];
    outcome('G11', `One of five servers killed: no call for the others fails; their p99, usually ${usual}`, whileDead.failed.size, milliseconds(p99(whileDead)), twice);
    outcome('G12', `One of five servers stopped (a black hole): no call for the others fails; their p99, usually ${usual}`, whileStopped.failed.size, milliseconds(p99(whileStopped)), twice);
    outcome('G13', 'A server that comes back is used again, after SIGKILL and after SIGSTOP', 0, milliseconds(recovery, return_), milliseconds(DEAD + 200));
  });

  it('reads with ignoreErrors see no error at all, whatever happens to the servers', async () => {
    const [killed, stopped] = processes;
    if (killed === undefined || stopped === undefined) throw new Error('no processes');
    const client = makeClient({ ignoreErrors: true });
    await client.setMany(KEYS.map((key): [string, string] => [key, key]));
    let over = false;
    let reads = 0;
    const readers = Array.from({ length: 500 }, async (_, reader) => {
      for (let round = 0; !over; round++) {
        const key = KEYS[(reader * 31 + round * 17) % KEYS.length] ?? '';
        const value = await client.get(key);
        if (value !== undefined && value !== key) throw new Error('a wrong value');
        const many = await client.getMany([key, 'key-1', 'key-2']);
        for (const [name, one] of many) if (one !== name) throw new Error('a wrong value');
        reads += 2;
        if (value === undefined) await pause(1);
      }
    });
    await pause(200);
    await killed.stop();
    process.kill(stopped.pid, 'SIGSTOP');
    await pause(1500);
    process.kill(stopped.pid, 'SIGCONT');
    processes[0] = await startMemcached([], killed.port);
    await pause(800);
    over = true;
    await Promise.all(readers);
    expect(reads).toBeGreaterThan(1000);
    expect(client.servers().map(({ state }) => state)).toEqual(processes.map(() => 'healthy'));
    await client.close();
  });
});
