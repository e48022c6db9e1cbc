import { existsSync, linkSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { SnapshotError } from '../../../src/server/snapshot/format';
import type { PersistenceOptions } from '../../../src/server/snapshot/options';
import { Persistence } from '../../../src/server/snapshot/persistence';
import { STALE, WON, valueText } from '../../../src/server/engine/item';
import type * as Server from '../../../src/server';
import type { MemoryStoreOptions } from '../../../src/server/engine/options';
import { MemoryStore } from '../../../src/server/engine/store';
import { ManualClock } from '../../../src/runtime/manual-clock';
import { contents, makeFolder } from './files';

const folder = makeFolder();
let files = 0;

/** A name that no other test has used. */
function freshFile(): string {
  return join(folder, `snapshot-${String(++files).padStart(2, '0')}`);
}

interface Run {
  readonly store: MemoryStore;
  readonly persistence: Persistence;
  readonly clock: ManualClock;
  readonly log: string[];
}

/** One run of a program; its clock is ahead of the time at which the first run began by `later` milliseconds. */
async function run(
  file: string,
  { later = 0, interval, ...limits }: Pick<PersistenceOptions, 'interval'> & MemoryStoreOptions & { later?: number } = {},
): Promise<Run> {
  const clock = new ManualClock(1_700_000_000_000);
  clock.advance(later);
  const store = new MemoryStore({ clock, ...limits });
  const log: string[] = [];
  const often = interval === undefined ? {} : { interval };
  const persistence = await Persistence.open(store, { file, log: (line) => log.push(line), ...often });
  return { store, persistence, clock, log };
}

function set(store: MemoryStore, key: string, value: string | Buffer, seconds = 0, flags = 0): void {
  expect(store.store('set', key, value, flags, store.deadline(seconds))).toBe('stored');
}

/** What stands in the folder of a snapshot, without the part of the names that all have. */
function suffixes(file: string): string[] {
  return readdirSync(dirname(file))
    .filter((name) => name.startsWith(basename(file)))
    .map((name) => name.slice(basename(file).length))
    .sort();
}

/** Waits for a save that nobody has asked for. */
async function settled(persistence: Persistence): Promise<void> {
  while (persistence.saving) await new Promise(setImmediate);
}

describe('a store that is saved and loaded', () => {
  it('has the same items: every byte in keys and values, flags, cas, deadlines', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    set(store, bytes.toString('latin1'), bytes.toString('latin1'), 0, 0xffff_ffff);
    set(store, 'empty', '');
    set(store, 'buffer', Buffer.alloc(5000, bytes), 3600);
    set(store, 'block', Buffer.alloc(65_536 - 37 - 5, bytes));
    set(store, 'over a block', Buffer.alloc(65_536, bytes), 100, 1);
    set(store, 'many blocks', Buffer.alloc(1_000_000, bytes));
    set(store, 'long-lived', 'x', 30 * 24 * 3600);
    const request = { cas: 0, orStale: false, binaryKey: true };
    store.store('set', 'shown in base64', 'v', 0, 0, request);
    set(store, 'stale', 'v');
    const stale = store.find('stale');
    if (stale === undefined) throw new Error('not stored');
    store.invalidate(stale);
    stale.marks |= WON;
    await persistence.close();

    const second = await run(file, { later: 50_000 });
    expect(contents(second.store)).toEqual(contents(store));
    expect(second.store.find('over a block')).toMatchObject({ flags: 1 });
    // Stale items are won anew: the winner of old may be gone.
    expect((second.store.find('stale')?.marks ?? 0) & (STALE | WON)).toBe(STALE);
    expect(second.store.bytes).toBe(store.bytes);
    expect(second.log).toEqual([]);
    expect(second.persistence.changes).toBe(0);
  });

  it('has the same items, whatever they are', async () => {
    const item = fc.record({
      key: fc.uint8Array({ minLength: 1, maxLength: 250 }),
      value: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer({ max: 200_000, min: 0 }).map((size) => Buffer.alloc(size, 'ab'))),
      flags: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      seconds: fc.integer({ min: 0, max: 2_592_000 }),
    });
    const file = freshFile();
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 20 }), async (items) => {
        rmSync(file, { force: true });
        rmSync(`${file}.1`, { force: true });
        const { store, persistence } = await run(file);
        for (const { key, value, flags, seconds } of items) {
          set(store, Buffer.from(key).toString('latin1'), Buffer.from(value), seconds, flags);
        }
        await persistence.save();
        expect(contents((await run(file)).store)).toEqual(contents(store));
      }),
      { numRuns: 50 },
    );
  });

  it('has the same items, however far away or long ago their times are', async () => {
    const file = freshFile();
    // A machine whose clock was never set; and what EXPIRE of a Redis client may say.
    const clock = new ManualClock(0);
    const store = new MemoryStore({ clock });
    const persistence = await Persistence.open(store, { file, interval: 0 });
    store.store('set', 'far away', 'v', 0, 9_223_372_036_854_775_000);
    store.store('set', 'over', 'v', 0, store.deadline(-1));
    set(store, 'other', 'v');
    await persistence.save();
    const second = await run(file);
    expect(Array.from(second.store.items(), ({ key }) => key).sort()).toEqual(['far away', 'other']);
    expect(second.log).toEqual([]);
  });

  it('was not used in the future, where the clock has been put back meanwhile', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    await persistence.close();
    const second = await run(file, { later: -3_600_000 });
    const item = second.store.find('k');
    if (item === undefined) throw new Error('not restored');
    expect(second.store.secondsIdle(item)).toBe(0);
  });

  it('can be read although the clock showed a time before 1970', async () => {
    const file = freshFile();
    const store = new MemoryStore({ clock: new ManualClock(-1e12) });
    const persistence = await Persistence.open(store, { file, interval: 0 });
    set(store, 'k', 'v');
    await persistence.save();
    expect((await run(file)).store.find('k')).toBeDefined();
    // What was to be removed then is removed now.
    store.flushAll(100);
    await persistence.close();
    const second = await run(file);
    expect(second.log).toEqual([]);
    expect(second.store.size).toBe(0);
  });

  it('keeps the time that items have left, and drops what has expired meanwhile', async () => {
    const file = freshFile();
    const { store, persistence, clock } = await run(file);
    set(store, 'gone', 'v', 10);
    set(store, 'just gone', 'v', 60);
    set(store, 'stays', 'v', 61);
    clock.advance(1000);
    await persistence.save();
    const second = await run(file, { later: 60_000 });
    expect(Object.keys(contents(second.store))).toEqual(['stays']);
    second.clock.advance(999);
    expect(second.store.find('stays')).toBeDefined();
    second.clock.advance(1);
    expect(second.store.size).toBe(0);
  });

  it('has a flush that is still to come, and no items when it came while nobody served', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    store.flushAll(100);
    await persistence.save();
    const { store: early, clock } = await run(file, { later: 99_000 });
    expect(early.find('k')).toBeDefined();
    clock.advance(1000);
    expect(early.find('k')).toBeUndefined();
    const { store: late } = await run(file, { later: 100_000 });
    expect(late.size).toBe(0);
    set(late, 'new', 'v');
    expect(late.find('new')).toBeDefined();
  });

  it('never gives a cas number again, not even one that the crash has swallowed', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    set(store, 'deleted', 'v');
    store.delete('deleted');
    await persistence.save();
    for (let i = 0; i < 1000; i++) set(store, 'k', `after the save ${i}`);
    const { store: second } = await run(file);
    set(second, 'k', 'v');
    expect(second.find('k')?.cas).toBeGreaterThan(store.lastCas);
  });

  it('never gives a cas number again that no item has any more', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    store.resume(2 ** 45, 0);
    set(store, 'deleted', 'v');
    store.delete('deleted');
    await persistence.save();
    const { store: second } = await run(file);
    set(second, 'k', 'v');
    expect(second.find('k')?.cas).toBeGreaterThan(2 ** 45 + 1);
  });

  it('gives cas numbers, or none, as the new store does', async () => {
    const [without, withCas] = [freshFile(), freshFile()];
    const first = await run(without, { cas: false });
    set(first.store, 'a', '1');
    set(first.store, 'b', '2');
    await first.persistence.save();
    const second = await run(without);
    expect(new Set([second.store.find('a')?.cas, second.store.find('b')?.cas, 0]).size).toBe(3);
    const third = await run(withCas);
    set(third.store, 'a', '1');
    await third.persistence.save();
    expect((await run(withCas, { cas: false })).store.find('a')?.cas).toBe(0);
  });

  it('keeps the order of use, and the newest items when there is room for fewer', async () => {
    const file = freshFile();
    const { store, persistence, clock } = await run(file);
    for (let i = 0; i < 100; i++) set(store, `k${i}`, 'x'.repeat(100));
    clock.advance(5000);
    for (const key of ['k3', 'k50']) {
      store.fetch(key);
      store.fetch(key);
    }
    await persistence.save();
    const { store: second, log } = await run(file, { maxBytes: 10_000, maxItemSize: 1024 });
    expect(second.size).toBeLessThan(50);
    expect(second.usedBytes).toBeLessThanOrEqual(10_000);
    expect(second.find('k3') && second.find('k50') && second.find('k99')).toBeDefined();
    expect(second.find('k0')).toBeUndefined();
    expect(log).toEqual([]);
    const third = await run(file, { maxBytes: 10_000, maxItemSize: 1024, evict: false });
    expect(third.log).toEqual([expect.stringMatching(/^\d+ items of the snapshot are too large .* no room$/)]);
  });

  it('is what it was at one moment, although it changes while it is saved', async () => {
    const file = freshFile();
    const store = new MemoryStore();
    const persistence = await Persistence.open(store, { file });
    const pairs = 5000;
    const write = (pair: number, version: number): void => {
      set(store, `a${pair}`, `${version} ${'x'.repeat(50)}`);
      set(store, `b${pair}`, `${version} ${'y'.repeat(50)}`);
    };
    for (let pair = 0; pair < pairs; pair++) write(pair, 0);
    const saved = persistence.save();
    let version = 0;
    for (let changes = 0; persistence.saving; changes++) {
      version++;
      for (let i = 0; i < 50; i++) write((changes * 7919 + i * 31) % (2 * pairs), version);
      store.delete(`a${changes % pairs}`);
      await new Promise(setImmediate);
    }
    await saved;
    expect(version).toBeGreaterThan(10);
    const loaded = new MemoryStore();
    await Persistence.open(loaded, { file, interval: 0 });
    // The file is opened an instant after the save was asked for: some changes may come before the moment it shows.
    for (const item of loaded.items()) {
      if (!item.key.startsWith('b')) continue;
      const other = loaded.find(`a${item.key.slice(1)}`);
      if (other !== undefined) expect(valueText(other.value).split(' ')[0]).toBe(valueText(item.value).split(' ')[0]);
    }
    expect(loaded.size).toBeGreaterThan(pairs);
    expect(persistence.changes).toBeGreaterThan(0);
    await persistence.close();
  });
});

