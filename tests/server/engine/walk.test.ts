import fc from 'fast-check';
import { MARKS } from '../../../src/server/engine/item';
import { MemoryStore } from '../../../src/server/engine/store';
import { copyState, type ItemState } from '../../../src/server/engine/walk';
import { ManualClock } from '../../../src/runtime/manual-clock';

const KEYS = 12;

/** What a snapshot shows of it; who has fetched it is of no interest. */
function shown(state: ItemState): ItemState {
  return { ...copyState(state), accessed: 0, marks: state.marks & MARKS & ~1 };
}

function byKey(states: readonly ItemState[]): ItemState[] {
  return states.map(shown).sort((left, right) => (left.key < right.key ? -1 : 1));
}

const change = fc.record({
  kind: fc.constantFrom('set', 'grow', 'append', 'delete', 'touch', 'count', 'fetch', 'invalidate', 'flush', 'time', 'step'),
  key: fc.integer({ min: 0, max: KEYS - 1 }),
});

function apply(store: MemoryStore, clock: ManualClock, { kind, key }: { kind: string; key: number }, index: number): void {
  const name = `k${key}`;
  const item = store.find(name);
  if (kind === 'set') store.store('set', name, String(index), index, index % 3 === 0 ? store.deadline(1 + (index % 7)) : 0);
  else if (kind === 'grow') store.store('set', name, 'x'.repeat(300), 0, 0);
  else if (kind === 'append') store.store('append', name, '0', 0, 0);
  else if (kind === 'delete') store.delete(name);
  else if (kind === 'touch' && item !== undefined) store.setDeadline(item, store.deadline(key));
  else if (kind === 'count') store.count(name, true, 99n, 0);
  else if (kind === 'fetch') store.fetch(name);
  else if (kind === 'invalidate' && item !== undefined) store.invalidate(item);
  else if (kind === 'flush' && index % 4 === 0) store.flushAll(index % 8 === 0 ? 2 : 0);
  else if (kind === 'time') clock.advance(300);
}

describe('a walk', () => {
  it('hands out each item once, as it was when the walk began, whatever happens meanwhile', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.array(change, { maxLength: 80 }), (before, during) => {
        const clock = new ManualClock(1_700_000_000_000);
        const store = new MemoryStore({ clock, maxBytes: 3500, maxItemSize: 1024 });
        for (const [index, step] of before.entries()) apply(store, clock, step, index);
        // A walk given up half-way leaves nothing behind.
        const abandoned = store.beginWalk();
        abandoned.step();
        store.endWalk();

        const walk = store.beginWalk();
        const expected = byKey([...store.items()]);
        const given: ItemState[] = [];
        const step = (): void => {
          const state = walk.step();
          if (state !== undefined) given.push(copyState(state));
        };
        for (const [index, action] of during.entries()) {
          if (action.kind === 'step' && !walk.done()) step();
          else apply(store, clock, action, index);
        }
        while (!walk.done()) step();
        store.endWalk();

        const keys = given.map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
        // What has expired by the end may be left out.
        const due = expected.filter(({ key, deadline }) => keys.includes(key) || deadline === 0 || deadline > store.now());
        expect(byKey(given)).toEqual(due);
      }),
      { numRuns: 1000 },
    );
  });

  it('ends although items come and change without end', () => {
    const store = new MemoryStore({ clock: new ManualClock(1_700_000_000_000) });
    for (let i = 0; i < 10; i++) store.store('set', `k${i}`, '', 0, 0);
    const walk = store.beginWalk();
    let steps = 0;
    for (; !walk.done(); steps++) {
      walk.step();
      for (let i = 0; i < 10; i++) store.store('set', `k${i}`, '', 0, 0);
      for (let i = 0; i < 10; i++) store.store('set', `new${steps}-${i}`, '', 0, 0);
    }
    // Each item is looked at once, and once more if it changed.
    expect(steps).toBeLessThanOrEqual(20);
  });

  it('is one at a time', () => {
    const store = new MemoryStore({ clock: new ManualClock(1_700_000_000_000) });
    store.beginWalk();
    expect(() => store.beginWalk()).toThrow('already');
    store.endWalk();
    store.beginWalk();
  });
});
