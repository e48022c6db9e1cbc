import * as fc from 'fast-check';
import { MemcacheSerdeError } from '../../src/errors';
import { RawSerde } from '../../src/serde';

const raw = new RawSerde();

describe('RawSerde', () => {
  it('stores bytes and text as they are', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string()), (value) => {
        expect(raw.serialize(value)).toEqual({ data: value, flags: 0 });
      }),
    );
  });

  it('reads everything as bytes', () => {
    const data = Buffer.of(0, 255, 13, 10);
    expect(raw.deserialize(data)).toBe(data);
  });

  it.each([5, null, {}, [1]])('refuses %p', (value) => {
    expect(() => raw.serialize(value as never)).toThrow(MemcacheSerdeError);
  });
});
