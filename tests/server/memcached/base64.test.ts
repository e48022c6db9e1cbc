import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from '../../../src/server/memcached/commands/base64';

describe('base64', () => {
  it('brings every key back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 186 }), (bytes) => {
        const key = Buffer.from(bytes).toString('latin1');
        expect(decodeBase64(encodeBase64(key))).toBe(key);
      }),
    );
  });

  // Observed on memcached 1.6.18.
  it.each([
    ['Zm$9v', 'foo'],
    ['Zm9=Zm9v', 'fo'],
    ['Z=9v', Buffer.from('ZA8=', 'base64').toString('latin1')],
    ['Zm9', ''],
    ['=', ''],
    ['Z===', ''],
    ['%%%%', ''],
    ['', ''],
  ])('reads %j as memcached does', (text, key) => {
    expect(decodeBase64(text)).toBe(key);
  });
});
