import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { JsonSerde } from '../../src/serde';
import { anyCharacter } from '../support/any-string';

const json = new JsonSerde();

function roundTrip(value: unknown): unknown {
  const { data, flags } = json.serialize(value);
  const bytes = Buffer.from(data);
  const around = Buffer.concat([Buffer.from('1'), bytes, Buffer.from('1')]);
  expect(json.deserializeInPlace(around, 1, 1 + bytes.length, flags)).toEqual(json.deserialize(bytes, flags));
  return json.deserialize(bytes, flags);
}

describe('JsonSerde', () => {
  it('gives back everything that JSON holds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyCharacter }), (value) => {
        expect(roundTrip(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['text of 1 MB', 'é'.repeat(500_000)],
    ['half a surrogate pair', ['a\ud800', { '\udc00': 1 }]],
    ['all characters below 128', String.fromCharCode(...Array.from({ length: 128 }, (_, i) => i))],
  ])('gives back %s', (_, value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it('refuses what is circular without the names of its properties', () => {
    const circle: Record<string, unknown> = {};
    circle['hush'] = [{ quiet: circle }];
    for (const refused of [circle, [circle]]) {
      expect(() => json.serialize(refused)).toThrow(new MemcacheSerdeError('JSON cannot hold a value of type object that is circular'));
    }
    const mine = new Error('mine');
    expect(() => json.serialize({ toJSON() { throw mine; } })).toThrow(mine);
    // It cannot be made a string.
    const bare: unknown = Object.create(null);
    for (const odd of [bare, null, undefined]) {
      let thrown: unknown = 'nothing';
      try { json.serialize({ toJSON() { throw odd; } }); } catch (error) { thrown = error; }
      expect(thrown).toBe(odd);
    }
    expect(() => json.serialize({ toJSON: () => undefined })).toThrow('JSON cannot hold a value of type object');
  });

  it('makes __proto__ a property, with a reviver too', () => {
    const data = Buffer.from('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}');
    for (const serde of [json, new JsonSerde({ reviver: (_, value) => value })]) {
      const value = serde.deserialize(data, 64) as object;
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('hands what was parsed to the reviver, and what that made to validate', () => {
    const serde = new JsonSerde({
      reviver: (key, value) => (key === 'at' ? new Date(value as string) : value),
      validate: (value): { at: Date } => {
        const { at } = value as { at: unknown };
        if (!(at instanceof Date)) throw new TypeError('no date');
        return { at };
      },
    });
    const value = { at: new Date(5) };
    expect(serde.deserialize(Buffer.from(serde.serialize(value).data), 64)).toEqual(value);
    expect(() => serde.deserialize(Buffer.from('{"on": 1}'), 64)).toThrow(new TypeError('no date'));
  });

  it.each(['', '{', 'undefined', '{"a":1}x', "{'secret': 1}"])('refuses %j, and does not repeat it', (text) => {
    expect(() => json.deserialize(Buffer.from(text), 64)).toThrow(/^the item is flagged as JSON, but is not$/);
  });

  it.each([0, 2, 16, 72])('refuses flags %d', (flags) => {
    expect(() => json.deserialize(Buffer.from('1'), flags)).toThrow(MemcacheSerdeError);
  });

  it.each([undefined, () => 0, Symbol('s'), 1n])('refuses to write %p', (value) => {
    expect(() => json.serialize(value)).toThrow();
  });
});
