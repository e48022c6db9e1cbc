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
