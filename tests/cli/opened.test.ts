import { Opened } from '../../src/cli/opened';

it('closes what was opened last first, one after another, and each once', async () => {
  const opened = new Opened();
  const seen: string[] = [];
  opened.add(() => seen.push('first'));
  opened.add(async () => {
    seen.push('second');
    await new Promise(setImmediate);
    seen.push('closed');
  });
  await opened.close();
  await opened.close();
  expect(seen).toEqual(['second', 'closed', 'first']);
});

it('closes all of it, whatever fails, and tells the first failure', async () => {
  const opened = new Opened();
  const seen: string[] = [];
  opened.add(() => seen.push('first'));
  opened.add(() => {
    throw new Error('later');
  });
  opened.add(() => Promise.reject(new Error('at first')));
  await expect(opened.close()).rejects.toThrow('at first');
  expect(seen).toEqual(['first']);
});
