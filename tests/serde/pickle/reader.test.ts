import { join } from 'node:path';
import { MemcacheSerdeError } from '../../../src/errors';
import { readPickle } from '../../../src/serde/pickle/reader';
import { runAlone } from '../../support/program';
import type { LongTextReport } from '../alone/long-texts';

/** Reads a pickle written with one character per byte. */
function read(pickle: string): unknown {
  const data = Buffer.from(pickle, 'latin1');
  return readPickle(data, 0, data.length);
}

function refusal(pickle: string): string {
  try {
    read(pickle);
  } catch (error) {
    expect(error).toBeInstanceOf(MemcacheSerdeError);
    return (error as Error).message;
  }
  throw new Error('was read');
}

/** The zone of UTC. */
const UTC = 'cdatetime\ntimezone\ncdatetime\ntimedelta\nK\0K\0K\0\x87R\x85R';

describe('readPickle', () => {
  it.each<[string, string, unknown]>([
    ['an int in a line', 'I-5\n.', -5],
    ['a long in a line', 'L9223372036854775808L\n.', 2n ** 63n],
    ['a long of Python 2', 'L5L\n.', 5],
    ['LONG1', '\x8a\x02\xff\x7f.', 32_767],
    ['LONG1, negative', '\x8a\x01\xff.', -1],
    ['LONG1, empty', '\x8a\0.', 0],
    ['LONG4', '\x8b\x09\0\0\0\0\0\0\0\0\0\0\0\x80.', -(2n ** 71n)],
    ['floats in lines', '(F1e+308\nF-inf\nFnan\nF-0.0\nl.', [1e308, Number.NEGATIVE_INFINITY, Number.NaN, -0]],
    ['text of protocol 0', 'V\\u0061\xe9\\U0001f37a\\ud800\\x\n.', 'aé🍺\ud800\\x'],
    ['text of Python 2', "S'it\\'s\\t\\x41\\101'\n.", "it's\tAA"],
    ['bytes of Python 2', "S'\\xff'\n.", Buffer.of(255)],
    ['SHORT_BINSTRING', '(U\x01aU\x01\xfel.', ['a', Buffer.of(254)]],
    ['BINSTRING', 'T\x01\0\0\0a.', 'a'],
    ['half a surrogate pair', 'X\x03\0\0\0\xed\xa0\x80.', '\ud800'],
    ['half a surrogate pair before what needs a whole one', 'X\x07\0\0\0\xed\xa0\x80\xf0\x90\x80\x80.', '\ud800\u{10000}'],
    ['the replacement character', 'X\x03\0\0\0\xef\xbf\xbd.', '\ufffd'],
    ['a frame', '\x80\x04\x95\x02\0\0\0\0\0\0\0].', []],
    ['BINUNICODE8, BINBYTES8, BYTEARRAY8', '(\x8d\x01\0\0\0\0\0\0\0a\x8e\x01\0\0\0\0\0\0\0b\x96\x01\0\0\0\0\0\0\0ct.', ['a', Buffer.from('b'), Buffer.from('c')]],
    ['a dict by DICT', '(K\x01K\x02d.', new Map([[1, 2]])],
    ['a frozenset', '(K\x01K\x02\x91.', new Set([1, 2])],
    ['POP, POP_MARK and DUP', '](K\x011K\x0102\x86.', [[], []]],
    ['memo by line', '(lp0\ng0\n\x86.', [[], []]],
    ['INST of a known class', '((lK\x01ai__builtin__\nset\n.', new Set([1])],
    ['a date', 'cdatetime\ndate\nC\x04\x07\xe8\x02\x1d\x85R.', new Date('2024-02-29')],
    ['a datetime without zone', 'cdatetime\ndatetime\nC\x0a\x07\xe8\x02\x1d\x0c\x1e\x0f\x01\xe2\x40\x85R.', new Date('2024-02-29T12:30:15.123Z')],
    ['a datetime of Python 2', 'cdatetime\ndatetime\nU\x0a\x07\x7f\x02\x1c\x0c\x1e\x0f\0\0\0\x85R.', new Date('1919-02-28T12:30:15Z')],
    [
      'a datetime 5:30 h east of UTC',
      'cdatetime\ndatetime\nC\x0a\x07\xe8\x02\x1d\x0c\x1e\x0f\0\0\0cdatetime\ntimezone\ncdatetime\ntimedelta\nK\0MXMK\0\x87R\x85R\x86R.',
      new Date('2024-02-29T07:00:15Z'),
    ],
    ['a bytearray', 'cbuiltins\nbytearray\nC\x02ab\x85R.', Buffer.from('ab')],
    ['no bytes', 'c__builtin__\nbytes\n)R.', Buffer.alloc(0)],
    ['a key given twice', '}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.', { a: 2 }],
  ])('reads %s', (_, pickle, value) => {
    expect(read(pickle)).toEqual(value);
  });

  it.each<[string, string]>([
    ['BINBYTES', 'B\x02\0\0\0ab.'],
    ['SHORT_BINBYTES', 'C\x02ab.'],
    ['BINBYTES8', '\x8e\x02\0\0\0\0\0\0\0ab.'],
    ['BYTEARRAY8', '\x96\x02\0\0\0\0\0\0\0ab.'],
    ['a bytearray by its class', 'cbuiltins\nbytearray\nC\x02ab\x85R.'],
  ])('bytes are memory of their own, as the next reply overwrites what the pickle stood in: %s', (_, pickle) => {
    const data = Buffer.from(pickle, 'latin1');
    const value = readPickle(data, 0, data.length);
    data.fill(0);
    expect(value).toEqual(Buffer.from('ab'));
  });

  it('reads a list that holds itself', () => {
    const list = read(']q\0h\0a.') as unknown[];
    expect(list[0]).toBe(list);
  });

  it.each<[string, string, string]>([
    ['os.system', 'cos\nsystem\n(S"id"\ntR.', 'os.system'],
    ['os.system, protocol 4', '\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.', 'os.system'],
    ['os.system by INST', '(S"id"\nios\nsystem\n.', 'os.system'],
    ['eval', 'c__builtin__\neval\n(S"1"\ntR.', '__builtin__.eval'],
    ['a name that reaches through a module', 'cbuiltins\nset.__class__\n.', 'builtins.set.__class__'],
    ['a class of an application', 'capp.models\nUser\n)\x81.', 'app.models.User'],
    ['OrderedDict', 'ccollections\nOrderedDict\n)R.', 'collections.OrderedDict'],
    ['a name that is a part of the value', 'csecret value\nof a user\n.', 'a global'],
    ['a name of the prototype', 'cconstructor\nconstructor\n.', 'constructor.constructor'],
  ])('refuses %s by name', (_, pickle, name) => {
    expect(refusal(pickle)).toContain(`asks for ${name},`);
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['no value', '.'],
    ['no end', 'N'],
    ['something behind the end', 'N.N'],
    ['a second value', 'NN.'],
    ['text that is cut short', 'X\x05\0\0\0abc.'],
    ['text of 4 GB', 'X\xff\xff\xff\xffabc.'],
    ['text of 2^64 bytes', '\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.'],
    ['text of a negative length', 'T\xff\xff\xff\xffabc.'],
    ['text that is not UTF-8', 'X\x01\0\0\0\xff.'],
    ['text with a byte that begins no character', 'X\x04\0\0\0\xf9\x80\x80\x80.'],
    ['text in the longest form', 'X\x02\0\0\0\xc0\x80.'],
    ['an int that is none', 'I5x\n.'],
    ['an int of a million digits', `I${'9'.repeat(1_000_000)}\n.`],
    ['a float that is none', 'F1x\n.'],
    ['protocol 6', '\x80\x06N.'],
    ['a missing mark', 'K\x01t.'],
    ['a value below the mark', 'K\x01(0.'],
    ['a tuple of a value below the mark', 'K\x01(\x851.'],
    ['a memo that is not there', 'h\x05.'],
    ['appending to a number', 'K\x01K\x02a.'],
    ['a dict with a key without value', '}(K\x01u.'],
    ['a dict as a key', '}}K\x01s.'],
    ['a dict in a set', '\x8f(}\x90.'],
    ['a function as a value', 'cbuiltins\nset\n.'],
    ['a function in a list', '](cbuiltins\nset\ne.'],
    ['a duration', 'cdatetime\ntimedelta\nK\0K\0K\0\x87R.'],
    ['a call of what is no function', '])R.'],
    ['a zone of a whole day', 'cdatetime\ntimezone\ncdatetime\ntimedelta\nK\x01K\0K\0\x87R\x85R.'],
    ['a call without arguments', 'cbuiltins\nset\nR.'],
    ['a wrong encoding', 'c_codecs\nencode\nX\x01\0\0\0aX\x04\0\0\0utf8\x86R.'],
    ['a date that does not exist', 'cdatetime\ndate\nC\x04\x07\xe7\x02\x1d\x85R.'],
    ['an hour that does not exist', 'cdatetime\ndatetime\nC\x0a\x07\xe8\x02\x1d\x18\0\0\0\0\0\x85R.'],
    ['a time with more than a zone', `cdatetime\ndatetime\nC\x0a\x07\xe8\x02\x1d\0\0\0\0\0\0${UTC}N\x87R.`],
    ['a zone that nobody can tell', `cdatetime\ndatetime\nC\x0a\x07\xe8\x02\x1d\0\0\0\0\0\0${UTC.replace('K\0\x87', 'N\x87')}\x86R.`],
    ['a persistent id', 'P5\n.'],
    ['building an object', ']}b.'],
    ['an extension', '\x82\x01.'],
  ])('refuses %s', (_, pickle) => {
    expect(refusal(pickle)).toMatch(/^(the pickle cannot be read|the item is flagged as an integer, but is not)/);
  });

  it.each<[string, string]>([
    ['a duration of a minute', 'cdatetime\ntimedelta\nK\0K<K\0\x87R.'],
    ['a duration of a day', 'cdatetime\ntimedelta\nK\x01K\0K\0\x87R.'],
    ['a time zone', `${UTC}.`],
  ])('says what is no plain data of %s', (_, pickle) => {
    expect(refusal(pickle)).toBe('the pickle cannot be read: it holds a function, a duration or a time zone, and only plain data is read');
  });

  it.each<[string, string]>([
    ['a million dicts', '}'.repeat(1_000_000)],
    ['a set copied over and over', `c__builtin__\nset\nq\0](${'K\x01'.repeat(100_000)}e\x85q\x01R${'h\0h\x01R'.repeat(100_000)}.`],
    ['text encoded over and over', `c_codecs\nencode\nq\0X\xa0\x86\x01\0${'a'.repeat(100_000)}X\x06\0\0\0latin1\x86q\x01R${'h\0h\x01R'.repeat(100_000)}.`],
    ['dicts whose keys are those of long arrays', `](${'}X\x04\0\0\x004000K\x01s'.repeat(2000)}e.`],
    ['a memo of millions', `N${'\x94'.repeat(2_200_000)}.`],
  ])('bounds the memory of %s', (_, pickle) => {
    expect(refusal(pickle)).toContain('too much memory');
  });
});

