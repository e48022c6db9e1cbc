import { Glob } from '../../../src/server/redis/commands/glob';

describe('Glob', () => {
  it.each([
    ['*', ['', 'a', 'abc'], []],
    ['', [''], ['a']],
    ['a*c', ['ac', 'abc', 'abcbc'], ['a', 'acb', 'bac']],
    ['**a**', ['a', 'xax'], ['b']],
    ['h?llo', ['hello', 'h\nllo'], ['hllo', 'heello']],
    ['h[ae]llo', ['hello', 'hallo'], ['hillo']],
    ['h[^e]llo', ['hallo'], ['hello', 'hllo']],
    ['h[a-c]llo', ['hbllo'], ['hdllo']],
    ['h[c-a]llo', ['hbllo'], ['hdllo']],
    ['[a-]', ['a', ']', '^'], ['b', '-']],
    ['[]-a]', [], [']a]']],
    ['[]', [], ['', 'a', ']']],
    ['[^]', ['a', ']'], ['']],
    [String.raw`[\]a]`, [']', 'a'], ['\\']],
    ['[ab', ['a', 'b'], ['[', 'c', '']],
    ['[a\\', ['a', '\\'], ['[', 'b', '']],
    [String.raw`\*a`, ['*a'], ['ba']],
    ['a\\', ['a\\'], ['a']],
    ['a.c', ['a.c'], ['abc']],
  ])('%j', (pattern, hits, misses) => {
    const matches = (text: string): boolean => new Glob(pattern).matches(text);
    expect(hits.filter((text) => !matches(text))).toEqual([]);
    expect(misses.filter((text) => matches(text))).toEqual([]);
  });

  it('looks no further once it has come to the last star', () => {
    const glob = new Glob('a*');
    expect(glob.matches(`a${'x'.repeat(200)}`)).toBe(true);
    expect(glob.steps).toBe(2);
  });

  it('is not slow for a hostile pattern', () => {
    // A matcher that tries every star would not end.
    expect(new Glob('*a'.repeat(500) + 'b').matches('a'.repeat(250))).toBe(false);
    expect(new Glob('*a'.repeat(120) + '*b').matches('a'.repeat(250))).toBe(false);
  });
});
