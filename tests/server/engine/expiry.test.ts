import fc from 'fast-check';
import { DeadlineHeap } from '../../../src/server/engine/expiry';
import { Item } from '../../../src/server/engine/item';

describe('DeadlineHeap', () => {
  it('always gives the item that expires first, whatever was changed or removed before', () => {
    const change = fc.record({ item: fc.integer({ min: 0, max: 30 }), deadline: fc.integer({ min: 0, max: 100 }) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        const heap = new DeadlineHeap();
        const items = Array.from({ length: 31 }, (_, index) => new Item(String(index), '', 0, 0, 0));
        for (const { item: index, deadline } of changes) {
          const item = items[index];
          if (item === undefined) continue;
          item.deadline = deadline;
          heap.update(item);
        }
        const expected = items.map((item) => item.deadline).filter((deadline) => deadline > 0);
        expect(heap.size).toBe(expected.length);
        const given: number[] = [];
        for (let first = heap.first; first !== undefined; first = heap.first) {
          given.push(first.deadline);
          heap.remove(first);
          expect(first.heapIndex).toBe(-1);
        }
        expect(given).toEqual(expected.sort((left, right) => left - right));
      }),
    );
  });

  it('takes the removal of what it does not hold', () => {
    const heap = new DeadlineHeap();
    heap.remove(new Item('a', '', 0, 5, 0));
    expect(heap.size).toBe(0);
  });
});
