import { NameTable, nextHash } from '../../src/server/shared/name-table';

function hashOf(bytes: string): number {
  return Array.from(bytes, (char) => char.charCodeAt(0)).reduce(nextHash, 0);
}

it('finds what was defined, by the hash of its name', () => {
  const table = new NameTable<number>();
  table.define('get', 1);
  table.define('gets', 2);
  expect(['get', 'gets', 'set'].map((name) => table.find(hashOf(name)))).toEqual([1, 2, undefined]);
});

it('takes no two names of one hash', () => {
  const table = new NameTable<number>();
  table.define('Aa', 1);
  expect(hashOf('Aa')).toBe(hashOf('BB'));
  expect(() => {
    table.define('BB', 2);
  }).toThrow('two names have the hash of BB');
});
