import { MetaCommand, type Client } from '../../src';

const HIT = 'VALUE a 16 5\r\nhello\r\nEND\r\n';

/** Calls, what a server answers to them, and what they then give. */
export const transcripts: readonly (readonly [name: string, call: (client: Client) => Promise<unknown>, reply: string, result: unknown])[] = [
  ['get, hit', (c) => c.get('a'), HIT, 'hello'],
  ['get, miss', (c) => c.get('a'), 'END\r\n', undefined],
  ['gets', (c) => c.gets('a'), 'VALUE a 16 5 77\r\nhello\r\nEND\r\n', ['hello', '77']],
  ['gat', (c) => c.gat('a', 1), HIT, 'hello'],
  ['getMany', (c) => c.getMany(['a', 'b', 'c']), 'VALUE a 16 1\r\n1\r\nVALUE c 16 2\r\n\r\n\r\nEND\r\n', new Map([['a', '1'], ['c', '\r\n']])],
  ['two gets', (c) => Promise.all([c.get('a'), c.get('b')]), 'VALUE a 16 1\r\n1\r\nEND\r\n', ['1', undefined]],
  ['set', (c) => c.set('a', 'x'), 'STORED\r\n', true],
  ['incr', (c) => c.incr('a', 1n), '18446744073709551615\r\n', 2n ** 64n - 1n],
  ['stats', (c) => c.stats().then((stats) => [...stats.values()]), 'STAT pid 1\r\nSTAT time 2\r\nEND\r\n', [new Map([['pid', '1'], ['time', '2']])]],
  ['metaGet', (c) => c.metaGet('a', { opaque: 'o' }).then((item) => item?.value), 'VA 5 f16 Oo\r\nhello\r\n', 'hello'],
  ['a quiet mg', (c) => c.executeMeta(new MetaCommand('mg', 'a', ['v', 'q', 'Oo'])).then(({ value }) => value?.toString()), 'VA 2 Oo\r\nMN\r\nMN\r\n'.replace('MN\r\nMN', 'xy\r\nMN'), 'xy'],
  ['raw', (c) => c.raw('stats x', 'END\r\n').then(String), 'STAT x\r\nEND\r\n', 'STAT x\r\n'],
  ['setMany', (c) => c.setMany({ a: 1, b: 2 }), 'NOT_STORED\r\nSTORED\r\n', ['a']],
  ['a noreply and a get', (c) => Promise.all([c.delete('a', { noreply: true }), c.get('a')]), `ERROR\r\nVERSION 1.6.18\r\n${HIT}`, [true, 'hello']],
];
