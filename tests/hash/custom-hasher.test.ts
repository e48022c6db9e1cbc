import { main, TagHasher } from '../../examples/custom-hasher';
import { manyKeys, placeAll, serverNames, withNodes } from './shares';

test('keys of one tag share a server, others are spread', () => {
  const hasher = withNodes(new TagHasher(), serverNames(5));
  const keys = manyKeys(200);
  expect(new Set(placeAll(hasher, keys.map((key) => `{t}:${key}`))).size).toBe(1);
  expect(new Set(placeAll(hasher, keys)).size).toBe(5);
});

test('the example prints where its keys live', () => {
  const lines: string[] = [];
  main((line) => lines.push(line));
  const servers = lines.map((line) => line.split(' -> ')[1]);
  expect(servers).toHaveLength(4);
  expect(servers[0]).toBe(servers[1]);
  expect(servers).not.toContain('undefined');
});
