import { splitInline } from '../../../src/server/redis/resp/inline';

describe('splitInline', () => {
  it.each([
    ['', []],
    [' \t ', []],
    ['PING', ['PING']],
    ['  set  a\tb ', ['set', 'a', 'b']],
    ['set a "b c"', ['set', 'a', 'b c']],
    [String.raw`set a "\n\r\t\b\a\x41\xfF\"\\\q"`, ['set', 'a', '\n\r\t\b\x07A\xff"\\q']],
    [String.raw`set a 'b "c" \n \' d'`, ['set', 'a', String.raw`b "c" \n ' d`]],
    [`set "" ''`, ['set', '', '']],
    [`set foo"bar"`, ['set', 'foobar']],
    [String.raw`set a\"b c"`, ['set', 'a\\b c']],
    ['a\0b c', ['a']],
    ['a\x0bb \x0c c', ['a\x0bb', 'c']],
    [String.raw`"\x4"`, ['x4']],
  ])('cuts %j', (line, words) => {
    expect(splitInline(line)).toEqual(words);
  });

  it.each(['"', "'", 'a "b', "a 'b", '"a"b', "'a'b", String.raw`"a\"`, '"a\0"', String.raw`'a\'`])(
    'refuses %j',
    (line) => {
      expect(splitInline(line)).toBeUndefined();
    },
  );
});