it('a list of many numbers does not take too much', () => {
  expect(read(`](${'K\x01'.repeat(600_000)}e.`)).toHaveLength(600_000);
});

/** A compressed item of 12 KB can hold it. */
const LONG = 12_000_000;
const LENGTH = String.fromCharCode(...Buffer.of(LONG & 255, (LONG >> 8) & 255, (LONG >> 16) & 255, 0));

it.each([
  ['text with escapes', 'V', '\\u1234', '\n.', LONG / 6],
  ['a repr with escapes', "S'", '\\x41', "'\n.", LONG / 4],
  ['halves of surrogate pairs', `X${LENGTH}`, '\xed\xa0\x80', '.', LONG / 3],
  ['replacement characters', `X${LENGTH}`, '\xef\xbf\xbd', '.', LONG / 3],
])('long text that must be read slowly takes little memory: %s', async (_, before, unit, after, expected) => {
  const { length, bytes } = await runAlone<LongTextReport>(join(__dirname, '..', 'alone', 'long-texts.ts'), { before, unit, after, length: LONG });
  expect(length).toBe(expected);
  expect(bytes).toBeLessThan(12 * LONG);
});

it('refuses integers of megabytes', () => {
  const long = Buffer.concat([Buffer.from('\x8b\0\0\0\x01', 'latin1'), Buffer.alloc(1 << 24, 1), Buffer.from('.')]);
  expect(() => readPickle(long, 0, long.length)).toThrow('the value would take too much memory');
});
