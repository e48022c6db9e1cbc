import { Client, ManualClock, MemcacheServerError, type Executor } from '../../src';
import { Circuits } from '../../src/cache/health/circuit';
import { Fleet } from './support/fleet';

it('servers that fail under ever new names take no memory', () => {
  const circuits = new Circuits(new ManualClock(), 1, 1000);
  for (let i = 0; i < 20_000; i++) circuits.failed(`server${i}`);
  expect(circuits.isOpen('server19999')).toBe(true);
  expect(circuits.isOpen('server0')).toBe(false);
});

describe('trouble', () => {
  it('with no turn for a load, a value of the near cache past its time is served at once', async () => {
    const fleet = new Fleet(1, 10, { expire: 600, maxLoads: 1, l1: { admit: 'all', ttl: 100, staleIfError: 60_000 } });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    await fleet.clock.pass(1000);
    process!.line.state = 'down';
    fleet.database.duration = 5000;
    const slow = process!.get('slow');
    await fleet.clock.pass(10);
    const before = fleet.clock.now();
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.clock.now() - before).toBeLessThanOrEqual(10);
    expect(fleet.count('error-hit')).toBe(1);
    expect(await fleet.clock.until(slow)).toBe('slow@0');
  });

  it.each([[0, 'the database is down'], [60_000, 'k@0']])('l1.validate: without the server an entry is a last resort for staleIfError %i after it was confirmed', async (staleIfError, result) => {
    const fleet = new Fleet(2, 0, { expire: 600, l1: { validate: true, admit: 'all', staleIfError } });
    const [process, other] = fleet.processes;
    const get = (): Promise<unknown> => fleet.clock.until(process!.get('k').catch((error: unknown) => (error as Error).message));
    for (let i = 0; i < 3; i++) expect(await get()).toBe('k@0');
    await fleet.clock.pass(100_000);
    expect(await get()).toBe('k@0');
    expect(fleet.count('l1-hit')).toBe(2);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    await fleet.clock.pass(50_000);
    process!.line.state = 'down';
    fleet.database.value = () => {
      throw new Error('the database is down');
    };
    expect(await get()).toBe(result);
    await fleet.clock.pass(11_000);
    expect(await get()).toBe('the database is down');
  });

  it('a peek that is answered closes the circuit, as any call does that tries the server', async () => {
    const fleet = new Fleet(1, 0, { expire: 600, circuit: { failures: 1, pause: 1000 } });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    process!.line.state = 'down';
    await fleet.herd(1, 'other');
    process!.line.state = 'up';
    await fleet.clock.pass(1100);
    expect(await fleet.clock.until(process!.cache.peek('k'))).toBe('k@0');
    await fleet.herd(1, 'k');
    expect(fleet.count('hit')).toBe(1);
  });

  it('questions that failed take no places among the refreshes', async () => {
    const fleet = new Fleet(1, 0, { expire: 5, stale: 60, earlyRefresh: 0, maxBackground: 1 });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    process!.line.state = 'down';
    await fleet.herd(1, 'other');
    process!.line.state = 'up';
    await fleet.clock.pass(7000);
    await fleet.herd(1, 'k');
    await fleet.clock.pass(10);
    expect(fleet.count('refresh')).toBe(1);
  });

  it('a value that the server refuses frees the place that was held for it', async () => {
    const refusing = (next: Executor): Executor => ({
      execute: (command, options) =>
        command.verb === 'ms' ? Promise.reject(new MemcacheServerError('object too large for cache', { certainty: 'executed' })) : next.execute(command, options),
      close: () => next.close(),
    });
    const fleet = new Fleet(1, 10, {}, (client) => new Client(refusing(client.executor), client.options));
    expect((await fleet.herd(2, 'k')).values).toEqual(['k@0', 'k@0']);
    await fleet.clock.pass(10);
    expect(fleet.store.find('k')).toBeUndefined();
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ 'store-error': 1, released: 1 });
  });

  it('close leaves no timer, also while deletions are being repeated', async () => {
    const fleet = new Fleet(1, 0);
    const { cache, line } = fleet.processes[0]!;
    await fleet.herd(1, 'k');
    line.state = 'blackHole';
    await fleet.clock.until(cache.delete('k').catch(() => undefined));
    await fleet.clock.pass(300);
    await fleet.clock.until(cache.close());
    await fleet.clock.pass(5000);
    // The server's own.
    expect(fleet.clock.timers).toBe(1);
  });
});
