import fc from 'fast-check';
import { Item } from '../../../src/server/engine/item';
import { LruList } from '../../../src/server/engine/lru';

function order(list: LruList): string[] {
  const keys: string[] = [];
  for (let item = list.oldest; item !== undefined; item = item.newer) keys.push(item.key);
  return keys;
}

describe('LruList', () => {
  it('keeps the order of use, like an array would', () => {
    const operation = fc.record({ action: fc.constantFrom('use', 'remove'), key: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const list = new LruList();
        const items = new Map<string, Item>();
        let model: string[] = [];
        for (const { action, key } of operations) {
          const name = String(key);
          const item = items.get(name);
          model = model.filter((other) => other !== name);
          if (action === 'use') {
            model.push(name);
            if (item === undefined) {
              const added = new Item(name, '', 0, 0, 0);
              items.set(name, added);
              list.add(added);
            } else list.bump(item);
          } else if (item !== undefined) {
            items.delete(name);
            list.remove(item);
          }
          expect(order(list)).toEqual(model);
        }
      }),
    );
  });

  it('is empty after clear', () => {
    const list = new LruList();
    list.add(new Item('a', '', 0, 0, 0));
    list.clear();
    expect(list.oldest).toBeUndefined();
  });
});
