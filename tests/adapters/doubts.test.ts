import { Doubts } from '../../src/adapters/doubts';
import { EmbeddedClient } from '../../src/embedded';

it('with ignoreErrors an item counts as unreadable when it was not read twenty times in a row', () => {
  const doubts = new Doubts(new EmbeddedClient(undefined, { ignoreErrors: true }));
  const failing = (times: number): boolean[] => Array.from({ length: times }, () => doubts.isUnreadable('k', doubts.now()));
  const not = Array<boolean>(19).fill(false);
  expect(failing(19)).toEqual(not);
  doubts.wasRead('k');
  expect(failing(20)).toEqual([...not, true]);
  expect(failing(19)).toEqual(not);
});

it('remembers no more than a thousand such items: it then begins to count anew', () => {
  const doubts = new Doubts(new EmbeddedClient(undefined, { ignoreErrors: true }));
  const fails = (key: string): boolean => doubts.isUnreadable(key, doubts.now());
  for (let times = 1; times < 20; times++) expect(fails('k')).toBe(false);
  for (let other = 0; other < 1000; other++) expect(fails(`other${other}`)).toBe(false);
  expect(fails('k')).toBe(false);
});
