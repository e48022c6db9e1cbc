import { CommandLine } from '../../../src/server/memcached/commands/command-line';

function scan(text: string): CommandLine {
  const line = new CommandLine();
  const bytes = Buffer.from(`##${text}##`, 'latin1');
  line.scan(bytes, 2, bytes.length - 2);
  return line;
}

function words(line: CommandLine): string[] {
  return Array.from({ length: line.count }, (_, index) => line.text(index));
}

/** What `text` is as the one word after the verb, by each of these readings. */
function read(text: string, ...readings: ('int32' | 'uint32' | 'uint64' | 'clientFlags' | 'exptime' | 'blockLength')[]): unknown[] {
  const line = scan(`verb ${text}`);
  return readings.map((reading) => line[reading](1));
}

describe('CommandLine', () => {
  it.each([
    ['get a b', ['get', 'a', 'b']],
    ['  get   a  ', ['get', 'a']],
    ['get\ta b', ['get\ta', 'b']],
    ['get a\0b c', ['get', 'a\0b', 'c']],
    ['\0get', ['\0get']],
    ['', []],
    ['   ', []],
  ])('cuts %j at blanks, and nowhere else', (text, expected) => {
    expect(words(scan(text))).toEqual(expected);
  });

  it('goes on behind the tokens that it can hold', () => {
    const expected = Array.from({ length: 60 }, (_, index) => `key${index}`);
    const line = scan(expected.join(' '));
    const all = words(line);
    expect(line.count).toBe(23);
    while (line.next()) all.push(...words(line));
    expect(all).toEqual(expected);
    expect(line.next()).toBe(false);
  });

  it('reads a line that has moved since it was scanned', () => {
    const line = scan('set key 7');
    line.moveTo(Buffer.from('....set key 7'), 4);
    expect(words(line)).toEqual(['set', 'key', '7']);
    expect(line.uint32(2)).toBe(7);
  });

  // Digits and nothing else, but for a minus: observed on memcached 1.6.45.
  it.each([
    ['5', 5, 5],
    ['007', 7, 7],
    ['00000000007', 7, 7],
    ['-1', -1, undefined],
    ['-', 0, undefined],
    ['-2147483648', -2147483648, undefined],
    ['4294967295', undefined, 4294967295],
  ])('reads %j as the numbers %p and %p', (text, int32, uint32) => {
    expect(read(text, 'int32', 'uint32')).toStrictEqual([int32, uint32]);
  });

  it.each(['+5', '\t5', '000000000007', '-2147483649', '4294967296', '5x', '0x10', '1e3', ''])('reads %j as no number', (text) => {
    expect(read(text, 'int32', 'uint32')).toStrictEqual([undefined, undefined]);
  });

  it.each([
    ['0', 0],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['18446744073709551615', 18446744073709551615n],
    ['0018446744073709551615', 18446744073709551615n],
    ['00018446744073709551615', undefined],
    ['18446744073709551616', undefined],
    ['-1', undefined],
  ])('reads %j as the cas %p', (text, cas) => {
    expect(read(text, 'uint64')).toStrictEqual([cas]);
  });

  // As C's strtoul and strtol, cut to 32 bits: observed on memcached 1.6.45.
  it.each([
    ['5', 5, 5],
    ['+5', 5, 5],
    ['\t5', 5, 5],
    ['-1', undefined, -1],
    ['5\0', 5, 5],
    ['4294967295', 4294967295, -1],
    ['4294967297', 1, 1],
    ['9223372036854775808', 0, undefined],
    ['99999999999999999999', undefined, undefined],
    ['5x', undefined, undefined],
  ])('reads %j as the client flags %p and the expiry time %p', (text, flags, exptime) => {
    expect(read(text, 'clientFlags', 'exptime')).toStrictEqual([flags, exptime]);
  });

  it.each([
    ['0', 0],
    ['+1', -1],
    ['2147483645', 2147483645],
    ['2147483646', -1],
    ['4294967297', -1],
    ['-', 0],
    ['-1', -1],
    ['-40', -1],
    ['x', -1],
  ])('reads %j as the block length %d', (text, length) => {
    expect(read(text, 'blockLength')).toStrictEqual([length]);
    expect(scan('verb').blockLength(1)).toBe(-1);
  });

  it('finds a token that is too long for a key, also behind those it holds', () => {
    expect(scan(`get ${'a '.repeat(200)}`).hasLongToken).toBe(false);
    expect(scan(`get ${'a '.repeat(200)}${'x'.repeat(250)}`).hasLongToken).toBe(false);
    expect(scan(`get ${'a '.repeat(200)}${'x'.repeat(251)} b`).hasLongToken).toBe(true);
    expect(scan(`get a\0${'x'.repeat(300)}`).hasLongToken).toBe(true);
  });

  it('knows noreply by its place', () => {
    expect(scan('touch key noreply').noreply).toBe(true);
    expect(scan('touch noreply 0').noreply).toBe(false);
    expect(scan('').noreply).toBe(false);
  });
});
