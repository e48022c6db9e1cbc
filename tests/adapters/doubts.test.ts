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
