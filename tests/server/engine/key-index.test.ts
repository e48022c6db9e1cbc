import fc from 'fast-check';
import { Item } from '../../../src/server/engine/item';
import { KeyIndex } from '../../../src/server/engine/key-index';

function item(key: string): Item {
  return new Item(key, 'v', 0, 0, 0);
}

it('finds what it has taken in, and nothing else', () => {
  const index = new KeyIndex();
  const items = ['', 'a', 'b', 'ab', 'ba', '\xff', 'k'.repeat(250), ...Array.from({ length: 1000 }, (_, i) => `key:${i}`)].map(item);
  for (const each of items) index.add(each);
  expect(index.size).toBe(items.length);
  for (const each of items) expect(index.get(each.key)).toBe(each);
  expect(index.get('none')).toBeUndefined();
  expect(new Set(index.values())).toEqual(new Set(items));
  for (const each of items.slice(0, 500)) index.remove(each);
  expect(index.size).toBe(items.length - 500);
  expect(items.map(({ key }) => index.get(key) !== undefined)).toEqual(items.map((_, i) => i >= 500));
});

it('goes on while keys come and go', () => {
  const index = new KeyIndex();
  for (let i = 0; i < 1000; i++) index.add(item(`old:${i}`));
  const seen = new Set<string>();
  let count = 0;
  for (const { key } of index.values()) {
    seen.add(key);
    if (count < 500) index.add(item(`new:${count++}`));
  }
  for (let i = 0; i < 1000; i++) expect(seen.has(`old:${i}`)).toBe(true);
});

it('makes no string of a key that is there', () => {
  const index = new KeyIndex();
  const there = item('\xffkey');
  index.add(there);
  const bytes = Buffer.from('get \xffkey none', 'latin1');
  expect(index.keyOf(bytes, 4, 8)).toBe('\xffkey');
  expect(index.get('\xffkey')).toBe(there);
  expect(index.keyOf(bytes, 9, 13)).toBe('none');
  expect(index.get('none')).toBeUndefined();
  expect(index.keyOf(bytes, 4, 4)).toBe('');
});

it('holds what a Map would, whichever way it is asked', () => {
  // Few keys and many, so that the same one comes and goes, and tables grow and shrink.
  const key = fc.oneof(fc.constantFrom('a', 'b', ''), fc.integer({ min: 0, max: 5000 }).map(String));
  const step = fc.record({ key, verb: fc.constantFrom('add', 'remove', 'ask', 'ask by bytes'), count: fc.constantFrom(1, 1, 1, 500) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new KeyIndex();
      const model = new Map<string, Item>();
      const wrong: string[] = [];
      for (const { key, verb, count } of steps) {
        for (let i = 0; i < count; i++) {
          const name = count === 1 ? key : `${key}:${i}`;
          const present = model.get(name);
          const bytes = Buffer.from(name, 'latin1');
          if (verb === 'ask by bytes' && index.keyOf(bytes, 0, bytes.length) !== name) wrong.push(name);
          if (index.get(name) !== present) wrong.push(name);
          if (verb === 'add' && present === undefined) {
            const added = item(name);
            model.set(name, added);
            index.add(added);
          } else if (verb === 'remove' && present !== undefined) {
            model.delete(name);
            index.remove(present);
          }
          if (index.get(name) !== model.get(name)) wrong.push(name);
        }
      }
      for (const [name, present] of model) if (index.get(name) !== present) wrong.push(name);
      expect(wrong).toEqual([]);
      expect(index.size).toBe(model.size);
      expect(new Set(index.values())).toEqual(new Set(model.values()));
    }),
    { numRuns: 30 },
  );
});