describe('saves', () => {
  it('every minute when something has changed', async () => {
    const file = freshFile();
    const { store, persistence, clock } = await run(file);
    const start = clock.time() / 1000;
    expect(persistence).toMatchObject({ lastSave: start, saving: false, changes: 0 });
    clock.advance(60_000);
    expect(persistence.saving).toBe(false);
    expect(suffixes(file)).toEqual([]);

    set(store, 'k', 'v');
    store.fetch('k');
    expect(persistence.changes).toBe(1);
    clock.advance(59_999);
    expect(persistence.saving).toBe(false);
    clock.advance(1);
    expect(persistence.saving).toBe(true);
    await settled(persistence);
    expect(persistence).toMatchObject({ lastSave: start + 120, changes: 0 });
    expect(suffixes(file)).toEqual(['']);

    clock.advance(60_000);
    expect(persistence.saving).toBe(false);
    store.delete('k');
    clock.advance(60_000);
    await settled(persistence);
    expect(suffixes(file)).toEqual(['', '.1']);
    expect((await run(file)).store.size).toBe(0);
    // Nothing of it keeps the process alive.
    expect(clock.held).toBe(0);
    await persistence.close();
    expect(clock.timers).toBe(0);
  });

  it.each([
    ['set', (store: MemoryStore) => store.store('set', 'new', 'v', 0, 0)],
    ['replace', (store: MemoryStore) => store.store('set', 'k', 'v', 0, 0)],
    ['delete', (store: MemoryStore) => store.delete('k')],
    ['incr', (store: MemoryStore) => store.count('k', true, 1n, 0)],
    ['touch', (store: MemoryStore) => store.setDeadline(store.find('k')!, store.deadline(5))],
    ['invalidate', (store: MemoryStore) => store.invalidate(store.find('k')!)],
    ['flush_all', (store: MemoryStore) => store.flushAll()],
    ['flush_all 10', (store: MemoryStore) => store.flushAll(10)],
  ])('notice %s', async (_, change) => {
    const { store, persistence } = await run(freshFile(), { interval: 0 });
    set(store, 'k', '1');
    await persistence.save();
    store.fetch('k');
    store.store('add', 'k', 'not stored', 0, 0);
    expect(persistence.changes).toBe(0);
    change(store);
    expect(persistence.changes).toBeGreaterThan(0);
  });

  it('as often as asked to, or never', async () => {
    const file = freshFile();
    const seldom = await run(file, { interval: 0 });
    set(seldom.store, 'k', 'v');
    seldom.clock.advance(1_000_000);
    expect(seldom.clock.timers).toBe(0);
    const often = await run(file, { interval: 100 });
    set(often.store, 'k', 'v');
    often.clock.advance(100);
    expect(often.persistence.saving).toBe(true);
    await often.persistence.close();
  });

  it('once for all who ask at once, and once more for what came later', async () => {
    const file = freshFile();
    const { store, persistence, clock } = await run(file);
    set(store, 'k', 'first');
    const first = persistence.save();
    expect(persistence.save()).toBe(first);
    clock.advance(60_000); // The automatic save finds one under way.
    await first;
    expect(suffixes(file)).toEqual(['']);

    const begin = jest.spyOn(store, 'beginWalk');
    const second = persistence.save();
    while (begin.mock.calls.length === 0) await new Promise(setImmediate);
    set(store, 'k', 'later');
    const third = persistence.save();
    expect(third).not.toBe(second);
    expect(persistence.save()).toBe(third);
    await second;
    // Whoever asks between the two does not begin a third one.
    expect(persistence.save()).toBe(third);
    await third;
    expect(persistence.changes).toBe(0);
    expect((await run(file)).store.find('k')?.value).toBe('later');
    expect((await run(`${file}.1`)).store.find('k')?.value).toBe('first');
  });

  it('at the end, if something has changed', async () => {
    const file = freshFile();
    {
      await using persistence = (await run(file)).persistence;
      expect(persistence.changes).toBe(0);
    }
    expect(suffixes(file)).toEqual([]);
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    store.close();
    await Promise.all([persistence.close(), persistence.close()]);
    expect(suffixes(file)).toEqual(['']);
    expect((await run(file)).store.size).toBe(1);
  });

  it('not even then, where it is told so', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    await persistence.close({ save: false });
    expect(suffixes(file)).toEqual([]);
    // @ts-expect-error -- there is no such option
    await expect(persistence.close({ safe: false })).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
    await persistence.close();
    expect(suffixes(file)).toEqual([]);
  });

  it('so that the file is there at every moment', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file, { interval: 0 });
    await persistence.save();
    let looks = 0;
    for (let i = 0; i < 50; i++) {
      set(store, 'k', String(i));
      const save = persistence.save();
      while (persistence.saving) {
        expect(existsSync(file)).toBe(true);
        looks++;
        await new Promise(setImmediate);
      }
      await save;
    }
    expect(looks).toBeGreaterThan(50);
    expect(suffixes(file)).toEqual(['', '.1']);
    expect((await run(`${file}.1`)).store.find('k')?.value).toBe('48');
  });

  it('also after a crash has left both generations one file, or none before', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file, { interval: 0 });
    set(store, 'k', 'first');
    await persistence.save();
    linkSync(file, `${file}.1`);
    set(store, 'k', 'second');
    await persistence.save();
    expect(suffixes(file)).toEqual(['', '.1']);
    expect((await run(`${file}.1`)).store.find('k')?.value).toBe('first');
    rmSync(file);
    set(store, 'k', 'third');
    await persistence.save();
    expect((await run(file)).store.find('k')?.value).toBe('third');
    expect((await run(`${file}.1`)).store.find('k')?.value).toBe('first');
  });

  it('also where the file system has no hard links', async () => {
    const refused = jest.spyOn(promises, 'link').mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    try {
      const file = freshFile();
      const { store, persistence } = await run(file, { interval: 0 });
      for (const value of ['first', 'second', 'third']) {
        set(store, 'k', value);
        await persistence.save();
      }
      expect(refused).toHaveBeenCalledTimes(3);
      expect(suffixes(file)).toEqual(['', '.1']);
      expect((await run(`${file}.1`)).store.find('k')?.value).toBe('second');
    } finally {
      refused.mockRestore();
    }
  });

  it('on the disk: what is written is synced before the file is replaced, and the folder after that', async () => {
    const { store, persistence } = await run(freshFile(), { interval: 0 });
    await persistence.save();
    set(store, 'k', 'v'.repeat(200_000));
    const handle = await promises.open(__filename);
    await handle.close();
    const methods = Object.getPrototypeOf(handle) as typeof handle;
    const write = jest.spyOn(methods, 'writeFile');
    const sync = jest.spyOn(methods, 'sync');
    const rename = jest.spyOn(promises, 'rename');
    try {
      await persistence.save();
      const [ofFile = 0, ofFolder = 0, ...more] = sync.mock.invocationCallOrder;
      expect(more).toEqual([]);
      // Header, four blocks, footer.
      expect(write).toHaveBeenCalledTimes(6);
      expect(write.mock.contexts.every((file) => file === sync.mock.contexts[0])).toBe(true);
      expect(Math.max(...write.mock.invocationCallOrder)).toBeLessThan(ofFile);
      expect(Math.min(...rename.mock.invocationCallOrder)).toBeGreaterThan(ofFile);
      expect(Math.max(...rename.mock.invocationCallOrder)).toBeLessThan(ofFolder);
    } finally {
      for (const spy of [write, sync, rename]) spy.mockRestore();
    }
  });

  it('so that only the owner can read', async () => {
    const file = freshFile();
    const { persistence } = await run(file);
    await persistence.save();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('a save that fails', () => {
  it('is told to whoever asked and to the log, leaves nothing behind, and is tried again', async () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    const file = join(home, 'snapshot');
    const { store, persistence, clock, log } = await run(file);
    set(store, 'k', 'v');
    renameSync(home, `${home}-away`);
    await expect(persistence.save()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(log).toEqual([expect.stringContaining(`snapshot ${file} could not be saved: `)]);
    expect(persistence).toMatchObject({ saving: false, changes: 1, lastSave: clock.time() / 1000 });
    clock.advance(60_000);
    await settled(persistence);
    expect(log).toHaveLength(2);
    // The store goes on.
    set(store, 'l', 'v');
    renameSync(`${home}-away`, home);
    clock.advance(60_000);
    await settled(persistence);
    expect(readdirSync(home)).toEqual(['snapshot']);
    expect(persistence.changes).toBe(0);
  });

  it('at the last step removes its unfinished file', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    // Neither can be replaced by a file.
    mkdirSync(join(`${file}.1`, 'full'), { recursive: true });
    mkdirSync(file);
    await expect(persistence.save()).rejects.toThrow(/^E[A-Z]+: /);
    expect(suffixes(file)).toEqual(['', '.1']);
    await expect(persistence.close()).rejects.toThrow();
  });

  it('goes on with the walk of the next save from the beginning', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'k', 'v');
    store.beginWalk();
    await expect(persistence.save()).rejects.toThrow('already');
    store.endWalk();
    await persistence.save();
    expect((await run(file)).store.size).toBe(1);
  });
});

