import { MemoryStore } from '../../../src/server/engine/store';
import type { RedisSession } from '../../../src/server/redis/session';
import { RedisTalk, respRequest } from './redis-talk';

const talk = new RedisTalk();

/** What Redis 7.0 answers to the same lines, one after the other. */
const SCRIPT: readonly (readonly [line: string, answer: string])[] = [
  ['MULTI', '+OK\r\n'],
  ['SET a 1', '+QUEUED\r\n'],
  ['INCR a', '+QUEUED\r\n'],
  ['GET nosuch', '+QUEUED\r\n'],
  ['EXEC', '*3\r\n+OK\r\n:2\r\n$-1\r\n'],
  ['EXEC', '-ERR EXEC without MULTI\r\n'],
  ['DISCARD', '-ERR DISCARD without MULTI\r\n'],
  ['MULTI', '+OK\r\n'],
  ['MULTI', '-ERR MULTI calls can not be nested\r\n'],
  ['NOSUCH', "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"],
  ['GET', "-ERR wrong number of arguments for 'get' command\r\n"],
  ['EXEC', '-EXECABORT Transaction discarded because of previous errors.\r\n'],
  ['MULTI', '+OK\r\n'],
  ['SET a 7', '+QUEUED\r\n'],
  ['DISCARD', '+OK\r\n'],
  ['GET a', '$1\r\n2\r\n'],
  ['MULTI x', "-ERR wrong number of arguments for 'multi' command\r\n"],
  ['MULTI', '+OK\r\n'],
  ['SET a x', '+QUEUED\r\n'],
  ['INCR a', '+QUEUED\r\n'],
  ['GET a', '+QUEUED\r\n'],
  ['EXEC', '*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n'],
  ['WATCH a', '+OK\r\n'],
  ['WATCH', "-ERR wrong number of arguments for 'watch' command\r\n"],
  ['MULTI', '+OK\r\n'],
  ['WATCH a', '-ERR WATCH inside MULTI is not allowed\r\n'],
  ['UNWATCH', '+QUEUED\r\n'],
  ['PING', '+QUEUED\r\n'],
  ['EXEC', '*2\r\n+OK\r\n+PONG\r\n'],
  ['MULTI', '+OK\r\n'],
  ['SAVE', '-ERR Command not allowed inside a transaction\r\n'],
  ['EXEC', '-EXECABORT Transaction discarded because of previous errors.\r\n'],
  ['MULTI', '+OK\r\n'],
  ['EXEC', '*0\r\n'],
  ['MULTI', '+OK\r\n'],
  ['SET a 8', '+QUEUED\r\n'],
  ['EXEC x', "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"],
  ['GET a', '$1\r\nx\r\n'],
  ['MULTI', '+OK\r\n'],
  ['RESET', '+RESET\r\n'],
  ['EXEC', '-ERR EXEC without MULTI\r\n'],
  ['WATCH a', '+OK\r\n'],
  ['EXEC x', "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"],
  ['SET a 9', '+OK\r\n'],
  ['MULTI', '+OK\r\n'],
  ['GET a', '+QUEUED\r\n'],
  ['EXEC', '*1\r\n$1\r\n9\r\n'],
];

it('a transaction is answered as by Redis', () => {
  for (const [line, answer] of SCRIPT) expect([line, talk.say(line)]).toEqual([line, answer]);
});

it('a client that has gone watches nothing', () => {
  const watched = new Set<string>();
  class Watched extends MemoryStore {
    override watch(...args: Parameters<MemoryStore['watch']>): void {
      watched.add(args[0]);
      super.watch(...args);
    }
    override unwatch(...args: Parameters<MemoryStore['unwatch']>): void {
      watched.delete(args[0]);
      super.unwatch(...args);
    }
  }
  const own = new RedisTalk({ store: new Watched() });
  own.say('WATCH a b');
  expect([...watched]).toEqual(['a', 'b']);
  own.session.close();
  expect([...watched]).toEqual([]);
});

it('keeps what was sent, although the memory is overwritten meanwhile', () => {
  talk.say('MULTI');
  talk.send('SET', 'long', 'x'.repeat(100_000));
  talk.send('SET', 'b\0c', 'y');
  expect(talk.say('GET long')).toBe('+QUEUED\r\n');
  expect(talk.say('EXEC')).toBe(`*3\r\n+OK\r\n+OK\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`);
  expect(talk.send('GET', 'b\0c')).toBe('$1\r\ny\r\n');
});

