import { Fleet } from './support/fleet';

/** Begins a read of `k` that the server does not answer, and lets 50 ms pass; from then on each answer takes 80 ms. */
async function unansweredRead({ clock, database, processes: [process] }: Fleet): Promise<{ first: Promise<unknown> }> {
  database.mostAtOnce = 0;
  process!.line.state = 'blackHole';
  const first = process!.get('k');
  process!.line.state = 'up';
  await clock.pass(50);
  process!.line.delay = 80;
  return { first };
}

describe('loads of one key', () => {
  it('one at a time in a process, also when the place-holder ends a second early, as servers count them', async () => {
    const fleet = new Fleet(1, 5000, { lease: 2 });
    const first = fleet.processes[0]!.get('k');
    await fleet.clock.pass(1500);
    fleet.store.delete('k');
    const second = fleet.processes[0]!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    expect(fleet.database.mostAtOnce).toBe(1);
    expect(fleet.count('joined')).toBe(1);
    await fleet.clock.pass(10);
    expect(fleet.store.find('k')).toBeUndefined();
  });

  it('a read does not share the question of one from before a deletion, though both are made in one tick', async () => {
    const fleet = new Fleet(1, 0, { expire: 600 });
    const [process] = fleet.processes;
    await fleet.herd(1, 'k');
    fleet.database.write('k');
    process!.line.delay = 10;
    const before = process!.get('k');
    const deleted = process!.cache.delete('k');
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(process!.line.sent.at(-1)).toBe('delete');
    const after = process!.get('k');
    expect(await fleet.clock.until(Promise.all([before, deleted, after]))).toEqual(['k@0', true, 'k@1']);
  });

  it('also when the answer comes only after the place-holder has ended', async () => {
    const fleet = new Fleet(1, 5000, { lease: 3, cacheTimeout: 0 });
    const [process] = fleet.processes;
    const first = process!.get('k');
    await fleet.clock.pass(1900);
    process!.line.delay = 2000;
    const second = process!.get('k');
    fleet.store.delete('k');
    const third = process!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second, third]))).toEqual(['k@0', 'k@0', 'k@0']);
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it('also when the place-holder was another process\'s, and was invalidated', async () => {
    const fleet = new Fleet(2, 5000, { lease: 10, stale: 30 });
    const [a, b] = fleet.processes;
    void a!.get('k');
    await fleet.clock.pass(100);
    a!.crash();
    await fleet.clock.pass(7400);
    await fleet.clock.until(b!.cache.invalidate('k'));
    const first = b!.get('k');
    await fleet.clock.pass(3500);
    expect(fleet.store.find('k')).toBeUndefined();
    const second = b!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    // Another one was that of the process that has died.
    expect(fleet.database.loads).toBe(2);
  });

  it('a place-holder that somebody else has ended before is another matter: what was loaded may be outdated', async () => {
    const fleet = new Fleet(1, 5000, { lease: 3 });
    const first = fleet.processes[0]!.get('k');
    await fleet.clock.pass(1500);
    fleet.database.write('k');
    fleet.store.delete('k');
    const second = fleet.processes[0]!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@1']);
  });

  it.each(['nothing', 'an unreadable value', 'an outdated value'])('one at a time when the server is slow and another connection then finds %s', async (what) => {
    const fleet = new Fleet(1, 1000, { expire: 5, stale: 0, staleIfError: 60, earlyRefresh: 0, cacheTimeout: 100 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('other'));
    if (what === 'an unreadable value') await fleet.clock.until(process!.client.set('k', 'value', { flags: 2 }));
    if (what === 'an outdated value') {
      await fleet.clock.until(process!.get('k'));
      await fleet.clock.pass(7000);
    }
    const before = fleet.database.loads;
    const { first } = await unansweredRead(fleet);
    const second = process!.get('k');
    expect(await fleet.clock.until(Promise.all([first, second]))).toEqual(['k@0', 'k@0']);
    expect(fleet.database.loads - before).toBe(1);
    expect(fleet.database.mostAtOnce).toBe(1);
    process!.line.delay = 0;
    // The lease or token that the second one got is for whoever comes next.
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.database.loads - before).toBe(2);
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    expect(fleet.database.loads - before).toBe(2);
  });

  it.each(['is down', 'has lost the place-holder'])('what was loaded before another process deleted it is not given to later callers when the server %s before the store is answered', async (how) => {
    const fleet = new Fleet(2, 100, { lease: 2 });
    const [a, b] = fleet.processes;
    const first = a!.get('k');
    await fleet.clock.pass(50);
    a!.line.delay = 3000;
    expect(await fleet.clock.until(first)).toBe('k@0');
    fleet.database.write('k');
    await fleet.clock.until(b!.cache.delete('k'));
    if (how === 'is down') a!.line.state = 'down';
    else {
      await fleet.clock.pass(2000);
      a!.line.delay = 0;
    }
    expect(await fleet.clock.until(a!.get('k'))).toBe('k@1');
    expect(fleet.database.mostAtOnce).toBe(1);
  });

  it.each([0, 1])('what was loaded before another process set it is not given to later callers, also when that value is outdated: stale %d', async (stale) => {
    const fleet = new Fleet(2, 5000, { expire: 1, stale, staleIfError: 60, earlyRefresh: 0 });
    const [process, other] = fleet.processes;
    const first = process!.get('k');
    await fleet.clock.pass(1000);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.set('k', 'k@1'));
    await fleet.clock.pass(3000);
    const second = process!.get('k');
    expect([await fleet.clock.until(first), await fleet.clock.until(second)]).toEqual(['k@0', 'k@1']);
  });

  it('what an impatient process loads is not given to those who ask after the place-holder was deleted', async () => {
    const fleet = new Fleet(3, 6000, { leaseWait: 1000 });
    const [holder, impatient, other] = fleet.processes;
    const calls = [holder!.get('k')];
    await fleet.clock.pass(10);
    calls.push(impatient!.get('k'));
    await fleet.clock.pass(2000);
    expect(fleet.count('impatient')).toBe(1);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    calls.push(impatient!.get('k'));
    expect(await fleet.clock.until(Promise.all(calls))).toEqual(['k@0', 'k@0', 'k@1']);
  });

  it.each([1, 2])('what an impatient process loads is joined also after the place-holder has ended: %i such processes', async (others) => {
    const fleet = new Fleet(1 + others, 6000, { lease: 3, leaseWait: 1000 });
    const calls = [fleet.processes[0]!.get('k')];
    await fleet.clock.pass(10);
    for (let i = 0; i < 5; i++) {
      for (const process of fleet.processes.slice(1)) calls.push(process.get('k'));
      await fleet.clock.pass(1000);
    }
    expect(new Set(await fleet.clock.until(Promise.all(calls)))).toEqual(new Set(['k@0']));
    expect(fleet.database.loads).toBe(1 + others);
  });

  it('what is loaded in place of what cannot be read is not given to those who ask after that was deleted', async () => {
    const fleet = new Fleet(2, 3000);
    const [process, other] = fleet.processes;
    await fleet.clock.until(other!.client.set('k', 'of another serde', { flags: 9999 }));
    const calls = [process!.get('k')];
    await fleet.clock.pass(1000);
    fleet.database.write('k');
    await fleet.clock.until(other!.cache.delete('k'));
    calls.push(process!.get('k'));
    expect(await fleet.clock.until(Promise.all(calls))).toEqual(['k@0', 'k@1']);
  });

  it('a refresh is left to others while the key is being loaded without the cache', async () => {
    const fleet = new Fleet(1, 1000, { expire: 5, stale: 60, earlyRefresh: 0, cacheTimeout: 100 });
    const [process] = fleet.processes;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(7000);
    const { first } = await unansweredRead(fleet);
    expect(await fleet.clock.until(process!.get('k'))).toBe('k@0');
    await fleet.clock.until(first);
    expect(fleet.database.mostAtOnce).toBe(1);
    process!.line.delay = 0;
    await fleet.clock.until(process!.get('k'));
    await fleet.clock.pass(2000);
    expect(fleet.count('refresh')).toBe(1);
  });

  it('an impatient process with nothing to store leaves the other one its lease', async () => {
    const fleet = new Fleet(2, 2000, { lease: 10, leaseWait: 100 });
    const [first, second] = fleet.processes;
    const loading = first!.get('k');
    await fleet.clock.pass(10);
    fleet.database.duration = 100;
    fleet.database.value = (key, version, load) => (load === 1 ? `${key}@${version}` : undefined);
    expect(await fleet.clock.until(second!.get('k'))).toBeUndefined();
    expect(await fleet.clock.until(loading)).toBe('k@0');
    await fleet.clock.pass(10);
    expect(await fleet.clock.until(second!.get('k'))).toBe('k@0');
    expect(fleet.database.loads).toBe(2);
  });
});
