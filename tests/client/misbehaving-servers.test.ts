import { once } from 'node:events';
import { createServer } from 'node:net';
import { Client, MemcacheError, MemcacheTimeoutError, MetaCommand, type ClientOptions } from '../../src';
import type { TransportHandler } from '../../src/client/wire/transport';
import { insist } from '../support/busy-machine';
import { failure } from '../support/contract';
import { eachWithScriptedServer } from '../support/describe';
import { startMemcached } from '../support/memcached';
import { MemoryServer, type ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

/** How a call may end that got no trustworthy reply. */
interface Failed {
  readonly code: string;
  readonly certainty: 'notSent' | 'maybeExecuted' | 'executed';
}

const UNREADABLE: Failed = { code: 'MEMCACHE_UNKNOWN', certainty: 'maybeExecuted' };
const TIMED_OUT: Failed = { code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' };
const LOST: Failed = { code: 'MEMCACHE_UNEXPECTED_CLOSE', certainty: 'maybeExecuted' };
const UNKNOWN_COMMAND: Failed = { code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'executed' };
const CLIENT_ERROR: Failed = { code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed' };
const SERVER_ERROR: Failed = { code: 'MEMCACHE_SERVER_ERROR', certainty: 'executed' };
/** The reply was in step, but what it holds makes no sense. */
const UNREADABLE_VALUE: Failed = { code: 'MEMCACHE_UNKNOWN', certainty: 'executed' };
const INEXACT: Failed = { code: 'MEMCACHE_INEXACT_NUMBER', certainty: 'executed' };

const failed = (outcome: unknown): outcome is Failed =>
  typeof outcome === 'object' && outcome !== null && 'code' in outcome && 'certainty' in outcome;

type Call = (client: Client) => Promise<unknown>;
/** The bytes of the reply, or a whole behaviour. */
type Reply = string | ((connection: ScriptedConnection) => Promise<void>);
type Row = readonly [name: string, call: Call, reply: Reply, outcome: unknown];

const get: Call = (client) => client.get('a');
const HIT = 'VALUE a 16 5\r\nhello\r\nEND\r\n';

/** More than enough turns for a test; a call that has not settled then hangs. */
const HANGS = 2000;

async function bounded<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('the call hangs'));
    }, HANGS);
  });
  try {
    return await Promise.race([promise, hangs]);
  } finally {
    clearTimeout(timer);
  }
}

let server: ScriptedServer;
eachWithScriptedServer((fresh) => {
  server = fresh;
  server.put('next', 'fine');
});

/** A client whose time stands still, on the scripted server. */
function makeClient(options: ClientOptions = {}): { client: Client; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { client: new Client(server.address, { clock, ...options }), clock };
}

async function expectOutcome(result: Promise<unknown>, outcome: unknown): Promise<void> {
  if (failed(outcome)) expect(await bounded(failure(result))).toMatchObject(outcome);
  else expect(await bounded(result)).toEqual(outcome);
}

/** Whatever happened: the client is usable, and nobody gets what was meant for another. */
async function expectUsable(client: Client): Promise<void> {
  expect(await bounded(Promise.all([client.get('next'), client.get('missing'), client.gets('next')]))).toEqual([
    'fine',
    undefined,
    ['fine', expect.stringMatching(/^[0-9]+$/)],
  ]);
  expect(await bounded(client.set('another', 'x'))).toBe(true);
}

/** Tells the version first, which is asked for before the data block of a meta command. */
function afterVersion(reply: string): Reply {
  return async (connection) => {
    await connection.send('VERSION 1.6.45\r\n');
    await connection.expectMatch(/^ms [^]*\r\n/);
    await connection.send(reply);
  };
}

