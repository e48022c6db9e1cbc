import { RequestReader, type RequestLimits } from '../../../src/server/redis/resp/request-reader';
import { Request } from '../../../src/server/redis/resp/request';
import { RequestMemory } from '../../../src/server/redis/resp/request-memory';
import { valueBytes, type StoredValue } from '../../../src/server/engine/item';
import { respRequest } from './redis-talk';

const LIMITS: RequestLimits = { maxArgument: 10_000, maxRequest: 30_000, memory: new RequestMemory(Infinity) };

/** A reader and the requests it has delivered. */
class Reading {
  readonly requests: (string | null)[][] = [];
  readonly reader: RequestReader;
  dropped = '';
  readonly #request = new Request();

  constructor(limits: Partial<RequestLimits> = {}) {
    this.reader = new RequestReader(
      this.#request,
      { ...LIMITS, ...limits },
      () => {
        const { count } = this.#request;
        this.requests.push(
          Array.from({ length: count }, (_, i) => (this.#request.isOversized(i) ? null : this.#request.text(i))),
        );
      },
      (error) => {
        this.dropped = error.message;
      },
    );
  }

  push(text: string): this {
    const bytes = Buffer.from(text, 'latin1');
    expect(this.reader.push(bytes, 0, bytes.length)).toBe(bytes.length);
    bytes.fill('!');
    return this;
  }
}

const STREAM =
  respRequest('SET', 'key', 'a value\r\nof two lines') +
  '\r\nSET key "in\\x20quotes"\n' +
  '*0\r\n*-1\r\n' +
  respRequest('GET', '') +
  respRequest('ECHO', 'x'.repeat(300)) +
  respRequest('SET', 'k', 'y'.repeat(10_001), 'EX', '10') +
  respRequest('SET', 'k', 'z'.repeat(10_001)) +
  'PING\r\n';

const EXPECTED = [
  ['SET', 'key', 'a value\r\nof two lines'],
  ['SET', 'key', 'in quotes'],
  ['GET', ''],
  ['ECHO', 'x'.repeat(300)],
  ['SET', 'k', null, 'EX', '10'],
  ['SET', 'k', null],
  ['PING'],
];

describe('RequestReader', () => {
  it('reads arrays and inline commands, whole or byte by byte', () => {
    expect(new Reading().push(STREAM).requests).toEqual(EXPECTED);
    const slowly = new Reading();
    for (const char of STREAM) slowly.push(char);
    expect(slowly.requests).toEqual(EXPECTED);
  });

  it('reads odd forms as Redis does', () => {
    // Any byte may stand for a LF after a CR, and for the line end after an argument.
    const odd = '*2\rx$3\r\nGET\r\n$1\r\nk\r\n' + '*2\r\n$3\rxGET..$1\r\nk..' + respRequest(...Array.from('abcdefghij'));
    expect(new Reading().push(odd).requests).toEqual([['GET', 'k'], ['GET', 'k'], Array.from('abcdefghij')]);
    for (const length of ['01', '00', '1x', '0000000001', '1000000000']) {
      expect(() => new Reading().push(`*2\r\n$3\r\nGET\r\n$${length}\r\nk\r\n`)).toThrow('invalid bulk length');
    }
    const exceeding = respRequest('MGET', ...Array.from({ length: 4 }, () => 'x'.repeat(9000)));
    expect(() => new Reading().push(exceeding)).toThrow('too big request');
  });

  it('never reads beyond the end, whatever bytes are there', () => {
    const { reader, requests } = new Reading();
    const bytes = Buffer.from(respRequest('SET', 'k', 'v').repeat(2));
    const half = bytes.length / 2;
    for (let end = 1; end < half; end++) expect(reader.push(bytes, end - 1, end)).toBe(end);
    expect(requests).toEqual([]);
    reader.push(bytes, half - 1, bytes.length);
    expect(requests).toEqual([['SET', 'k', 'v'], ['SET', 'k', 'v']]);
  });

  it('reads a stream that is split at any place', () => {
    const short = STREAM.replace(/([xyz])\1{100,}/g, (run) => run.slice(0, 20)).replaceAll(/\$(300|10001)/g, '$20');
    const { requests } = new Reading({ maxArgument: 19, maxRequest: 1000 }).push(short);
    expect(requests).toContainEqual(['SET', 'k', null, 'EX', '10']);
    for (let at = 1; at < short.length; at++) {
      const split = new Reading({ maxArgument: 19, maxRequest: 1000 });
      expect({ at, requests: split.push(short.slice(0, at)).push(short.slice(at)).requests }).toEqual({ at, requests });
    }
  });

  it('stops after a request when told to, and goes on', () => {
    const request = new Request();
    const names: string[] = [];
    const onRequest = (): void => {
      names.push(request.text(0));
      reader.stop();
    };
    const reader = new RequestReader(request, LIMITS, onRequest, () => undefined);
    const bytes = Buffer.from('A\r\n' + respRequest('B', 'b') + 'C\n');
    let at = 0;
    while (at < bytes.length) {
      const next = reader.push(bytes, at, bytes.length);
      expect(next).toBeGreaterThan(at);
      at = next;
    }
    expect(names).toEqual(['A', 'B', 'C']);
  });

  const LONG = '1'.repeat(65 * 1024);

  it.each([
    ['*x\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*1048577\r\n', 'invalid multibulk length'],
    ['*99999999999999999999\r\n', 'invalid multibulk length'],
    [`*${LONG}`, 'too big mbulk count string'],
    ['*1\r\n+\r\n', "expected '$', got '+'"],
    ['*1\r\nPING\r\n', "expected '$', got 'P'"],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$1x\r\n', 'invalid bulk length'],
    ['*1\r\n$536870913\r\n', 'invalid bulk length'],
    ['*1\r\n$4294967296\r\n', 'invalid bulk length'],
    [`*1\r\n$${LONG}`, 'too big bulk count string'],
    [LONG, 'too big inline request'],
    ['SET k "v\r\n', 'unbalanced quotes in request'],
    ["SET k 'v'v\r\n", 'unbalanced quotes in request'],
    [`*5\r\n${'$9000\r\n'.padEnd(9007, 'v').concat('\r\n').repeat(4)}`, 'too big request'],
  ])('refuses %.30j as Redis does', (text, message) => {
    expect(() => new Reading().push(text)).toThrow(message);
    const slowly = new Reading();
    expect(() => {
      for (let at = 0; at < text.length; at += 1000) slowly.push(text.slice(at, at + 1000));
    }).toThrow(message);
  });

  it('takes little from somebody unknown', () => {
    const restricted = (text: string): (() => unknown) => {
      const reading = new Reading({ maxArgument: 1_000_000, maxRequest: 1_000_000 });
      reading.reader.restricted = true;
      return () => reading.push(text);
    };
    expect(restricted('*11\r\n')).toThrow('unauthenticated multibulk length');
    expect(restricted('*1\r\n$16385\r\n')).toThrow('unauthenticated bulk length');
    expect(restricted('*10\r\n$16384\r\n')).not.toThrow();
  });

  it('shares its memory with others: the largest goes when there is too much', () => {
    const memory = new RequestMemory(2_000_000);
    const limits = { maxArgument: 1_000_000, maxRequest: 1_000_000, memory };
    const begin = (size: number): Reading => new Reading(limits).push('*2\r\n$4\r\nECHO\r\n$900000\r\n' + 'x'.repeat(size));
    // Small ones do not count.
    const small = Array.from({ length: 20 }, () => begin(10_000));
    expect(memory.total).toBe(0);
    const large = begin(300_000);
    const larger = begin(400_000);
    expect([memory.total > 1_000_000, large.dropped + larger.dropped]).toEqual([true, '']);
    // It cannot take the room of others.
    const largest = begin(500_000);
    expect(largest.dropped).toBe('too much memory in unfinished requests');
    // But others can take that of a large one.
    const more = [begin(250_000), begin(250_000)];
    expect(larger.dropped).not.toBe('');
    for (const reading of [...small, large, ...more]) expect(reading.dropped).toBe('');
    large.push('x'.repeat(600_000) + '\r\n');
    expect(large.requests).toHaveLength(1);
    for (const reading of more) reading.reader.release();
    expect(memory.total).toBe(0);
  });

  it('reads a value into memory of its own once and for all where it may, and what follows the value as well', () => {
    const values: StoredValue[] = [];
    const request = new Request();
    const memory = new RequestMemory(Infinity);
    const limits = { maxArgument: 1_000_000, maxRequest: 2_000_000, memory, ahead: Infinity };
    const reader = new RequestReader(request, limits, () => values.push(request.value(2)), () => undefined);
    const bytes = Buffer.from(respRequest('SET', 'key', 'v'.repeat(900_000), 'EX', '60'));
    reader.push(bytes, 0, 60_000);
    const held = memory.total;
    expect(held).toBeGreaterThan(900_000);
    reader.push(bytes, 60_000, 900_010);
    reader.push(bytes, 900_010, bytes.length - 1);
    expect(memory.total).toBe(held);
    reader.push(bytes, bytes.length - 1, bytes.length);
    const [value = ''] = values;
    expect(typeof value === 'string' ? 0 : value.buffer.byteLength).toBeLessThan(901_000);
    expect(value.toString('latin1')).toBe('v'.repeat(900_000));
  });

  it.each([undefined, Infinity])('moves a request with many arguments a few times, not for each (ahead: %p)', (ahead) => {
    const memory = new RequestMemory(Infinity);
    const reading = new Reading({ maxArgument: 100_000, maxRequest: 10_000_000, memory, ahead });
    const sizes = new Set<number>();
    reading.push('*1001\r\n$3\r\nDEL\r\n');
    for (let i = 0; i < 1000; i++) {
      reading.push('$5000\r\n').push('x'.repeat(2000));
      sizes.add(memory.total);
      reading.push('x'.repeat(3000) + '\r\n');
    }
    expect(reading.requests).toHaveLength(1);
    // Each of 16 bytes for an argument's place counts, too, when the memory is made.
    expect(sizes.size).toBeLessThan(20);
  });

  it('counts the places of arguments, which may take more memory than their bytes', () => {
    const memory = new RequestMemory(Infinity);
    new Reading({ memory, maxRequest: 10_000_000 }).push('*100000\r\n').push('$0\r\n\r\n'.repeat(50_000)).push('$0\r\n\r\n'.repeat(40_000));
    expect(memory.total).toBeGreaterThan(90_000 * (6 + 16));
  });

  it('a value keeps no more memory alive than about its own size, however large its request was', () => {
    const request = new Request();
    const sizes: number[] = [];
    const onRequest = (): void => {
      for (const index of [2, 4]) sizes.push(valueBytes(request.value(index)).buffer.byteLength);
    };
    const reader = new RequestReader(request, { ...LIMITS, maxArgument: 1_000_000, maxRequest: 1_000_000 }, onRequest, () => undefined);
    const bytes = Buffer.from(respRequest('MSET', 'small', '\xff'.repeat(20_000), 'large', '\xff'.repeat(500_000)), 'latin1');
    // In two parts, so that the reader keeps it in memory of its own.
    reader.push(bytes, 0, 1000);
    reader.push(bytes, 1000, bytes.length);
    expect(sizes[0]).toBe(20_000);
    expect(sizes[1]).toBeLessThan(600_000);
  });

  it('does not allocate what is only announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readings = Array.from({ length: 1000 }, () => {
      const limits = { maxArgument: 2 ** 30, maxRequest: 2 ** 30, memory: new RequestMemory(Infinity) };
      return new Reading(limits).push('*1048576\r\n$3\r\nSET\r\n$500000000\r\nvalue');
    });
    expect(readings).toHaveLength(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(80_000_000);
  });
});