it.each([
  ['another client sets it', 'SET w 2'],
  ['it gets a deadline', 'EXPIRE w 100'],
  ['it is deleted', 'DEL w'],
  ['everything is', 'FLUSHALL'],
])('executes nothing when %s', (_, line) => {
  const other = talk.open();
  talk.say('SET w 1');
  talk.say('WATCH w none');
  other.push(Buffer.from(`${line}\r\n`), 0, line.length + 2);
  talk.take();
  talk.say('MULTI');
  talk.say('SET w 3');
  expect(talk.say('EXEC')).toBe('*-1\r\n');
  // The watch is over.
  talk.say('SET w 4');
  talk.say('MULTI');
  expect(talk.say('EXEC')).toBe('*0\r\n');
});

it('executes nothing when a watched key has changed in a store without cas numbers', () => {
  const own = new RedisTalk({ store: new MemoryStore({ cas: false }) });
  const other = own.open();
  own.say('SET w 1');
  own.say('WATCH w');
  other.push(Buffer.from('SET w 2\r\n'), 0, 9);
  own.take();
  own.say('MULTI');
  own.say('SET w 3');
  expect(own.say('EXEC')).toBe('*-1\r\n');
  expect(own.say('GET w')).toBe('$1\r\n2\r\n');
});

it('has no more room than 16 MiB', () => {
  talk.say('MULTI');
  for (let i = 0; i < 16; i++) talk.send('SET', `k${i}`, 'x'.repeat(1_000_000));
  expect(talk.send('SET', 'more', 'x'.repeat(1_000_000))).toBe('-ERR the transaction is longer than 16 MiB\r\n');
  expect(talk.say('EXEC')).toContain('EXECABORT');
});

it('has no more room than 128 MiB together with those of other clients and their watched keys: who has most loses', () => {
  const own = new RedisTalk();
  const say = (session: RedisSession, ...args: string[]): string => {
    const bytes = Buffer.from(respRequest(...args), 'latin1');
    session.push(bytes, 0, bytes.length);
    return own.take();
  };
  const sets = Buffer.from(`MULTI\r\n${respRequest('SET', 'k', 'x'.repeat(1_000_000)).repeat(15)}`, 'latin1');
  const fill = (): { session: RedisSession; answer: string } => {
    const session = own.open();
    session.push(sets, 0, sets.length);
    return { session, answer: own.take() };
  };
  const others = Array.from({ length: 8 }, fill);
  for (const { answer } of others) expect(answer).toBe(`+OK\r\n${'+QUEUED\r\n'.repeat(15)}`);
  const greedy = fill();
  expect(greedy.answer).toBe(`+OK\r\n${'+QUEUED\r\n'.repeat(14)}-ERR too much memory in transactions\r\n`);
  expect(say(greedy.session, 'PING')).toBe('-ERR too much memory in transactions\r\n');
  expect(say(greedy.session, 'EXEC')).toContain('EXECABORT');
  expect(own.say('MULTI') + own.say('PING') + own.say('EXEC')).toBe('+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n');

  const watching = own.open();
  for (let i = 0; i < 100; i++) say(watching, 'WATCH', ...Array.from({ length: 1000 }, (_, n) => `k${i * 1000 + n}`.padEnd(200, '-')));
  say(watching, 'MULTI');
  expect(say(watching, 'EXEC')).toBe('*-1\r\n');
  const left = others.filter(({ session }) => say(session, 'EXEC').startsWith('*15\r\n'));
  expect(left.length).toBe(7);
  // What was let go of counts no more.
  expect(own.context.keptMemory.total).toBe(0);
});

it('has no more commands than 100000, each of which takes memory however short it is', () => {
  talk.say('MULTI');
  for (let i = 0; i < 100; i++) expect(talk.ask('PING\r\n'.repeat(1000))).toBe('+QUEUED\r\n'.repeat(1000));
  expect(talk.say('PING')).toBe('-ERR the transaction has more than 100000 commands\r\n');
  expect(talk.say('EXEC')).toContain('EXECABORT');
});

it('has no room for arguments without end, be they empty', () => {
  talk.say('MULTI');
  const request = `*100001\r\n$4\r\nPING\r\n${'$0\r\n\r\n'.repeat(100_000)}`;
  for (let i = 0; i < 10; i++) expect(talk.ask(request)).toBe('+QUEUED\r\n');
  expect(talk.ask(request)).toBe('-ERR the transaction is longer than 16 MiB\r\n');
  talk.say('DISCARD');
});

