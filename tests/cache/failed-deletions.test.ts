import { ManualClock, MemcacheConnectError, MemcacheError } from '../../src';
import { Recovery } from '../../src/cache/health/recovery';
import { Fleet } from './support/fleet';

describe('failed deletions', () => {
  it('36: are made good when the server is back', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.state = 'down';
    await expect(a!.cache.delete('k')).rejects.toThrow(MemcacheError);
    await fleet.clock.pass(3000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    a!.line.state = 'up';
    await fleet.clock.pass(11_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    expect(a!.cache.stats().recovered).toBe(1);
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are made good within a minute after hours without the server', async () => {
    const fleet = new Fleet(2, 0, { expire: 0 });
    const [a, b] = fleet.processes;
    // Another process has stored it.
    await fleet.clock.until(b!.get('k'));
    await fleet.clock.until(a!.cache.peek('k'));
    a!.line.state = 'down';
    await expect(fleet.clock.until(a!.cache.delete('k'))).rejects.toThrow('nobody is there');
    await fleet.clock.pass(6 * 3_600_000);
    expect(await fleet.clock.until(b!.cache.peek('k'))).toBe('k@0');
    a!.line.state = 'up';
    await fleet.clock.pass(60_000);
    expect(await fleet.clock.until(b!.cache.peek('k'))).toBeUndefined();
  });

  it('are made good where the entry then is, if the namespace has changed meanwhile', async () => {
    const fleet = new Fleet(2, 0, { namespace: 'shop', expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    a!.line.state = 'down';
    await fleet.clock.until(b!.cache.invalidateNamespace());
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    fleet.database.write('k');
    await expect(fleet.clock.until(a!.cache.delete('k'))).rejects.toThrow(MemcacheError);
    a!.line.state = 'up';
    await fleet.clock.pass(11_000);
    expect(a!.cache.stats().recovered).toBe(1);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are made good although many of another server still fail', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.onCommand = ({ verb, firstKey }) => {
      if (verb === 'delete' && String(firstKey).startsWith('other')) throw new MemcacheConnectError('nobody is there', { server: 'other', command: verb });
    };
    for (let i = 0; i < 100; i++) await expect(a!.cache.delete(`other${i}`)).rejects.toThrow(MemcacheConnectError);
    a!.line.state = 'down';
    await expect(a!.cache.delete('k')).rejects.toThrow(MemcacheError);
    a!.line.state = 'up';
    await fleet.clock.pass(13_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    expect(a!.cache.stats().recovered).toBe(1);
    a!.line.onCommand = () => undefined;
    await fleet.clock.pass(13_000);
    expect(a!.cache.stats().recovered).toBe(101);
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are not repeated after close, also what was under way by then, until the cache is written to again', async () => {
    const fleet = new Fleet(2, 0, { expire: 600 });
    const [a, b] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    a!.line.state = 'blackHole';
    const deleted = a!.cache.delete('k').catch((error: unknown) => error);
    await fleet.clock.until(a!.cache.close());
    expect(await fleet.clock.until(deleted)).toBeInstanceOf(MemcacheError);
    const { length } = a!.line.sent;
    a!.line.state = 'up';
    await fleet.clock.pass(60_000);
    expect(a!.line.sent.length).toBe(length);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@0');
    await fleet.clock.until(a!.cache.delete('other'));
    await fleet.clock.pass(11_000);
    expect(await fleet.clock.until(b!.get('k'))).toBe('k@1');
    await fleet.clock.until(a!.cache.close());
    expect(fleet.clock.held).toBe(0);
  });

  it('are given up when their entry has expired', async () => {
    const fleet = new Fleet(1, 0, { expire: 5 });
    const { cache, line } = fleet.processes[0]!;
    line.state = 'down';
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
    await fleet.clock.pass(20_000);
    const tried = line.sent.length;
    expect(tried).toBeGreaterThan(2);
    await fleet.clock.pass(60_000);
    expect(line.sent.length).toBe(tried);
  });

  it('are not given up before an entry can have expired that a call stored for longer than others live', async () => {
    const fleet = new Fleet(1, 0, { expire: 5 });
    const { cache, line } = fleet.processes[0]!;
    await fleet.clock.until(cache.get('k', () => 'old', { expire: 600 }));
    await fleet.clock.pass(10);
    line.state = 'down';
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
    await fleet.clock.pass(60_000);
    line.state = 'up';
    await fleet.clock.pass(13_000);
    expect(await fleet.clock.until(cache.peek('k'))).toBeUndefined();
  });

  it('do not end what was stored after them', async () => {
    const fleet = new Fleet(1, 0, { expire: 600 });
    const { cache, line } = fleet.processes[0]!;
    line.state = 'down';
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
    line.state = 'up';
    await fleet.clock.until(cache.set('k', 'new'));
    await fleet.clock.pass(20_000);
    expect(await fleet.clock.until(cache.peek('k'))).toBe('new');
  });

  it('keep no process alive', async () => {
    const fleet = new Fleet(1, 0);
    const { cache, line } = fleet.processes[0]!;
    line.state = 'down';
    await expect(cache.delete('k')).rejects.toThrow(MemcacheError);
    expect(fleet.clock.held).toBe(0);
  });

  it('a full queue says so', async () => {
    const fleet = new Fleet(1, 0, { recovery: 2 });
    const [process] = fleet.processes;
    process!.line.state = 'down';
    for (let i = 0; i < 3; i++) await process!.cache.delete(`k${i}`).catch(() => undefined);
    expect(process!.cache.stats()['recovery-overflow']).toBe(1);
  });
});

describe('deletions that failed', () => {
  /** 1500 of them, of which none succeeds. */
  function failing(onTry: (recovery: Recovery) => void = () => undefined): { tried: string[]; pass: (ms: number) => Promise<void> } {
    const clock = new ManualClock();
    const tried: string[] = [];
    const recovery = new Recovery({
      clock,
      random: () => 0.5,
      limit: 10_000,
      remove: ({ wireKey }) => {
        tried.push(wireKey);
        onTry(recovery);
        return Promise.reject(new Error('nobody is there'));
      },
      onRecovered: () => undefined,
      onOverflow: () => undefined,
    });
    for (let i = 0; i < 1500; i++) recovery.add({ key: `k${i}`, wireKey: `k${i}` }, Infinity);
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { tried, pass };
  }

  it('are repeated a thousand at a time, first those that have waited longest', async () => {
    const { tried, pass } = failing();
    await pass(100);
    expect(new Set(tried).size).toBe(tried.length);
    expect(tried.length).toBeLessThan(1100);
    await pass(200);
    expect(new Set(tried).size).toBe(1500);
    expect(tried.length).toBeLessThan(2200);
  });

  it('are not repeated when their entry was replaced, or the cache closed, meanwhile', async () => {
    const replaced = failing((recovery) => { recovery.forget('k100'); });
    await replaced.pass(100);
    expect(replaced.tried).not.toContain('k100');
    expect(replaced.tried).toContain('k101');
    const closed = failing((recovery) => { recovery.close(); });
    await closed.pass(100);
    expect(closed.tried.length).toBeLessThan(100);
  });
});
