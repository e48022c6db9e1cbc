import fc from 'fast-check';
import { MemcacheIllegalInputError } from '../../src';
import { encodeBase64Key, encodeKey, encodePrefix, keyText, routingPart, storedPart, type Key, type KeyRules } from '../../src/protocol/key';
import { illegal } from '../support/contract';
import { anyCharacter } from '../support/any-string';

const ascii: KeyRules = { prefix: '', allowUnicode: false };
const unicode: KeyRules = { prefix: '', allowUnicode: true };

/** The encoded key, or undefined when it is refused as it must be. */
function encoded(key: Key, rules: KeyRules): string | undefined {
  try {
    return encodeKey(key, rules);
  } catch (error) {
    // Asked a hundred thousand times: `expect` would take ten times as long.
    if (!(error instanceof MemcacheIllegalInputError)) throw error;
    return undefined;
  }
}

it('each of the 65 536 code units is its UTF-8 bytes, or refused', () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const key = String.fromCharCode(unit);
    const printable = unit > 0x20 && unit < 0x7f;
    const bytes = Buffer.from(key).toString('latin1');
    if (encoded(key, ascii) !== (printable ? key : undefined)) throw new Error(`U+${unit.toString(16)} in ASCII`);
    const isAllowed = printable || (unit >= 0x80 && (unit < 0xd800 || unit > 0xdfff));
    if (encoded(key, unicode) !== (isAllowed ? bytes : undefined)) throw new Error(`U+${unit.toString(16)} in Unicode`);
  }
});

it.each(['a\r\nflush_all', 'a\r\n', '\r\na', 'a\nb', 'a\rb', 'a\n', '\na', 'a b', ' a', 'a ', 'a\u2028b', 'a\0'])('%j is refused, though a part of it is a key', (key) => {
  for (const rules of [ascii, { prefix: 'p:', allowUnicode: false }]) {
    expect(encoded(key, rules)).toBeUndefined();
    expect(encoded(Buffer.from(key), rules)).toBeUndefined();
  }
});

it('each of the 256 bytes is itself, or refused', () => {
  for (let byte = 0; byte < 256; byte++) {
    const key = Buffer.from([0x61, byte]);
    const printable = byte > 0x20 && byte < 0x7f;
    expect(encoded(key, ascii)).toBe(printable ? `a${String.fromCharCode(byte)}` : undefined);
    expect(encoded(key, unicode)).toBe(printable || byte >= 0x80 ? `a${String.fromCharCode(byte)}` : undefined);
  }
});

it('whatever is accepted is 1 to 250 bytes without blanks and control characters, and text says the same as its bytes', () => {
  const prefix = encodePrefix('préfixe:', true);
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter, maxLength: 300 }), fc.boolean(), (text, prefixed) => {
      const rules = { prefix: prefixed ? prefix : '', allowUnicode: true };
      const result = encoded(text, rules);
      if (result === undefined) return;
      expect(result).toMatch(/^[\x21-\x7e\x80-\xff]{1,250}$/);
      expect(result).toBe(rules.prefix + Buffer.from(text).toString('latin1'));
      expect(encoded(Buffer.from(text), rules)).toBe(result);
    }),
    { numRuns: 2000 },
  );
});

it('counts bytes, prefix included', () => {
  expect(encoded('k'.repeat(250), ascii)).toHaveLength(250);
  expect(encoded('k'.repeat(251), ascii)).toBeUndefined();
  expect(encoded('é'.repeat(125), unicode)).toHaveLength(250);
  expect(encoded('é'.repeat(126), unicode)).toBeUndefined();
  const rules = { prefix: encodePrefix('app:', false), allowUnicode: false };
  expect(encoded('k'.repeat(246), rules)).toHaveLength(250);
  expect(encoded('k'.repeat(247), rules)).toBeUndefined();
  expect(() => encodePrefix('p'.repeat(250), false)).toThrow('keyPrefix');
  expect(() => encodePrefix('a b', false)).toThrow('keyPrefix');
  expect(() => encodePrefix('é', false)).toThrow('allowUnicodeKeys');
  expect(() => encodePrefix(7, false)).toThrow('keyPrefix must be a string or a Uint8Array'.slice(0, 24));
});

it('of a pair the first part routes and the second is stored', () => {
  const pair: Key = ['user:1', Buffer.from('profile')];
  expect(encoded(pair, ascii)).toBe('profile');
  expect([routingPart(pair), keyText(pair), String(storedPart(pair))]).toEqual(['user:1', 'profile', 'profile']);
  expect(routingPart('alone')).toBe('alone');
});

it.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a number', 1],
  ['a boolean', true],
  ['a symbol', Symbol('k')],
  ['an object', { toString: () => 'k' }],
  ['a String', new String('k')],
  ['no part', []],
  ['one part', ['k']],
  ['three parts', ['a', 'b', 'c']],
  ['a pair of a pair', [['a', 'b'], 'c']],
  ['a pair with a number', ['a', 1]],
  ['a pair with a number in front', [1, 'a']],
  ['a pair with an empty key', ['a', '']],
  ['an ArrayBuffer', new ArrayBuffer(2)],
  ['the empty text', ''],
  ['no bytes', Buffer.alloc(0)],
])('%s is no key', (_, key) => {
  expect(encoded(illegal(key), unicode)).toBeUndefined();
});

it('in base64 a key may hold any bytes, 186 of them', () => {
  expect(encodeBase64Key(Buffer.from([0, 10, 13, 32, 255]), ascii)).toBe('AAoNIP8=');
  expect(encodeBase64Key('é', { prefix: encodePrefix('p:', false), allowUnicode: false })).toBe(Buffer.from('p:é').toString('base64'));
  expect(encodeBase64Key(Buffer.alloc(186), ascii)).toHaveLength(248);
  expect(() => encodeBase64Key(Buffer.alloc(187), ascii)).toThrow('186');
  expect(() => encodeBase64Key('', ascii)).toThrow('empty');
});

it('three keys in place of one are sent to getMany', () => {
  const keys: unknown = ['a', 'b', 'c'];
  expect(() => encodeKey(keys as string, { prefix: '', allowUnicode: false })).toThrow(/several keys are for getMany/);
});