it('is answered with 64 MiB at most: what is left then is refused, and changes nothing', () => {
  const value = 'x'.repeat(1_000_000);
  talk.send('SET', 'big', value);
  talk.say('MULTI');
  talk.ask('GET big\r\n'.repeat(70));
  talk.say('SET big small');
  const answer = talk.say('EXEC');
  const refusal = '-ERR the reply would be longer than 64 MiB\r\n';
  const sent = answer.match(/\$1000000\r\n/g)?.length ?? 0;
  expect(sent).toBe(68);
  expect(answer).toBe(`*71\r\n${`$1000000\r\n${value}\r\n`.repeat(sent)}${refusal.repeat(71 - sent)}`);
  expect(talk.say('GET big')).toBe(`$1000000\r\n${value}\r\n`);
  talk.say('DEL big');
});

it('lists no more after four million items: it would keep all others waiting', () => {
  const own = new RedisTalk();
  for (let i = 0; i < 4096; i++) own.store.store('set', `k${i}`, 'v', 0, 0);
  own.say('MULTI');
  own.ask(`${'KEYS none\r\n'.repeat(1026)}SET k0 changed\r\n`);
  expect(own.say('EXEC')).toBe(`*1027\r\n${'*0\r\n'.repeat(1024)}${'-ERR the transaction takes too long\r\n'.repeat(3)}`);
  expect(own.say('GET k0')).toBe('$1\r\nv\r\n');
});

it('WATCH takes 100000 keys', () => {
  const watching = new RedisTalk();
  for (let i = 0; i < 100_000; i += 1000) watching.say(`WATCH ${Array.from({ length: 1000 }, (_, n) => `k${i + n}`).join(' ')}`);
  expect(watching.say('WATCH k1')).toBe('+OK\r\n');
  expect(watching.say('WATCH more')).toBe('-ERR more than 100000 keys are watched\r\n');
  watching.say('UNWATCH');
  expect(watching.say('WATCH more')).toBe('+OK\r\n');
});

describe('a key that is as it was, but has changed since WATCH', () => {
  it.each([
    ['none: was set and deleted', [], ['SET k 1', 'DEL k']],
    ['none: was set and flushed', [], ['SET k 1', 'FLUSHALL']],
    ['was given a life, which was taken back', ['SET k 1'], ['EXPIRE k 100', 'PERSIST k']],
    ['was set by the client itself', ['SET k 1'], []],
  ])('%s', (_name, before, between) => {
    const watching = new RedisTalk();
    const other = new RedisTalk({ store: watching.store });
    for (const line of before) watching.say(line);
    watching.say('WATCH k');
    for (const line of between) other.say(line);
    if (between.length === 0) watching.say('SET k 1');
    watching.say('MULTI');
    expect(watching.say('EXEC')).toBe('*-1\r\n');
    // And not for ever.
    watching.say('MULTI');
    expect(watching.say('EXEC')).toBe('*0\r\n');
  });

  it('others may change what was watched before, or only read what is', () => {
    const watching = new RedisTalk();
    watching.say('SET k 1');
    watching.say('WATCH k');
    watching.say('UNWATCH');
    watching.say('SET k 2');
    watching.say('WATCH k');
    for (const line of ['GET k', 'GETEX k', 'GETEX k PERSIST', 'PERSIST k', 'SETNX k 1', 'DECRBY k x', 'FLUSHALL x']) watching.say(line);
    watching.say('SET l 1');
    watching.say('MULTI');
    expect(watching.say('EXEC')).toBe('*0\r\n');
  });
});

it.each(['-1', '+0', '-0', '00', '', '5', '18446744073709551615'])('SCAN takes the cursor %j, as Redis does', (cursor) => {
  expect(talk.send('SCAN', cursor, 'MATCH', 'nothing*')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
});

it.each(['18446744073709551616', 'abc', '1x', ' 1', '-', '+'])('SCAN does not take the cursor %j', (cursor) => {
  expect(talk.send('SCAN', cursor)).toBe('-ERR invalid cursor\r\n');
});

it('INCR takes no whitespace that the store has not put there', () => {
  talk.send('SET', 'n', '1 ');
  expect(talk.say('INCR n')).toBe('-ERR value is not an integer or out of range\r\n');
  talk.store.store('set', 'n', '10', 0, 0);
  talk.store.count('n', false, 1n, 0);
  expect(talk.say('GET n')).toBe('$2\r\n9 \r\n');
  expect(talk.say('INCRBY n 1')).toBe(':10\r\n');
  talk.store.count('n', false, 1n, 0);
  talk.say('APPEND n x');
  talk.store.store('set', 'n', '9 ', 0, 0);
  expect(talk.say('INCR n')).toBe('-ERR value is not an integer or out of range\r\n');
});
