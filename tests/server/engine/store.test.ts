import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { STALE, WON, itemSize } from '../../../src/server/engine/item';
import type { MemoryStoreOptions } from '../../../src/server/engine/options';
import { MemoryStore } from '../../../src/server/engine/store';
import { ManualClock } from '../../../src/runtime/manual-clock';

function makeStore(options: MemoryStoreOptions = {}): { store: MemoryStore; clock: ManualClock } {
  const clock = new ManualClock(1_700_000_000_000);
  return { store: new MemoryStore({ clock, ...options }), clock };
}

describe('MemoryStore', () => {
  it('lets time stand still in a turn, and only there', () => {
    const { store, clock } = makeStore();
    store.store('set', 'k', 'v', 0, store.deadline(10));
    store.beginTurn();
    const began = store.now();
    clock.advance(11_000);
    expect(store.now()).toBe(began);
    expect(store.find('k')).toBeDefined();
    store.endTurn();
    expect(store.now()).toBe(began + 11_000);
    expect(store.find('k')).toBeUndefined();
  });

  describe('stores', () => {
    it('each mode by its own rule', () => {
      const { store } = makeStore();
      expect(store.store('replace', 'k', 'x', 0, 0)).toBe('notStored');
      expect(store.store('append', 'k', 'x', 0, 0)).toBe('notStored');
      expect(store.store('cas', 'k', 'x', 0, 0, { cas: 1, orStale: false, binaryKey: false })).toBe('notFound');
      expect(store.store('add', 'k', 'b', 7, 0)).toBe('stored');
      expect(store.store('add', 'k', 'x', 0, 0)).toBe('notStored');
      expect(store.store('append', 'k', 'c', 1, 0)).toBe('stored');
      expect(store.store('prepend', 'k', 'a', 1, 0)).toBe('stored');
      expect(store.find('k')).toMatchObject({ value: 'abc', flags: 7 });
      const cas = Number(store.find('k')?.cas);
      expect(store.store('cas', 'k', 'x', 0, 0, { cas: cas + 1, orStale: false, binaryKey: false })).toBe('exists');
      expect(store.store('cas', 'k', 'x', 0, 0, { cas: cas - 1, orStale: false, binaryKey: false })).toBe('exists');
      for (const mode of ['append', 'prepend'] as const) expect(store.store(mode, 'k', 'x', 0, 0, { cas: cas + 1, orStale: false, binaryKey: false })).toBe('exists');
      expect(store.find('k')).toMatchObject({ value: 'abc', cas });
      expect(store.store('cas', 'k', 'new', 0, 0, { cas, orStale: false, binaryKey: false })).toBe('stored');
      expect(store.find('k')?.cas).toBeGreaterThan(cas);
    });

    it('an older cas as stale when asked to', () => {
      const { store } = makeStore();
      store.store('set', 'k', 'old', 0, 0);
      store.store('set', 'k', 'newer', 0, 0);
      const request = { cas: 2, orStale: true, binaryKey: false };
      expect(store.store('cas', 'k', 'stale', 0, 0, request)).toBe('stored');
      expect((store.find('k')?.marks ?? 0) & STALE).toBe(STALE);
      expect(store.store('cas', 'k', 'x', 0, 0, { ...request, cas: 99 })).toBe('exists');
    });

    it('a new cas for every change, and none when switched off', () => {
      const { store } = makeStore();
      const seen = new Set<number | bigint>();
      for (let i = 0; i < 10; i++) {
        store.store('set', `k${i % 3}`, String(i), 0, 0);
        seen.add(store.find(`k${i % 3}`)?.cas ?? 0);
      }
      expect(seen.size).toBe(10);
      const item = store.find('k0');
      if (item === undefined) throw new Error('the item is there');
      const changes = [
        () => store.count('k0', true, 1n, 0),
        () => store.store('append', 'k0', '0', 0, 0),
        () => { store.invalidate(item); },
      ];
      for (const [index, change] of changes.entries()) {
        change();
        seen.add(item.cas);
        expect(seen.size).toBe(11 + index);
      }
      const plain = makeStore({ cas: false }).store;
      plain.store('set', 'k', 'v', 0, 0);
      expect(plain.find('k')?.cas).toBe(0);
    });

    it('nothing too large, and a set takes the old value along', () => {
      const { store } = makeStore({ maxItemSize: 1024 });
      store.store('set', 'k', 'old', 0, 0);
      const large = 'x'.repeat(1024);
      expect(store.store('add', 'k', large, 0, 0)).toBe('tooLarge');
      expect(store.find('k')?.value).toBe('old');
      expect(store.store('set', 'k', large, 0, 0)).toBe('tooLarge');
      expect(store.find('k')).toBeUndefined();
    });

    it('up to the limit that memcached 1.6.18 has, and not a byte more', () => {
      const { store } = makeStore();
      expect(store.store('set', 'k', Buffer.alloc(1_048_516), 0, 0)).toBe('stored');
      expect(store.store('set', 'k', Buffer.alloc(1_048_517), 0, 0)).toBe('tooLarge');
      expect(store.store('set', 'k', Buffer.alloc(1_048_513), 1, 0)).toBe('tooLarge');
      expect(store.store('set', 'k'.repeat(40), Buffer.alloc(1_048_473), 1, 0)).toBe('stored');
    });

    it('counts the bytes of what is there', () => {
      const { store } = makeStore();
      store.store('set', 'a', '12345', 0, 0);
      store.store('set', 'b', '9', 3, 0);
      store.count('b', true, 1n, 0);
      expect(store.bytes).toBe(itemSize(1, 5, 0, true) + itemSize(1, 2, 3, true));
      store.delete('a');
      store.delete('b');
      expect(store.bytes).toBe(0);
      expect(store.usedBytes).toBe(0);
    });
  });

  describe('evicts', () => {
    it('what was unused longest, like a reference model', () => {
      const cost = itemSize(2, 10, 0, true) + 152;
      const room = 5;
      const step = fc.record({ write: fc.boolean(), key: fc.integer({ min: 10, max: 25 }) });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
          const { store } = makeStore({ maxBytes: room * cost, maxItemSize: 1024 });
          let model: string[] = [];
          for (const { write, key } of steps) {
            const name = String(key);
            const known = model.includes(name);
            if (write) store.store('set', name, '0123456789', 0, 0);
            else expect(store.fetch(name) !== undefined).toBe(known);
            if (write || known) model = [...model.filter((other) => other !== name), name].slice(-room);
            expect(Array.from(store.items(), (item) => item.key)).toEqual(model);
            expect(store.usedBytes).toBeLessThanOrEqual(store.maxBytes);
          }
        }),
      );
    });

    it('never beyond the limit, whatever the sizes', () => {
      const { store } = makeStore({ maxBytes: 20_000 });
      for (let i = 0; i < 2000; i++) {
        store.store(i % 7 === 0 ? 'append' : 'set', `key${(i * 31) % 97}`, 'x'.repeat((i * 53) % 900), 0, 0);
        expect(store.usedBytes).toBeLessThanOrEqual(20_000);
      }
      expect(store.stats.evictions).toBeGreaterThan(0);
    });

    it('nothing for what could not fit even alone', () => {
      const { store } = makeStore({ maxBytes: 5000 });
      for (const key of ['a', 'b', 'c']) store.store('set', key, '1', 0, 0);
      expect(store.store('set', 'd', 'x'.repeat(5000), 0, 0)).toBe('noMemory');
      expect(store.store('append', 'b', 'x'.repeat(5000), 0, 0)).toBe('notStored');
      expect(store.create('d', 'x'.repeat(5000), 0, false)).toBeUndefined();
      expect(Array.from(store.items(), (item) => item.key)).toEqual(['a', 'c', 'b']);
      // Alone it fits.
      expect(store.store('append', 'b', 'x'.repeat(4700), 0, 0)).toBe('stored');
      expect(Array.from(store.items(), (item) => item.key)).toEqual(['b']);
    });

    it('expired items first', () => {
      const cost = itemSize(1, 1, 0, true) + 152;
      const { store, clock } = makeStore({ maxBytes: 2 * cost, maxItemSize: 512 });
      store.close(); // No timer: the expired item stays until it is met.
      store.store('set', 'a', '1', 0, 0);
      store.store('set', 'b', '1', 0, store.deadline(1));
      clock.advance(1000);
      store.store('set', 'c', '1', 0, 0);
      expect(Array.from(store.items(), (item) => item.key)).toEqual(['a', 'c']);
      expect(store.stats).toMatchObject({ evictions: 0, reclaimed: 1, expiredUnfetched: 1 });
    });

    it('nothing when told so, and refuses instead', () => {
      const cost = itemSize(1, 1, 0, true) + 152;
      const { store } = makeStore({ maxBytes: 2 * cost, evict: false });
      store.store('set', 'a', '1', 0, 0);
      store.store('set', 'b', '1', 0, 0);
      expect(store.store('set', 'c', '1', 0, 0)).toBe('noMemory');
      expect(store.store('append', 'a', '22', 0, 0)).toBe('notStored');
      expect(store.find('a')?.value).toBe('1');
      expect(store.store('set', 'a', '22', 0, 0)).toBe('noMemory');
      expect(store.find('a')).toBeUndefined();
    });

    it('down to a lower limit at once', () => {
      const { store } = makeStore({ maxBytes: 100_000 });
      for (let i = 0; i < 200; i++) store.store('set', `k${i}`, 'x'.repeat(100), 0, 0);
      store.maxBytes = 10_000;
      expect(store.usedBytes).toBeLessThanOrEqual(10_000);
      expect(store.find('k199')).toBeDefined();
    });
  });

  describe('expires', () => {
    it('and lists none', () => {
      const { store, clock } = makeStore();
      // No timer removes them.
      store.close();
      store.store('set', 'short', 'v', 0, store.deadline(1));
      store.store('set', 'long', 'v', 0, store.deadline(10));
      store.store('set', 'forever', 'v', 0, 0);
      clock.advance(1500);
      expect([...store.items()].map(({ key }) => key)).toEqual(['long', 'forever']);
    });

    it('to the millisecond when somebody asks', () => {
      const { store, clock } = makeStore();
      store.close();
      store.store('set', 'k', 'v', 0, store.deadline(10));
      clock.advance(9999);
      expect(store.find('k')).toBeDefined();
      clock.advance(1);
      expect(store.find('k')).toBeUndefined();
      expect(store.stats.getExpired).toBe(1);
    });

    it('when nobody asks', () => {
      const { store, clock } = makeStore();
      for (let i = 1; i <= 5000; i++) store.store('set', `k${i}`, 'v', 0, store.deadline(1 + (i % 5)));
      store.store('set', 'stays', 'v', 0, 0);
      expect(clock.held).toBe(0);
      clock.advance(3000);
      expect(store.size).toBe(2001);
      clock.advance(2500);
      expect(store.size).toBe(1);
      expect(store.bytes).toBe(itemSize(5, 1, 0, true));
      expect(clock.timers).toBe(0);
    });

    it('by the deadline of the present value, not of an overwritten one', () => {
      const { store, clock } = makeStore();
      store.store('set', 'overwritten', 'old', 0, store.deadline(1));
      store.store('set', 'overwritten', 'new', 0, 0);
      store.store('set', 'touched', 'v', 0, store.deadline(1));
      const touched = store.find('touched');
      if (touched !== undefined) store.setDeadline(touched, store.deadline(100));
      store.store('set', 'deleted', 'v', 0, store.deadline(1));
      store.delete('deleted');
      store.store('set', 'deleted', 'again', 0, store.deadline(50));
      clock.advance(10_000);
      expect(Array.from(store.items(), (item) => item.key)).toEqual(['overwritten', 'touched', 'deleted']);
      clock.advance(45_000);
      expect(store.find('deleted')).toBeUndefined();
      expect(store.size).toBe(2);
    });

    it('sooner when a sooner deadline comes later', () => {
      const { store, clock } = makeStore();
      store.store('set', 'late', 'v', 0, store.deadline(1000));
      store.store('set', 'soon', 'v', 0, store.deadline(1));
      clock.advance(1100);
      expect(store.size).toBe(1);
    });

    it('in slices', () => {
      const { store, clock } = makeStore();
      for (let i = 0; i < 2500; i++) store.store('set', `k${i}`, 'v', 0, store.deadline(1));
      const sizes: number[] = [];
      for (let i = 0; i < 4; i++) {
        clock.advance(i === 0 ? 1000 : 1);
        sizes.push(store.size);
      }
      expect(sizes).toEqual([1500, 500, 0, 0]);
    });

    it('while others are stored all the time', () => {
      const { store, clock } = makeStore();
      for (let i = 0; i < 2500; i++) store.store('set', `k${i}`, 'v', 0, store.deadline(1));
      for (let i = 0; i < 30; i++) {
        clock.advance(50);
        store.store('set', 'later', 'v', 0, store.deadline(60));
        store.store('set', `expired${i}`, 'v', 0, store.deadline(-1));
      }
      // Those of less than the pause between two searches.
      expect(store.size).toBeLessThanOrEqual(3);
    });

    it('reads exptime by the 30-day rule', () => {
      const { store, clock } = makeStore();
      const now = Math.floor(clock.time() / 1000);
      expect(store.deadline(0)).toBe(0);
      expect(store.deadline(2_592_000)).toBe(store.now() + 2_592_000_000);
      expect(store.deadline(now + 60)).toBe(store.now() + 60_000);
      for (const past of [-1, 2_592_001, now - 100]) {
        expect(store.deadline(past)).toBeGreaterThan(0);
        expect(store.deadline(past)).toBeLessThan(store.now());
      }
    });
  });

  describe('counts', () => {
    it('in 64 bits, padding a number that gets shorter', () => {
      const { store } = makeStore();
      store.store('set', 'n', '10', 5, 0);
      expect(store.count('n', false, 1n, 0)).toMatchObject({ outcome: 'counted', number: '9' });
      expect(store.find('n')).toMatchObject({ value: '9 ', flags: 5 });
      expect(store.count('n', false, 100n, 0)).toMatchObject({ number: '0' });
      expect(store.count('n', true, 2n ** 64n - 1n, 0)).toMatchObject({ number: '18446744073709551615' });
      expect(store.count('n', true, 2n, 0)).toMatchObject({ number: '1' });
      expect(store.find('n')?.value).toBe('1'.padEnd(20));
    });

    it('nothing else', () => {
      const { store } = makeStore();
      store.store('set', 't', 'text', 0, 0);
      store.store('set', 'e', '', 0, 0);
      expect(store.count('none', true, 1n, 0).outcome).toBe('notFound');
      expect(store.count('t', true, 1n, 0).outcome).toBe('notANumber');
      expect(store.count('e', true, 1n, 0).outcome).toBe('notANumber');
      expect(store.count('t', true, 1n, 99).outcome).toBe('exists');
    });
  });

  describe('flushes', () => {
    it('at once', () => {
      const { store } = makeStore();
      store.store('set', 'k', 'v', 0, store.deadline(5));
      store.flushAll();
      expect(store.size).toBe(0);
      expect(store.bytes).toBe(0);
      expect(Array.from(store.items())).toEqual([]);
    });

    it('later, with what was stored meanwhile, and not what comes after', () => {
      const { store, clock } = makeStore();
      store.store('set', 'before', 'v', 0, 0);
      store.flushAll(10);
      store.store('set', 'meanwhile', 'v', 0, 0);
      clock.advance(9999);
      expect(store.find('before')).toBeDefined();
      clock.advance(1);
      expect(store.size).toBe(0);
      store.store('set', 'after', 'v', 0, 0);
      clock.advance(20_000);
      expect(store.find('after')).toBeDefined();
    });

    it('later even without a timer', () => {
      const { store, clock } = makeStore();
      store.close();
      store.store('set', 'k', 'v', 0, 0);
      store.flushAll(1);
      clock.advance(1000);
      expect(Array.from(store.items())).toEqual([]);
      expect(store.find('k')).toBeUndefined();
      expect(store.size).toBe(0);
    });
  });

  it('invalidates: stale, to be won again, under a new cas', () => {
    const { store } = makeStore();
    store.store('set', 'k', 'v', 0, 0);
    const item = store.find('k');
    if (item === undefined) throw new Error('not stored');
    item.marks |= WON;
    const { cas } = item;
    store.invalidate(item);
    expect(item.marks & (STALE | WON)).toBe(STALE);
    expect(item.cas).toBeGreaterThan(cas);
  });

  it('keeps its own copy of large values, and small ones as text', () => {
    const { store } = makeStore();
    store.store('set', 'small', 'x', 0, 0);
    store.store('set', 'grown', 'x'.repeat(4000), 0, 0);
    store.store('append', 'grown', 'y'.repeat(200), 0, 0);
    expect(typeof store.find('small')?.value).toBe('string');
    expect(store.find('grown')?.value).toEqual(Buffer.from('x'.repeat(4000) + 'y'.repeat(200)));
  });

  it('says of a deadline far away that it is far away', () => {
    const { store } = makeStore();
    for (const seconds of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 2 ** 50]) {
      store.store('set', 'k', 'v', 0, store.now() + seconds * 1000);
      const item = store.find('k');
      if (item === undefined) throw new Error('not stored');
      expect(store.secondsLeft(item)).toBe(2 ** 31 - 1);
    }
  });

  it('sets no timer after close', () => {
    const { store, clock } = makeStore();
    store.store('set', 'k', 'v', 0, store.deadline(5));
    store.close();
    store.store('set', 'l', 'v', 0, store.deadline(1));
    expect(clock.timers).toBe(0);
  });

  it('tells of a flush whoever watches what was there, and is not slow where little was', () => {
    const { store } = makeStore();
    const watchers = Array.from({ length: 100_000 }, (_, i) => {
      const watcher = { changed: false };
      store.watch(`k${i}`, watcher);
      return watcher;
    });
    const told = (): number => watchers.filter(({ changed }) => changed).length;
    store.store('set', 'nobody', 'v', 0, 0);
    const begun = process.cpuUsage();
    for (let i = 0; i < 500; i++) {
      store.store('set', 'nobody', 'v', 0, 0);
      store.flushAll();
    }
    // To look for each of those keys took two seconds.
    expect(process.cpuUsage(begun).user).toBeLessThan(400_000);
    expect(told()).toBe(0);
    for (let i = 0; i < 10; i++) store.store('set', `k${i}`, 'v', 0, 0);
    for (const watcher of watchers) watcher.changed = false;
    store.flushAll();
    expect(told()).toBe(10);
    for (let i = 0; i < 110_000; i++) store.store('set', `k${i}`, 'v', 0, 0);
    for (const watcher of watchers) watcher.changed = false;
    store.flushAll();
    expect(told()).toBe(100_000);
  });

  it('keeps the item that was stored last until it is removed', () => {
    const { store } = makeStore();
    const removals = [(): unknown => store.delete('k'), (): unknown => store.store('set', 'k', 'x'.repeat(2 ** 21), 0, 0), (): void => { store.flushAll(); }];
    for (const remove of removals) {
      store.store('set', 'k', 'v', 0, 0);
      expect(store.lastStored).toBe(store.find('k'));
      remove();
      expect(store.lastStored).toBeUndefined();
    }
  });

  it('tells nobody of a flush who watches what was not there, where there are more items than watched keys', () => {
    const { store } = makeStore();
    const [there, absent] = [{ changed: false }, { changed: false }];
    for (const key of ['a', 'b', 'c']) store.store('set', key, 'v', 0, 0);
    store.watch('a', there);
    store.watch('none', absent);
    store.flushAll();
    expect([there.changed, absent.changed]).toEqual([true, false]);
  });

  it('is kept by nobody but its owner, however long its items live', async () => {
    const clock = new ManualClock();
    const stores = Array.from({ length: 100 }, () => {
      const store = new MemoryStore({ clock });
      store.store('set', 'k', 'v', 0, store.deadline(86_400));
      return new WeakRef(store);
    });
    expect(clock.timers).toBe(100);
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    for (let turn = 0; turn < 10 && clock.timers > 1; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      gc();
    }
    expect(stores.filter((store) => store.deref() !== undefined).length).toBeLessThanOrEqual(1);
    expect(clock.timers).toBeLessThanOrEqual(1);
  });
});