describe('a start', () => {
  /** Two generations: `old` in the previous one, `new` too in the present one. */
  async function twoGenerations(): Promise<string> {
    const file = freshFile();
    const { store, persistence } = await run(file);
    set(store, 'old', 'v');
    await persistence.save();
    set(store, 'new', 'v');
    await persistence.save();
    return file;
  }

  it('without a file is one without items', async () => {
    const { store, log } = await run(freshFile());
    expect(store.size).toBe(0);
    expect(log).toEqual([]);
  });

  it('with a damaged file takes the one before, says so, and keeps the damaged one', async () => {
    const file = await twoGenerations();
    const { size } = statSync(file);
    truncateSync(file, size - 1);
    const damaged = readFileSync(file);
    const { store, persistence, log, clock } = await run(file);
    expect(Object.keys(contents(store))).toEqual(['old']);
    const kept = `${file}.corrupt-${clock.time()}`;
    expect(log).toEqual([
      `snapshot ${file}: cut short, the file has ${size - 1} bytes (at byte ${size - 16})`,
      `${file}.1 is used, and the damaged file is kept as ${kept}`,
    ]);
    expect(readFileSync(kept)).toEqual(damaged);
    // The good generation is not lost to the next save.
    set(store, 'newer', 'v');
    await persistence.save();
    expect(Object.keys(contents((await run(`${file}.1`)).store))).toEqual(['old']);
    expect(Object.keys(contents((await run(file)).store))).toEqual(['old', 'newer']);
  });

  it('without the newest file, as a crash between two renames leaves it, takes the one before', async () => {
    const file = await twoGenerations();
    rmSync(file);
    const { store, log } = await run(file);
    expect(Object.keys(contents(store))).toEqual(['old']);
    expect(log).toEqual([`snapshot ${file} is missing; ${file}.1 is used`]);
  });

  it('with nothing but damaged files does not begin, and touches none of them', async () => {
    const file = await twoGenerations();
    truncateSync(file, 100);
    truncateSync(`${file}.1`, 100);
    const store = new MemoryStore({ clock: new ManualClock(1_700_000_000_000) });
    const opening = Persistence.open(store, { file });
    await expect(opening).rejects.toBeInstanceOf(SnapshotError);
    await expect(opening).rejects.toMatchObject({ path: `${file}.1`, offset: 89 });
    expect(store.size).toBe(0);
    rmSync(`${file}.1`);
    await expect(run(file)).rejects.toMatchObject({ path: file, offset: 40 });
    expect(suffixes(file)).toEqual(['']);
  });

  it('does not take the file before for one that cannot be read', async () => {
    const file = await twoGenerations();
    rmSync(file);
    mkdirSync(file);
    await expect(run(file)).rejects.toMatchObject({ code: 'MEMCACHE_ILLEGAL_INPUT' });
  });

  it('is given up when its signal is aborted: at once, in the midst of reading, or of filling the store', async () => {
    const file = freshFile();
    const { store, persistence } = await run(file, { maxBytes: 2 ** 28 });
    for (let i = 0; i < 10_000; i++) set(store, `key${i}`, 'x'.repeat(100));
    await persistence.close();
    const reason = new Error('enough');
    await expect(Persistence.open(new MemoryStore(), { file, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const sizes = new Set<number>();
    // Abort one turn of the event loop later each time, until it was too late.
    for (let turns = 0; ; turns++) {
      const given = new AbortController();
      const filled = new MemoryStore();
      const opening = Persistence.open(filled, { file, signal: given.signal, interval: 0 }).then(() => 'opened', (error: unknown) => error);
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      given.abort(reason);
      const result = await opening;
      if (result === 'opened') break;
      expect(result).toBe(reason);
      sizes.add(filled.size);
    }
    expect(sizes).toContain(0);
    expect(suffixes(file)).toEqual(['']);
  });

  it('needs the folder', async () => {
    await expect(run(join(folder, 'none', 'snapshot'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('from a link keeps the file that it leads to, and not another one in place of the link', async () => {
    const file = freshFile();
    const link = `${file}-link`;
    await (await run(file)).persistence.save();
    symlinkSync(file, link);
    const { store, persistence } = await run(link);
    set(store, 'k', 'v');
    await persistence.close();
    expect(suffixes(file)).toEqual(['', '-link', '.1']);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect((await run(file)).store.find('k')?.value).toBe('v');
    // It may lead to where nothing is yet, over another link too.
    symlinkSync(basename(`${file}-new`), `${file}-first`);
    symlinkSync(`${file}-first`, `${file}-second`);
    await (await run(`${file}-second`)).persistence.save();
    expect([lstatSync(`${file}-second`).isSymbolicLink(), existsSync(`${file}-new`)]).toEqual([true, true]);
    symlinkSync(`${file}-round`, `${file}-round`);
    await expect(run(`${file}-round`)).rejects.toMatchObject({ code: 'ELOOP' });
  });

  it('does not spoil the save of a server that still works on the file, as one that is about to be replaced', async () => {
    const file = freshFile();
    const old = await run(file, { interval: 0 });
    set(old.store, 'k', 'first');
    await old.persistence.save();
    for (let i = 0; i < 5000; i++) set(old.store, `key${i}`, 'x');
    set(old.store, 'k', 'second');
    const saved = old.persistence.save();
    while (!suffixes(file).some((suffix) => suffix.startsWith('.tmp-'))) await new Promise(setImmediate);
    const successor = await run(file, { interval: 0 });
    expect(successor.store.find('k')?.value).toBe('first');
    set(old.store, 'k', 'third');
    await saved;
    expect(suffixes(file)).toEqual(['', '.1']);
    expect(valueText((await run(file)).store.find('k')?.value ?? '')).toMatch(/second|third/);
    expect(old.log).toEqual([]);
  });

  it.each([
    ['with', false],
    ['without', true],
  ])('does not spoil it either when it starts at the very last step, on a file system %s hard links', async (_, refuses) => {
    const file = freshFile();
    const old = await run(file, { interval: 0 });
    set(old.store, 'k', 'first');
    await old.persistence.save();
    set(old.store, 'k', 'second');
    const link = jest.spyOn(promises, 'link');
    if (refuses) link.mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const renameNow = promises.rename;
    let starts = 0;
    const rename = jest.spyOn(promises, 'rename').mockImplementation(async (from, to) => {
      if (to === file && starts++ === 0) await run(file, { interval: 0 });
      return renameNow(from, to);
    });
    try {
      await old.persistence.save();
    } finally {
      for (const spy of [link, rename]) spy.mockRestore();
    }
    expect(suffixes(file)).toEqual(['', '.1']);
    expect((await run(file)).store.find('k')?.value).toBe('second');
    expect((await run(`${file}.1`)).store.find('k')?.value).toBe('first');
    expect([starts, old.log]).toEqual([2, []]);
  });

  it('does not spoil it either where both have the same process id, as the first process of each container has', async () => {
    const file = freshFile();
    const unfinished = (): string[] => suffixes(file).filter((suffix) => suffix.startsWith('.tmp-'));
    const old = await firstProcess(file, 'old');
    const saved = old.persistence.save();
    while (old.held.length === 0) await new Promise(setImmediate);
    const successor = await firstProcess(file, 'new');
    expect(unfinished()).toEqual([]);
    const savedToo = successor.persistence.save();
    while (successor.held.length === 0) await new Promise(setImmediate);
    expect(unfinished()).toHaveLength(1);
    old.goOn();
    await saved;
    expect((await run(file)).store.find('key4999')?.value).toBe('old');
    successor.goOn();
    await savedToo;
    expect((await run(file)).store.find('key4999')?.value).toBe('new');
    expect((await run(`${file}.1`)).store.find('key4999')?.value).toBe('old');
    expect(suffixes(file)).toEqual(['', '.1']);
  });

  /** A server in a process of its own, as far as its modules can tell, with 5000 items; a save stops at some of them until it may go on. */
  async function firstProcess(file: string, value: string): Promise<{ persistence: Server.Persistence; held: (() => void)[]; goOn: () => void }> {
    const loaded: (typeof Server)[] = [];
    jest.isolateModules(() => {
      loaded.push(jest.requireActual<typeof Server>('../../../src/server'));
    });
    const [server] = loaded;
    if (server === undefined) throw new Error('it was not loaded');
    const clock = new ManualClock();
    const held: (() => void)[] = [];
    const setLater = jest.spyOn(clock, 'setImmediate').mockImplementation((callback) => held.push(callback));
    const store = new server.MemoryStore({ clock });
    for (let i = 0; i < 5000; i++) store.store('set', `key${i}`, value, 0, 0);
    const goOn = (): void => {
      setLater.mockRestore();
      for (const callback of held) callback();
    };
    return { persistence: await server.Persistence.open(store, { file, interval: 0, log: (line) => { throw new Error(line); } }), held, goOn };
  }

  it('removes what a crash has left unfinished, and nothing else', async () => {
    const file = await twoGenerations();
    for (const suffix of ['.tmp-1-1', '.tmp-99-5', '.other', '-other.tmp-1-1']) writeFileSync(`${file}${suffix}`, '');
    await run(file);
    expect(suffixes(file)).toEqual(['', '-other.tmp-1-1', '.1', '.other']);
    expect(existsSync(file)).toBe(true);
  });
});
