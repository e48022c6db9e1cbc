import { MemoryStore } from '../../../src/server/engine/store';
import type { RedisSession } from '../../../src/server/redis/session';
import { RedisTalk, respRequest } from './redis-talk';

const OK = '+OK\r\n';

describe('RedisSession', () => {
  it('answers an unknown command, and goes on', () => {
    const talk = new RedisTalk();
    expect(talk.say('NOSUCH a "b c"')).toBe(
      "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b c' \r\n",
    );
    expect(talk.send('x\r\ny', 'a\r\nb')).toBe("-ERR unknown command 'x  y', with args beginning with: 'a  b' \r\n");
    expect(talk.send('x'.repeat(200), 'y'.repeat(200), 'z')).toBe(
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'y'.repeat(128)}' \r\n`,
    );
    expect(talk.send('nul\0name', 'a\0b')).toBe("-ERR unknown command 'nul', with args beginning with: 'a' \r\n");
    expect(talk.say('CLIENT nosuch')).toBe("-ERR unknown subcommand 'nosuch'. Try CLIENT HELP.\r\n");
    // Names that every JavaScript object knows.
    for (const name of ['constructor', '__proto__', 'toString']) expect(talk.say(name)).toContain('unknown command');
    expect(talk.say('PING')).toBe('+PONG\r\n');
    expect(talk.ends).toBe(0);
  });

  it('answers a pipeline in order, however it is split', () => {
    const stream = respRequest('SET', 'k', 'v\r\n') + 'GET k\nINCR n\r\n' + respRequest('MGET', 'k', 'n') + '\r\n\r\nPING\n';
    const answer = `${OK}$3\r\nv\r\n\r\n:1\r\n*2\r\n$3\r\nv\r\n\r\n$1\r\n1\r\n+PONG\r\n`;
    for (let at = 0; at <= stream.length; at++) {
      const talk = new RedisTalk();
      talk.push(stream.slice(0, at));
      talk.push(stream.slice(at));
      expect(talk.take()).toBe(answer);
    }
    const slowly = new RedisTalk();
    for (const char of stream) slowly.push(char);
    expect(slowly.take()).toBe(answer);
  });

  it('tells of a broken stream, after what came before it, and ends', () => {
    const talk = new RedisTalk();
    talk.push('SET k 1\r\n*x\r\nSET k 2\r\n');
    expect(talk.take()).toBe(`${OK}-ERR Protocol error: invalid multibulk length\r\n`);
    expect([talk.ends, talk.session.ended]).toEqual([1, true]);
    expect(talk.say('SET k 3')).toBe('');
    expect(talk.store.find('k')?.value).toBe('1');
  });

  it('hangs up on what looks like HTTP', () => {
    for (const line of ['POST / HTTP/1.1', 'Host: localhost']) {
      const talk = new RedisTalk();
      talk.push(`${line}\r\nSET k 1\r\n`);
      expect([talk.take(), talk.ends, talk.store.size]).toEqual(['', 1, 0]);
    }
  });

  it('stops after so many commands, and after so many bytes of replies', () => {
    const talk = new RedisTalk({}, { maxCommands: 2, maxReplyBytes: 1_000_000 });
    expect(talk.push('INCR n\r\n'.repeat(5))).toBe(16);
    expect(talk.take()).toBe(':1\r\n:2\r\n');
    const long = new RedisTalk({}, { maxReplyBytes: 5000 });
    long.send('SET', 'k', 'x'.repeat(5000));
    expect(long.push('GET k\r\n'.repeat(3))).toBe(7);
  });

  it('lets others in after a listing', () => {
    const talk = new RedisTalk({}, { maxCommands: 2 });
    for (let i = 0; i < 8; i++) talk.say(`SET key${i} x`);
    const answers = talk.inTurns(`${'KEYS none\r\n'.repeat(2)}SCAN 0 MATCH none\r\nPING\r\n`);
    expect(answers).toEqual(['*0\r\n', '*0\r\n', '*2\r\n$1\r\n0\r\n*0\r\n', '+PONG\r\n']);
  });

  it('lets others in after a few bytes that have a megabyte read or copied', () => {
    const talk = new RedisTalk({}, { maxCommands: 500 });
    talk.store.store('set', 'k', Buffer.alloc(1_040_000, 'x'), 0, 0);
    const answers = talk.inTurns(`${'APPEND k y\r\n'.repeat(2)}INCR k\r\nPING\r\n`);
    expect(answers).toEqual([':1040001\r\n', ':1040002\r\n', '-ERR value is not an integer or out of range\r\n', '+PONG\r\n']);
  });

  it('answers a command of many values in as many turns as it takes, with the values as they were', () => {
    const text = `MGET ${'k none l '.repeat(200)}\r\nKEYS a*\r\nMULTI\r\nMGET k l none\r\nMGET l k\r\nGET none\r\nEXEC\r\nPING\r\n`;
    const [whole, pieces] = [{}, { maxCommands: 2, maxReplyBytes: 10_000 }].map((limits) => {
      const talk = new RedisTalk({}, limits);
      talk.say(`SET k ${'x'.repeat(900)}`);
      talk.say(`SET l ${'y'.repeat(5000)}`);
      for (let i = 0; i < 50; i++) talk.say(`SET a${i} x`);
      return talk.inTurns(text, (turn) => {
        if (turn === 0 && 'maxCommands' in limits) talk.store.store('set', 'k', 'z'.repeat(900), 0, 0);
        if (turn === 30) talk.store.store('set', 'k', 'x'.repeat(900), 0, 0);
      });
    });
    expect(pieces?.length).toBeGreaterThan(50);
    expect(pieces?.join('')).toBe(whole?.join(''));
  });

  it('ends with QUIT', () => {
    const talk = new RedisTalk();
    talk.push('QUIT\r\nSET k 1\r\n');
    expect([talk.take(), talk.ends, talk.store.size]).toEqual([OK, 1, 0]);
  });

  it('lets in who knows a password', () => {
    const auth = [
      { username: 'default', password: 'pässword' },
      { username: 'me', password: 'x' },
    ];
    const talk = new RedisTalk({ auth });
    const denied = '-NOAUTH Authentication required.\r\n';
    const wrong = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
    const password = Buffer.from('pässword').toString('latin1');
    expect(talk.say('GET k') + talk.say('PING') + talk.say('FLUSHALL')).toBe(denied.repeat(3));
    expect(talk.say('AUTH x') + talk.say('AUTH default x') + talk.say('AUTH nobody x')).toBe(wrong.repeat(3));
    expect(talk.say('AUTH a b c')).toBe('-ERR syntax error\r\n');
    expect(talk.say('HELLO 3')).toBe(
      '-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to ' +
        'authenticate the client and select the RESP protocol version at the same time\r\n',
    );
    expect(talk.say('MULTI') + talk.say('EXEC') + talk.say('DISCARD')).toBe(
      `${denied}-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n${denied}`,
    );
    expect(talk.say('HELLO 3 AUTH me y')).toBe(wrong);
    expect(talk.say('SET k 1')).toBe(denied);
    expect(talk.say(`AUTH ${password}`) + talk.say('SET k 1')).toBe(OK + OK);
    expect(talk.say('RESET') + talk.say('SET k 1')).toBe(`+RESET\r\n${denied}`);
    expect(talk.say('AUTH me x') + talk.say('GET k')).toBe(`${OK}$1\r\n1\r\n`);
    talk.say('RESET');
    expect(talk.say('HELLO 2 AUTH me x') + talk.say('GET k')).toContain('$1\r\n1\r\n');
    expect(talk.context.authErrors).toBe(4);
    const unknown = new RedisTalk({ auth });
    unknown.push(respRequest('SET', 'k', 'x'.repeat(20_000)));
    expect(unknown.take()).toBe('-ERR Protocol error: unauthenticated bulk length\r\n');
    // The bounds of somebody unknown are gone in the same packet.
    const quick = new RedisTalk({ auth });
    quick.push('AUTH me x\r\n' + respRequest('SET', 'k', 'x'.repeat(20_000)));
    expect(quick.take()).toBe(OK + OK);
  });

  it('needs no password when there is none', () => {
    const talk = new RedisTalk();
    expect(talk.say('AUTH x')).toContain('-ERR AUTH <password> called without any password configured');
    expect(talk.say('AUTH default x')).toBe(OK);
    expect(talk.say('AUTH me x')).toContain('-WRONGPASS');
  });

  it('speaks RESP2, and RESP3 when asked', () => {
    const talk = new RedisTalk();
    expect(talk.say('HELLO')).toContain('*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n');
    expect(talk.say('HELLO 4') + talk.say('HELLO 1')).toBe('-NOPROTO unsupported protocol version\r\n'.repeat(2));
    expect(talk.say('HELLO x')).toBe('-ERR Protocol version is not an integer or out of range\r\n');
    expect(talk.say('HELLO 3 what')).toBe("-ERR Syntax error in HELLO option 'what'\r\n");
    expect(talk.send('HELLO', '3', 'wh\0at')).toBe("-ERR Syntax error in HELLO option 'wh'\r\n");
    expect(talk.say('HELLO 3 SETNAME "a b"')).toContain('-ERR Client names cannot contain spaces');
    expect(talk.say('GET none')).toBe('$-1\r\n');
    expect(talk.say('HELLO 3 SETNAME me')).toContain('%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n');
    expect(talk.say('CLIENT GETNAME')).toBe('$2\r\nme\r\n');
    expect(talk.say('GET none') + talk.say('MGET none')).toBe('_\r\n*1\r\n_\r\n');
    expect(talk.say('CONFIG GET save')).toBe('%1\r\n$4\r\nsave\r\n$0\r\n\r\n');
    expect(talk.say('INFO keyspace')).toBe('=16\r\ntxt:# Keyspace\r\n\r\n');
    expect(talk.say('RESET') + talk.say('GET none') + talk.say('CLIENT GETNAME')).toBe('+RESET\r\n$-1\r\n$-1\r\n');
  });

  it('knows its client', () => {
    const talk = new RedisTalk();
    expect(talk.say('CLIENT ID')).toBe(':1\r\n');
    expect(talk.say('CLIENT SETINFO lib-name me') + talk.say('CLIENT SETINFO LIB-VER 1')).toBe(OK + OK);
    expect(talk.say('CLIENT SETINFO lib-name "a b"')).toBe(
      '-ERR lib-name cannot contain spaces, newlines or special characters.\r\n',
    );
    const long = 'n'.repeat(1025);
    expect(talk.say(`CLIENT SETNAME ${long.slice(1)}`)).toBe(OK);
    expect(talk.say(`CLIENT SETNAME ${long}`)).toBe('-ERR Client names cannot be longer than 1024 bytes.\r\n');
    expect(talk.say(`HELLO 3 SETNAME ${long}`)).toBe('-ERR Client names cannot be longer than 1024 bytes.\r\n');
    expect(talk.say(`CLIENT SETINFO lib-ver ${long}`)).toBe('-ERR lib-ver cannot be longer than 1024 bytes.\r\n');
    expect(talk.say('CLIENT SETINFO what x')).toBe("-ERR Unrecognized option 'what'\r\n");
    expect(talk.say('SELECT 0')).toBe(OK);
    expect(talk.say('SELECT 1')).toBe('-ERR DB index is out of range\r\n');
    expect(talk.say('SELECT x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(talk.say('SELECT 2147483647')).toBe('-ERR DB index is out of range\r\n');
    expect(talk.say('SELECT 2147483648')).toBe('-ERR value is out of range, value must between -2147483648 and 2147483647\r\n');
    expect(talk.say('PING hi') + talk.say('ECHO hi')).toBe('$2\r\nhi\r\n$2\r\nhi\r\n');
    expect(talk.say('PING a b')).toBe("-ERR wrong number of arguments for 'ping' command\r\n");
  });

  it('logs commands with their keys, and nothing else of them', () => {
    const lines: string[] = [];
    const talk = new RedisTalk({ verbosity: 2, log: (line) => lines.push(line), auth: { username: 'default', password: 'secret' } });
    talk.say('GET before');
    talk.say('AUTH secret');
    for (const line of ['SET k v EX 10', 'MSET "a\\nb" 1 c 2', 'AUTH secret', 'client setname me', 'NOSUCH secret', 'GET']) talk.say(line);
    expect(lines).toEqual(['< set "k"', '< mset "a\\nb" "c"', '< auth', '< client setname', '< unknown', '< get ""']);
  });

  it('counts the memory of a request no more when its client goes, or makes a mistake in it', () => {
    const talk = new RedisTalk();
    const { requestMemory } = talk.context;
    for (const end of [(session: RedisSession) => { session.close(); }, (session: RedisSession) => { session.push(Buffer.from('+\r\n'), 0, 3); }]) {
      const session = talk.open();
      const bytes = Buffer.from(`*3\r\n$3\r\nSET\r\n$40000\r\n${'x'.repeat(40_000)}\r\n`);
      session.push(bytes, 0, bytes.length);
      expect(requestMemory.total).toBeGreaterThan(40_000);
      end(session);
      expect(requestMemory.total).toBe(0);
    }
  });

  it('ends a session whose command fails within, and no other', () => {
    const lines: string[] = [];
    class BrokenStore extends MemoryStore {
      override find(): never {
        throw new Error('broken');
      }
    }
    const talk = new RedisTalk({ store: new BrokenStore(), verbosity: 1, log: (line) => lines.push(line) });
    expect(talk.say('GET k')).toBe('');
    expect([talk.ends, lines]).toEqual([1, ['closing a connection: Error: broken']]);
    const other = talk.open();
    other.push(Buffer.from('PING\r\n'), 0, 6);
    expect(talk.take()).toBe('+PONG\r\n');
  });
});