const rows: Row[] = [
  // ── as it should be ──
  ['a hit', get, HIT, 'hello'],
  ['a miss', get, 'END\r\n', undefined],
  ['a hit, byte by byte', get, (c) => c.trickle(HIT), 'hello'],
  ['a miss, byte by byte', get, (c) => c.trickle('END\r\n'), undefined],
  ['a hit cut between CR and LF', get, (c) => c.send('VALUE a 16 5\r', '\nhello\r', '\nEND\r', '\n'), 'hello'],
  ['an empty value', get, 'VALUE a 16 0\r\n\r\nEND\r\n', ''],
  ['a value like a reply', get, 'VALUE a 16 12\r\nEND\r\nSTORED\r\n\r\nEND\r\n'.replace('12', '13'), 'END\r\nSTORED\r\n'],

  // ── another protocol ──
  ['HTTP', get, 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n', UNREADABLE],
  ['an HTTP page', get, '<html>\n<body>\n', UNREADABLE],
  ['Redis', get, "-ERR unknown command 'get', with args beginning with: 'a'\r\n", UNREADABLE],
  ['Redis with a nil', get, '$-1\r\n', UNREADABLE],
  ['SSH', get, 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', UNREADABLE],
  ['SMTP', get, '220 mail.example.org ESMTP\r\n', UNREADABLE],
  ['a TLS alert', get, (c) => c.send('\x15\x03\x01\x00\x02\x02\x46').then(() => c.fin()), LOST],
  ['a TLS hello', get, '\x16\x03\x01\x00\x0a\x01\x0d\x0a\xff\xff', UNREADABLE],
  ['zeros', get, '\0'.repeat(9000), UNREADABLE],
  ['the binary protocol', get, `\x81\0\0\0${'\0'.repeat(20)}\r\n`, UNREADABLE],

  // ── lengths ──
  ...['-1', 'abc', '99999999999', '18446744073709551616', '1e3', '+5', '0x5', '5.0', '5,', '', '05', '5 ', '5 x', '5  1', '5 1 1', '5 -1'].map(
    (length): Row => [`the length "${length}"`, get, `VALUE a 16 ${length}\r\nhello\r\nEND\r\n`, UNREADABLE],
  ),
  ['one byte more than announced', get, 'VALUE a 16 4\r\nhello\r\nEND\r\n', UNREADABLE],
  ['two bytes more than announced', get, 'VALUE a 16 3\r\nhello\r\nEND\r\n', UNREADABLE],
  ['one byte fewer than announced', get, 'VALUE a 16 6\r\nhello\r\nEND\r\n', UNREADABLE],
  ['two bytes fewer than announced', get, 'VALUE a 16 7\r\nhello\r\nEND\r\n', UNREADABLE],
  ['a length that swallows END', get, 'VALUE a 16 12\r\nhello\r\nEND\r\n', TIMED_OUT],
  ['a value that is announced and never comes', get, 'VALUE a 16 1000000\r\n', TIMED_OUT],
  ['a value without CR LF', get, 'VALUE a 16 5\r\nhelloEND\r\n', UNREADABLE],
  ['a value with LF CR', get, 'VALUE a 16 5\r\nhello\n\rEND\r\n', UNREADABLE],

  // ── lines ──
  ['bare LF', get, 'VALUE a 16 5\nhello\nEND\n', UNREADABLE],
  ['bare LF on a miss', get, 'END\n', UNREADABLE],
  ['bare CR', get, 'END\r', TIMED_OUT],
  ['lower case', get, 'value a 16 5\r\nhello\r\nend\r\n', UNREADABLE],
  ['a lower-case end', get, 'end\r\n', UNREADABLE],
  ['an empty line', get, '\r\nEND\r\n', UNREADABLE],
  ['a blank in front', get, ' END\r\n', UNREADABLE],
  ['a blank behind', get, 'END \r\n', UNREADABLE],
  ['NUL in the end', get, 'END\0\r\n', UNREADABLE],
  ['VALUE alone', get, 'VALUE\r\nhello\r\nEND\r\n', UNREADABLE],
  ['VALUE without flags and length', get, 'VALUE a\r\nhello\r\nEND\r\n', UNREADABLE],
  ['VALUE without a length', get, 'VALUE a 16\r\nhello\r\nEND\r\n', UNREADABLE],
  ['VALUE with two blanks', get, 'VALUE  a 16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['two blanks before the flags', get, 'VALUE a  16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['two blanks before the length', get, 'VALUE a 16  5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['a VALUE without a key', get, 'VALUE  16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['flags that are no number', get, 'VALUE a xyz 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['negative flags', get, 'VALUE a -1 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ...['016', '00', '4294967296', '1.6', '+16', '0x10'].map((flags): Row => [`the flags "${flags}"`, get, `VALUE a ${flags} 5\r\nhello\r\nEND\r\n`, UNREADABLE]),
  ['a line without end', get, 'x'.repeat(9000), UNREADABLE],
  ['a VALUE line without end', get, `VALUE ${'a'.repeat(9000)}`, UNREADABLE],

  // ── what was not asked for ──
  ['the value of another key', get, 'VALUE b 16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['the value of a longer key', get, 'VALUE ab 16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['the value of the key in upper case', get, 'VALUE A 16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['the value twice', get, 'VALUE a 16 5\r\nhello\r\nVALUE a 16 5\r\nworld\r\nEND\r\n', 'hello'],
  ['a value too many', get, 'VALUE a 16 5\r\nhello\r\nVALUE b 16 5\r\nworld\r\nEND\r\n', 'hello'],
  ['END twice', get, 'END\r\nEND\r\n', undefined],
  ['END twice behind a hit', get, `${HIT}END\r\n`, 'hello'],
  ['VALUE behind END', get, `END\r\n${HIT}`, undefined],
  ['a second reply', get, HIT + HIT, 'hello'],
  ['a reply of old in front', get, `VALUE evil 16 1\r\nx\r\nEND\r\n${HIT}`, UNREADABLE],
  ['an END of old in front', get, `END\r\n${HIT}`, undefined],
  ['STORED in front', get, `STORED\r\n${HIT}`, UNREADABLE],
  ['a notice in front', get, `ERROR shutting down\r\n${HIT}`, SERVER_ERROR],

  // ── errors ──
  ['ERROR', get, 'ERROR\r\n', UNKNOWN_COMMAND],
  ['CLIENT_ERROR', get, 'CLIENT_ERROR bad command line format\r\n', CLIENT_ERROR],
  ['CLIENT_ERROR without a text', get, 'CLIENT_ERROR\r\n', CLIENT_ERROR],
  ['SERVER_ERROR', get, 'SERVER_ERROR out of memory writing get response\r\n', SERVER_ERROR],
  ['SERVER_ERROR without a text', get, 'SERVER_ERROR\r\n', SERVER_ERROR],
  ['SERVER_ERROR in lower case', get, 'server_error no\r\n', UNREADABLE],
  ['too many connections', get, (c) => c.send('ERROR Too many open connections\r\n').then(() => c.fin()), { code: 'MEMCACHE_SERVER_ERROR', certainty: 'notSent' }],
  ['a login that is asked for', get, 'CLIENT_ERROR unauthenticated\r\n', { code: 'MEMCACHE_AUTHENTICATION', certainty: 'executed' }],

  // ── ends ──
  ['FIN at once', get, (c) => c.fin(), LOST],
  ['RST at once', get, (c) => c.rst(), LOST],
  ['FIN in the value', get, (c) => c.send('VALUE a 16 5\r\nhel').then(() => c.fin()), LOST],
  ['silence', get, () => Promise.resolve(), TIMED_OUT],
  ['half a reply, then silence', get, 'VALUE a 16 5\r\nhel', TIMED_OUT],
  ['no END', get, 'VALUE a 16 5\r\nhello\r\n', 'hello'],

  // ── other retrievals ──
  ['gets without a token', (c) => c.gets('a'), HIT, UNREADABLE],
  ['gets with a broken token', (c) => c.gets('a'), 'VALUE a 16 5 -7\r\nhello\r\nEND\r\n', UNREADABLE],
  ['gets with a token of 65 bits', (c) => c.gets('a'), 'VALUE a 16 5 18446744073709551616\r\nhello\r\nEND\r\n', UNREADABLE],
  ['gat of another key', (c) => c.gat('a', 1), 'VALUE b 16 5\r\nhello\r\nEND\r\n', UNREADABLE],
  ['gat with the value twice', (c) => c.gat('a', 1), 'VALUE a 16 5\r\nhello\r\nVALUE a 16 5\r\nworld\r\nEND\r\n', 'hello'],
  ['gat without END', (c) => c.gat('a', 1), 'VALUE a 16 5\r\nhello\r\n', 'hello'],
  ['gats without a token', (c) => c.gats('a', 1), HIT, UNREADABLE],
  ['getMany in another order', (c) => c.getMany(['a', 'b']), 'VALUE b 16 1\r\nb\r\nVALUE a 16 1\r\na\r\nEND\r\n', UNREADABLE],
  ['getMany with a stranger', (c) => c.getMany(['a', 'b']), 'VALUE c 16 1\r\nc\r\nEND\r\n', UNREADABLE],
  ['getMany with a value twice', (c) => c.getMany(['a', 'b']), 'VALUE a 16 1\r\na\r\nVALUE a 16 1\r\na\r\nEND\r\n', UNREADABLE],
  // Asked for once more, key by key.
  ['getMany that fails half way', (c) => c.getMany(['next', 'b']), 'VALUE next 16 1\r\na\r\nSERVER_ERROR out of memory\r\n', new Map([['next', 'fine']])],
  ['getMany of one key that fails', (c) => c.getMany(['a']), 'SERVER_ERROR out of memory\r\n', { code: 'MEMCACHE_PARTIAL', certainty: 'executed', partial: new Map() }],
  ['getMany without END', (c) => c.getMany(['a', 'b']), 'VALUE a 16 1\r\na\r\n', TIMED_OUT],
  ['getMany with END twice', (c) => c.getMany(['a', 'b']), 'VALUE a 16 1\r\na\r\nEND\r\nEND\r\n', new Map([['a', 'a']])],

  // ── storage ──
  ['STORED twice', (c) => c.set('a', 'x'), 'STORED\r\nSTORED\r\n', true],
  ['STORED with more', (c) => c.set('a', 'x'), 'STORED yes\r\n', UNREADABLE],
  ['stored', (c) => c.set('a', 'x'), 'stored\r\n', UNREADABLE],
  ['a refused line and its block', (c) => c.set('a', 'x'), 'CLIENT_ERROR bad command line format\r\nERROR\r\n', CLIENT_ERROR],
  ['two ERRORs to a set', (c) => c.set('a', 'x'), 'ERROR\r\nERROR\r\n', UNKNOWN_COMMAND],
  ['a bad chunk', (c) => c.set('a', 'x'), 'CLIENT_ERROR bad data chunk\r\n', CLIENT_ERROR],
  ['too large', (c) => c.set('a', 'x'), 'SERVER_ERROR object too large for cache\r\n', SERVER_ERROR],
  ['EXISTS to a set', (c) => c.set('a', 'x'), 'EXISTS\r\n', UNREADABLE],
  ['silence after a set', (c) => c.set('a', 'x'), () => Promise.resolve(), TIMED_OUT],
  ['FIN after a set', (c) => c.set('a', 'x'), (c) => c.fin(), LOST],
  ['setMany with a reply too few', (c) => c.setMany({ a: 1, b: 2 }), 'STORED\r\n', TIMED_OUT],
  ['setMany with a reply too many', (c) => c.setMany({ a: 1, b: 2 }), 'STORED\r\nNOT_STORED\r\nSTORED\r\n', ['b']],
  ['setMany with a refusal', (c) => c.setMany({ a: 1, b: 2 }), 'SERVER_ERROR out of memory\r\nSTORED\r\n', ['a']],
  ['setMany with an error', (c) => c.setMany({ a: 1, b: 2 }), 'STORED\r\nCLIENT_ERROR bad data chunk\r\n', CLIENT_ERROR],
  ['deleteMany with a refusal', (c) => c.deleteMany(['a', 'b']), 'SERVER_ERROR busy\r\nDELETED\r\n', SERVER_ERROR],
  ['deleteMany with a reply too few', (c) => c.deleteMany(['a', 'b']), 'DELETED\r\n', TIMED_OUT],

  // ── counts ──
  ...['12abc', '-1', '1.5', '', ' 5', '99999999999999999999999', '18446744073709551616', '0x10'].map(
    (count): Row => [`the count "${count}"`, (c) => c.incr('a'), `${count}\r\n`, UNREADABLE],
  ),
  ['a count beyond 2^53', (c) => c.incr('a'), '9007199254740992\r\n', INEXACT],
  ['a count of 64 bits', (c) => c.incr('a', 1n), '18446744073709551615\r\n', 2n ** 64n - 1n],
  ['no number to count', (c) => c.decr('a'), 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n', CLIENT_ERROR],

  // ── meta commands ──
  ['mg without its opaque', (c) => c.metaGet('a'), 'VA 1 f16\r\nx\r\n', UNREADABLE],
  ['mg with the opaque of another', (c) => c.metaGet('a'), 'VA 1 f16 Ostranger\r\nx\r\n', UNREADABLE],
  ['mg with a broken length', (c) => c.metaGet('a'), 'VA -1 f16\r\nx\r\n', UNREADABLE],
  ['mg with its length one off', (c) => c.metaGet('a', { opaque: 'o' }), 'VA 2 f16 Oo\r\nx\r\n', TIMED_OUT],
  ['mg with flags that are no number', (c) => c.metaGet('a', { opaque: 'o' }), 'VA 1 fx Oo\r\nx\r\n', UNREADABLE_VALUE],
  ['ms without its opaque', (c) => c.metaSet('a', 'x'), afterVersion('HD\r\n'), UNREADABLE],
  ['ms refused with its block', (c) => c.metaSet('a', 'x'), afterVersion('CLIENT_ERROR bad data chunk\r\nERROR\r\n'), CLIENT_ERROR],
  ['md with a value', (c) => c.metaDelete('a', { opaque: 'o' }), 'VA 1 Oo\r\nx\r\n', UNREADABLE],
  ['ma with a time to live that is no number', (c) => c.metaArithmetic('a', { opaque: 'o' }), 'VA 1 t1x Oo\r\n5\r\n', UNREADABLE_VALUE],
  ['ma with a broken count', (c) => c.metaArithmetic('a', { opaque: 'o' }), 'VA 1 Oo\r\nx\r\n', UNREADABLE_VALUE],
  ['mn with more', (c) => c.metaNoop(), 'MN 1\r\n', UNREADABLE],
  ['a quiet command without its MN', (c) => c.executeMeta(new MetaCommand('mg', 'a', ['v', 'q'])), 'EN\r\n', TIMED_OUT],

  // ── servers ──
  ['version without a version', (c) => c.version(), 'VERSIO 1\r\n', UNREADABLE],
  ['stats that stop', (c) => c.stats(), 'STAT pid 1\r\n', TIMED_OUT],
  ['stats with nonsense', (c) => c.stats(), 'STAT pid 1\r\nnonsense\r\nEND\r\n', UNREADABLE],
  ['stats that are refused', (c) => c.stats('detail'), 'CLIENT_ERROR usage: stats detail on|off|dump\r\n', CLIENT_ERROR],
  ['a raw command that is refused', (c) => c.raw('nonsense'), 'ERROR\r\n', UNKNOWN_COMMAND],
  ['a raw command that is refused byte by byte', (c) => c.raw('incr a 1'), (c) => c.trickle('CLIENT_ERROR cannot increment\r\n'), CLIENT_ERROR],
  ['a raw command that is refused byte by byte, with another end', (c) => c.raw('x', 'END\r\n'), (c) => c.trickle('SERVER_ERROR out of memory\r\n'), SERVER_ERROR],
  ['a raw command without its end', (c) => c.raw('stats', 'END\r\n'), 'STAT pid 1\r\n', TIMED_OUT],
  ['a raw command with more behind it', (c) => c.raw('version'), 'VERSION 1\r\nEND\r\n', Buffer.from('VERSION 1')],
];

describe('a server that misbehaves', () => {
  it.each(rows)('%s', async (name, call, reply, outcome) => {
    const { client, clock } = makeClient();
    let done: () => void = () => undefined;
    const scripted = new Promise<void>((resolve) => (done = resolve));
    server.next(async (connection) => {
      await connection.expectMatch(/^[^]*\r\n/);
      if (typeof reply === 'string') await connection.send(reply);
      else await reply(connection);
      done();
    });
    const result = call(client);
    result.catch(() => undefined);
    await scripted;
    if (failed(outcome) && outcome.code === TIMED_OUT.code) {
      await turns();
      await clock.advance(1000);
    }
    await expectOutcome(result, outcome);
    await turns(5);
    // The value was there and was delivered; that the reply has no end is seen by the next call.
    if (name === 'no END' || name === 'gat without END') {
      expect(await bounded(failure(client.get('next')))).toMatchObject({ certainty: 'maybeExecuted' });
    }
    await expectUsable(client);
    await client.close();
  });

  it('has shown more than 60 kinds of it', () => {
    expect(rows.length).toBeGreaterThan(60);
  });

  it('too many connections, said before anything was asked: the call is made again on a new one', async () => {
    server.next(async (connection) => {
      await connection.send('ERROR Too many open connections\r\n');
      await connection.fin();
    });
    const { client } = makeClient();
    const outcome = await bounded(client.get('next').catch((error: unknown) => error));
    if (outcome !== 'fine') expect(outcome).toBeInstanceOf(MemcacheError);
    await expectUsable(client);
    await client.close();
  });

  it('bytes that come while nothing is awaited end the connection and reach nobody', async () => {
    for (const unsolicited of ['VALUE next 16 4\r\nevil\r\nEND\r\n', 'END\r\n', 'ERROR\r\n', 'STORED\r\n', 'x', '\r\n']) {
      const { client } = makeClient();
      expect(await client.get('next')).toBe('fine');
      const connection = server.connections.at(-1);
      await connection?.send(unsolicited);
      await bounded(connection?.closed ?? Promise.reject(new Error('no connection')));
      await expectUsable(client);
      await client.close();
    }
  });

  it('bytes that come in the tick of the next call end the connection, too', async () => {
    const { client } = makeClient();
    expect(await client.get('next')).toBe('fine');
    await server.connections.at(-1)?.send('VALUE evil 16 4\r\nevil\r\nEND\r\n');
    const outcome = await bounded(client.get('next').catch((error: unknown) => error));
    if (outcome !== 'fine') expect(outcome).toMatchObject({ certainty: 'maybeExecuted' });
    await expectUsable(client);
    await client.close();
  });

  it('a goodbye that nobody has read yet is read before an idle connection is used again: the call goes out on a new one', async () => {
    const memory = new MemoryServer();
    memory.put('next', 'fine');
    const handlers: TransportHandler[] = [];
    const clock = new VirtualClock();
    const client = new Client('server', {
      clock,
      connect: (address, options, handler) => {
        handlers.push(handler);
        return memory.connect(address, options, handler);
      },
    });
    expect(await client.get('next')).toBe('fine');
    await clock.advance(1001);
    const call = client.get('next');
    setImmediate(() => {
      handlers[0]?.onClose(undefined);
    });
    expect(await bounded(call)).toBe('fine');
    expect(memory.received).toEqual(['get next\r\n', 'get next\r\n']);
    await client.close();
    memory.close();
  });
});

describe('replies that are late', () => {
  /** The next connection, from when it was asked for what has this reply, and held. A version asked for before that is told. */
  const askedFor = (reply: string): Promise<ScriptedConnection> =>
    new Promise((resolve) => {
      server.next(async (connection) => {
        const [request] = await connection.expectMatch(/^[^]*\r\n/);
        if (request === 'version\r\n' && !reply.startsWith('VERSION')) {
          await connection.send('VERSION 1.6.45\r\n');
          await connection.expectMatch(/\r\n/);
        }
        resolve(connection);
        await connection.hold();
      });
    });

  const calls: readonly (readonly [string, Call, string])[] = [
    ['get', get, HIT],
    ['gets', (c) => c.gets('a'), 'VALUE a 16 5 7\r\nhello\r\nEND\r\n'],
    ['gat', (c) => c.gat('a', 1), HIT],
    ['getMany', (c) => c.getMany(['a', 'b']), HIT],
    ['set', (c) => c.set('a', 'x'), 'STORED\r\n'],
    ['incr', (c) => c.incr('a'), '5\r\n'],
    ['delete', (c) => c.delete('a'), 'DELETED\r\n'],
    ['stats', (c) => c.stats(), 'STAT pid 1\r\nEND\r\n'],
    ['metaGet', (c) => c.metaGet('a', { opaque: 'o' }), 'VA 5 f16 Oo\r\nhello\r\n'],
    ['metaSet', (c) => c.metaSet('a', 'x', { opaque: 'o' }), 'HD Oo\r\n'],
    ['raw', (c) => c.raw('version'), 'VERSION 1\r\n'],
  ];
  it.each(calls)('%s: nobody gets what comes after the time-out', async (_, call, reply) => {
    const { client, clock } = makeClient();
    const late = askedFor(reply);
    const result = failure(call(client));
    const connection = await late;
    await clock.advance(999);
    const after = client.get('next');
    await clock.advance(2);
    expect(await bounded(result)).toMatchObject(TIMED_OUT);
    await connection.send(reply);
    expect(await bounded(after.catch((error: unknown) => (error as MemcacheError).certainty))).toMatch(/fine|maybeExecuted/);
    await expectUsable(client);
    await client.close();
  });

  // Nothing in these replies tells which call they are for.
  const alike: readonly (readonly [string, Call, string, unknown])[] = [
    ['get of the same key', get, HIT, 'hello'],
    ['incr', (c) => c.incr('n'), '5\r\n', 5],
    ['touch', (c) => c.touch('a', 1), 'NOT_FOUND\r\n', false],
    ['add', (c) => c.add('a', 'x'), 'NOT_STORED\r\n', false],
    ['version', async (c) => [...(await c.version()).values()], 'VERSION 1\r\n', ['1']],
  ];
  it.each(alike)('%s: nor does the same call, made again before the time-out', async (_, call, reply, meant) => {
    const { client, clock } = makeClient();
    const late = askedFor(reply);
    const first = failure(call(client));
    const connection = await late;
    await clock.advance(999);
    const second = call(client).catch((error: unknown) => error);
    await clock.advance(2);
    expect(await bounded(first)).toMatchObject(TIMED_OUT);
    await connection.send(reply);
    const outcome = await bounded(second);
    expect(outcome).not.toEqual(meant);
    expect(outcome).toMatchObject(LOST);
    await expectUsable(client);
    await client.close();
  });

  it('a goodbye of a server that reads nothing more ends what is still being written', async () => {
    server.next(async (connection) => {
      connection.pause();
      await turns(50);
      void connection.fin();
      await connection.hold();
    });
    const client = new Client(server.address, { timeout: 0 });
    const value = Buffer.alloc(1_000_000, 'x');
    const calls = Array.from({ length: 30 }, (_, i) => client.set(`k${i}`, value));
    const [first, ...others] = await Promise.allSettled(calls);
    expect(first).toMatchObject({ status: 'rejected', reason: LOST });
    expect(others.at(-1)).toEqual({ status: 'fulfilled', value: true });
    await client.close();
  });

  it('a connection whose server has answered and reads nothing more is given up when a call could not be sent in time', async () => {
    server.next(async (connection) => {
      connection.pause();
      await connection.send('SERVER_ERROR out of memory storing object\r\n');
      await connection.hold();
    });
    const client = new Client(server.address, { timeout: 300, maxValueSize: 20_000_000 });
    // More than the system takes by itself.
    expect(await failure(client.set('k', Buffer.alloc(20_000_000, 'x')))).toMatchObject(SERVER_ERROR);
    expect(await failure(client.set('k', 'v', { noreply: true }))).toMatchObject({ ...TIMED_OUT, certainty: 'notSent' });
    expect([...client.metrics().values()]).toMatchObject([{ pending: 0, connections: 0, state: 'failing' }]);
    await expectUsable(client);
    await client.close();
  });

  it('no two of thousands of meta commands have the same opaque', async () => {
    const memory = new MemoryServer();
    const client = new Client('a', { connect: memory.connect });
    await Promise.all(Array.from({ length: 3000 }, () => client.metaGet('a')));
    const opaques = memory.received.join('').match(/ O\w+/g);
    expect([opaques?.length, new Set(opaques).size]).toEqual([3000, 3000]);
    await client.close();
    memory.close();
  });

  it('statistics that the server refuses cost no connection', async () => {
    const { client } = makeClient();
    server.next(async (connection) => {
      await connection.expect('stats nonsense\r\n');
      await connection.send('CLIENT_ERROR no such statistics\r\n');
    });
    expect(await bounded(failure(client.stats('nonsense')))).toMatchObject(CLIENT_ERROR);
    await expectUsable(client);
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it('a reply that trickles does not extend the deadline', async () => {
    const { client, clock } = makeClient({ timeout: 1000 });
    server.next(async (connection) => {
      await connection.expect('get a\r\n');
      for (const byte of HIT) {
        await clock.advance(60);
        await connection.send(byte);
      }
    });
    expect(await bounded(failure(client.get('a')))).toMatchObject(TIMED_OUT);
    expect(clock.now()).toBeLessThan(1200);
    await expectUsable(client);
    await client.close();
  });

  it('a slow server that answers in time is no failure', async () => {
    const { client, clock } = makeClient({ timeout: 1000 });
    server.next(async (connection) => {
      await connection.expect('get a b c\r\n');
      await clock.advance(990);
      await connection.send('VALUE b 16 1\r\nb\r\nEND\r\n');
    });
    expect(await bounded(Promise.all(['a', 'b', 'c'].map((key) => client.get(key))))).toEqual([undefined, 'b', undefined]);
    await client.close();
  });

  it('a call aborted while its reply is awaited leaves the others their own', async () => {
    const { client } = makeClient();
    const abort = new AbortController();
    server.next(async (connection) => {
      await connection.expect('get a b c\r\n');
      abort.abort();
      await connection.send('VALUE a 16 1\r\na\r\nVALUE b 16 1\r\nb\r\nVALUE c 16 1\r\nc\r\nEND\r\n');
    });
    const results = await bounded(
      Promise.allSettled([client.get('a'), client.get('b', { signal: abort.signal }), client.get('c')]),
    );
    expect(results).toEqual([
      { status: 'fulfilled', value: 'a' },
      { status: 'rejected', reason: abort.signal.reason as unknown },
      { status: 'fulfilled', value: 'c' },
    ]);
    await expectUsable(client);
    expect(server.connections).toHaveLength(1);
    await client.close();
  });
});

describe('FIN and RST on a real socket', () => {
  it.each(['fin', 'rst'] as const)('%s at every byte of a hit', async (how) => {
    const { client } = makeClient();
    for (let at = 0; at <= HIT.length; at++) {
      server.next(async (connection) => {
        await connection.expect('get a\r\n');
        if (at > 0) await connection.send(HIT.slice(0, at));
        await connection[how]();
      });
      const outcome = await bounded(client.get('a').catch((error: unknown) => error));
      if (outcome !== 'hello') expect(outcome).toMatchObject(LOST);
      await turns();
      await expectUsable(client);
      await client.close();
    }
  });

  it.each([
    [1, 0],
    [2, 1],
    [100, 0],
    [100, 99],
    [10_000, 0],
    [10_000, 1],
    [10_000, 9999],
  ])('RST with %d in flight and %d answered settles each once', async (calls, answered) => {
    const { client } = makeClient();
    const reply = 'STORED\r\n'.repeat(answered);
    server.next(async (connection) => {
      await connection.expectMatch(/set k0 [^]*\r\n/);
      if (answered > 0) await connection.send(reply);
      await turns();
      await connection.rst();
    });
    const results = await bounded(
      Promise.allSettled(Array.from({ length: calls }, (_, i) => client.set(`k${i}`, 'x', {}))),
    );
    let stored = 0;
    let lost = 0;
    for (const result of results) {
      if (result.status === 'fulfilled') stored++;
      else {
        expect(result.reason).toMatchObject(LOST);
        lost++;
      }
    }
    // Those that had not left yet go on over the next connection, and are stored there.
    expect(stored + lost).toBe(calls);
    expect(lost).toBeGreaterThan(0);
    await expectUsable(client);
    await client.close();
  });
});

describe('answers to what asked for none', () => {
  const answers = ['', 'STORED\r\n', 'ERROR\r\n', 'SERVER_ERROR out of memory\r\n', 'CLIENT_ERROR bad\r\n', 'ERROR\r\nERROR\r\n', 'NOT_STORED\r\nERROR\r\n'];
  it.each(answers)('%j is nobody’s reply', async (unasked) => {
    const { client } = makeClient();
    server.next(async (connection) => {
      await connection.expect('set a 16 0 1 noreply\r\nx\r\nversion\r\nget b\r\n');
      await connection.send(`${unasked}VERSION 1.6.45\r\nVALUE b 16 5\r\nright\r\nEND\r\n`);
    });
    const results = await bounded(Promise.all([client.set('a', 'x', { noreply: true }), client.get('b')]));
    expect(results).toEqual([true, 'right']);
    await expectUsable(client);
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it('a fence that is never answered delays nobody for ever', async () => {
    const { client, clock } = makeClient();
    server.next(async (connection) => {
      await connection.expectMatch(/version\r\n/);
      await connection.hold();
    });
    expect(await client.delete('a', { noreply: true })).toBe(true);
    const after = client.get('next').catch((error: unknown) => error);
    await turns();
    await clock.advance(1001);
    expect(await bounded(after)).toMatchObject(TIMED_OUT);
    await expectUsable(client);
    await client.close();
  });
});

describe('what comes behind a reply that leaves a doubt', () => {
  const doubtful: readonly (readonly [string, Failed])[] = [
    // The data of the first set was taken for a command, whose answer follows.
    ['CLIENT_ERROR bad data chunk', CLIENT_ERROR],
    ['CLIENT_ERROR line too long', CLIENT_ERROR],
    ['ERROR', UNKNOWN_COMMAND],
    ['EXISTS', UNREADABLE],
    ['VERSION 1.6.18', UNREADABLE],
    ['HTTP/1.1 400 Bad Request', UNREADABLE],
  ];
  it.each(doubtful)('%s: nobody gets it', async (line, outcome) => {
    const { client } = makeClient();
    server.next(async (connection) => {
      await connection.expect('set a 16 0 1\r\nx\r\nset b 16 0 1\r\ny\r\n');
      await connection.send(`${line}\r\nNOT_STORED\r\n`);
    });
    const calls = [client.set('a', 'x'), client.set('b', 'y')].map((call) => failure(call));
    expect(await bounded(Promise.all(calls))).toMatchObject([outcome, LOST]);
    await expectUsable(client);
    await client.close();
  });

  it('SERVER_ERROR leaves none: the next reply is the next call’s', async () => {
    const { client } = makeClient();
    server.next(async (connection) => {
      await connection.expect('set a 16 0 1\r\nx\r\nset b 16 0 1\r\ny\r\n');
      await connection.send('SERVER_ERROR object too large for cache\r\nNOT_STORED\r\n');
    });
    const [first, second] = [failure(client.set('a', 'x')), client.set('b', 'y')];
    expect(await bounded(first)).toMatchObject(SERVER_ERROR);
    expect(await bounded(second)).toBe(false);
    expect(server.connections).toHaveLength(1);
    await client.close();
  });
});

/** Every command with all the replies that are its own. */
const commands: readonly (readonly [name: string, call: Call, own: readonly string[]])[] = [
  ['get', get, ['END', 'VALUE a', 'VALUE a cas']],
  ['gets', (c) => c.gets('a'), ['END', 'VALUE a cas']],
  ['gat', (c) => c.gat('a', 0), ['END', 'VALUE a', 'VALUE a cas']],
  ['gats', (c) => c.gats('a', 0), ['END', 'VALUE a cas']],
  // After an error the keys are asked for one by one.
  ['getMany', (c) => c.getMany(['a', 'z']), ['END', 'VALUE a', 'VALUE a cas', 'CLIENT_ERROR', 'SERVER_ERROR']],
  ['set', (c) => c.set('a', 'x'), ['STORED', 'NOT_STORED']],
  ['add', (c) => c.add('a', 'x'), ['STORED', 'NOT_STORED']],
  ['append', (c) => c.append('a', 'x'), ['STORED', 'NOT_STORED']],
  ['cas', (c) => c.cas('a', 'x', '1'), ['STORED', 'EXISTS', 'NOT_FOUND']],
  ['setMany', (c) => c.setMany({ a: 1 }), ['STORED', 'NOT_STORED', 'SERVER_ERROR']],
  ['delete', (c) => c.delete('a'), ['DELETED', 'NOT_FOUND']],
  ['deleteMany', (c) => c.deleteMany(['a']), ['DELETED', 'NOT_FOUND']],
  ['touch', (c) => c.touch('a', 0), ['TOUCHED', 'NOT_FOUND']],
  ['incr', (c) => c.incr('a'), ['12', 'NOT_FOUND']],
  ['version', (c) => c.version(), ['VERSION']],
  ['stats', (c) => c.stats(), ['STAT', 'END', 'OK', 'RESET']],
  ['flushAll', (c) => c.flushAll(), ['OK']],
  ['verbosity', (c) => c.verbosity(1), ['OK']],
  ['cacheMemlimit', (c) => c.cacheMemlimit(64), ['OK']],
  ['metaGet', (c) => c.metaGet('a', { opaque: 'o' }), ['VA Oo', 'HD Oo', 'EN Oo', 'EN']],
  ['metaSet', (c) => c.metaSet('a', 'x', { opaque: 'o' }), ['HD Oo', 'NS Oo', 'EX Oo', 'NF Oo']],
  ['metaDelete', (c) => c.metaDelete('a', { opaque: 'o' }), ['HD Oo', 'NF Oo', 'EX Oo', 'NS Oo']],
  ['metaArithmetic', (c) => c.metaArithmetic('a', { opaque: 'o' }), ['VA Oo', 'HD Oo', 'NF Oo', 'NS Oo', 'EX Oo']],
  ['metaDebug', (c) => c.metaDebug('a'), ['ME', 'EN', 'EN Oo']],
  ['metaNoop', (c) => c.metaNoop(), ['MN']],
];
const replies: Readonly<Record<string, string>> = {
  'END': 'END\r\n',
  'VALUE a': HIT,
  'VALUE a cas': 'VALUE a 16 5 1\r\nhello\r\nEND\r\n',
  'VALUE b': 'VALUE b 16 5 1\r\nhello\r\nEND\r\n',
  'STORED': 'STORED\r\n',
  'NOT_STORED': 'NOT_STORED\r\n',
  'EXISTS': 'EXISTS\r\n',
  'NOT_FOUND': 'NOT_FOUND\r\n',
  'DELETED': 'DELETED\r\n',
  'TOUCHED': 'TOUCHED\r\n',
  '12': '12\r\n',
  'OK': 'OK\r\n',
  'RESET': 'RESET\r\n',
  'VERSION': 'VERSION 1.6.18\r\n',
  'STAT': 'STAT pid 1\r\nEND\r\n',
  'MN': 'MN\r\n',
  'HD': 'HD\r\n',
  'HD Oo': 'HD Oo\r\n',
  'EN': 'EN\r\n',
  'EN Oo': 'EN Oo\r\n',
  'NS Oo': 'NS Oo\r\n',
  'NF Oo': 'NF Oo\r\n',
  'EX Oo': 'EX Oo\r\n',
  'VA': 'VA 1\r\n1\r\n',
  'VA Oo': 'VA 1 f2 Oo\r\n1\r\n',
  'ME': 'ME a exp=-1 la=0\r\n',
  'CONFIG': 'CONFIG cluster 0 1\r\n1\r\nEND\r\n',
  'ERROR': 'ERROR\r\n',
  'CLIENT_ERROR': 'CLIENT_ERROR no\r\n',
  'SERVER_ERROR': 'SERVER_ERROR no\r\n',
};

describe('a reply of the wrong kind', () => {
  const ERRORS: Readonly<Record<string, Failed>> = { ERROR: UNKNOWN_COMMAND, CLIENT_ERROR, SERVER_ERROR };
  it.each(commands)('%s takes its own replies and no other', async (name, call, own) => {
    const memory = new MemoryServer();
    memory.put('next', 'fine');
    for (const [kind, reply] of Object.entries(replies)) {
      const client = new Client('server', { connect: memory.connect });
      // Before a data block of a meta command, and before `me`, the server is asked for its version.
      if (name === 'metaSet' || name === 'metaDebug') memory.next(() => ['VERSION 1.6.45\r\n'], () => [reply]);
      else memory.next(() => [reply]);
      const outcome: unknown = await bounded(call(client)).catch((error: unknown) => error);
      const took = outcome instanceof MemcacheError ? { kind, code: outcome.code, certainty: outcome.certainty } : { kind };
      expect(took).toEqual(own.includes(kind) ? { kind } : { kind, ...(name === 'metaNoop' && kind === 'EN' ? UNKNOWN_COMMAND : (ERRORS[kind] ?? UNREADABLE)) });
      expect(await bounded(client.get('next'))).toBe('fine');
      await client.close();
    }
    memory.close();
  });
});

describe('time that the process itself lost', () => {
  /** Holds up the event loop. */
  function stall(milliseconds: number): void {
    const until = performance.now() + milliseconds;
    while (performance.now() < until);
  }

  const moments: readonly (readonly [string, (client: Client) => Promise<unknown>])[] = [
    ['in the tick of the call', (client) => {
      const call = client.get('key');
      stall(300);
      return call;
    }],
    ['right behind that tick', (client) => {
      const call = client.get('key');
      process.nextTick(stall, 300);
      return call;
    }],
    ['before the reply is read', async (client) => {
      const call = client.get('key');
      await new Promise((resolve) => setImmediate(resolve));
      stall(300);
      return call;
    }],
    ['between two of many', async (client) => {
      const calls = Array.from({ length: 50 }, () => client.get('key'));
      setImmediate(stall, 300);
      return (await Promise.all(calls)).at(-1);
    }],
  ];
  /** Time that memcached lost is the server's. */
  async function overMemcached(test: (client: Client) => Promise<void>): Promise<void> {
    const memcached = await startMemcached();
    const client = new Client(memcached.address, { timeout: 100, connectTimeout: 100 });
    try {
      await insist(async () => {
        await client.set('key', 'value');
        await test(client);
      }, (error) => error instanceof MemcacheTimeoutError);
    } finally {
      await client.close();
      await memcached.stop();
    }
  }

  it.each(moments)('is not the server’s: no time-out after 100 ms for 300 ms lost %s', (_, call) =>
    overMemcached(async (client) => {
      for (let repetition = 0; repetition < 2; repetition++) expect(await call(client)).toBe('value');
    }),
  );

  it.each(moments)('is not the server’s while the connection is made, either: %s', (_, call) =>
    overMemcached(async (client) => {
      await client.close();
      expect(await call(client)).toBe('value');
    }),
  );

  it('a connection refused is told with the system’s reason', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as { port: number };
    closed.close();
    await once(closed, 'close');
    const client = new Client(['127.0.0.1', port]);
    const error = await failure(client.get('a'));
    expect(error).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent', cause: { code: 'ECONNREFUSED' } });
  });
});
