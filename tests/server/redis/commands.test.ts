import { COMMANDS } from '../../../src/server/redis/commands/table';
import type { Command } from '../../../src/server/redis/commands/command';
import type { SaveControl } from '../../../src/server/snapshot/save-control';
import { MemoryStore } from '../../../src/server/engine/store';
import { valueText } from '../../../src/server/engine/item';
import { Glob } from '../../../src/server/redis/commands/glob';
import { RedisTalk, respRequest } from './redis-talk';

const SYNTAX = '-ERR syntax error\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const NIL = '$-1\r\n';
const OK = '+OK\r\n';

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('strings', () => {
  const talk = new RedisTalk();
  beforeEach(() => talk.say('FLUSHALL'));

  it('are set and got, whatever their bytes', () => {
    const value = 'a\r\n\0\xff"';
    expect(talk.send('SET', 'k', value)).toBe(OK);
    expect(talk.send('get', 'k')).toBe(bulk(value));
    expect(talk.say('GeT none')).toBe(NIL);
    for (const size of [0, 1, 1023, 1024, 5000, 200_000]) {
      talk.send('SET', 'k', 'x'.repeat(size));
      expect(talk.say('STRLEN k')).toBe(`:${size}\r\n`);
      expect(talk.say('GET k')).toBe(bulk('x'.repeat(size)));
    }
    expect(talk.say('STRLEN none')).toBe(':0\r\n');
  });

  it('are set on condition', () => {
    expect(talk.say('SET k 1 XX')).toBe(NIL);
    expect(talk.say('SET k 1 NX')).toBe(OK);
    expect(talk.say('SET k 2 NX')).toBe(NIL);
    expect(talk.say('SET k 2 xx')).toBe(OK);
    expect(talk.say('SET k 3 GET')).toBe(bulk('2'));
    expect(talk.say('SET k 4 NX GET')).toBe(bulk('3'));
    expect(talk.say('GET k')).toBe(bulk('3'));
    expect(talk.say('SET other 1 GET')).toBe(NIL);
    expect(talk.say('SETNX k 5')).toBe(':0\r\n');
    expect(talk.say('SETNX new 5')).toBe(':1\r\n');
    expect(talk.say('SET k 1 NX XX')).toBe(SYNTAX);
    expect(talk.say('SET k 1 what')).toBe(SYNTAX);
  });

  it('are set with a life', () => {
    const now = talk.clock.time();
    for (const [options, left] of [
      ['EX 100', 100_000],
      ['PX 1500', 1500],
      [`EXAT ${now / 1000 + 50}`, 50_000],
      [`PXAT ${now + 70}`, 70],
      // Beyond 30 days memcached would read a Unix time.
      ['EX 5000000', 5_000_000_000],
      ['ex 1 EX 2', 2000],
    ] as const) {
      expect(talk.say(`SET k 1 ${options}`)).toBe(OK);
      expect(talk.say('PTTL k')).toBe(`:${left}\r\n`);
    }
    talk.say('SET k 2 KEEPTTL');
    expect(talk.say('PTTL k')).toBe(':2000\r\n');
    talk.say('SET k 2');
    expect(talk.say('PTTL k')).toBe(':-1\r\n');
    expect(talk.say('SET k 1 EXAT 1')).toBe(OK);
    expect(talk.say('GET k')).toBe(NIL);
    expect(talk.say('SETEX k 5 v') + talk.say('TTL k')).toBe(`${OK}:5\r\n`);
    expect(talk.say('PSETEX k 5 v') + talk.say('PTTL k')).toBe(`${OK}:5\r\n`);
  });

  it('are not set with a life that cannot be', () => {
    for (const options of ['EX 0', 'PX -1', 'EX 9223372036854775807', 'PX 9223372036854775807', 'EXAT 0']) {
      expect(talk.say(`SET k 1 ${options}`)).toBe("-ERR invalid expire time in 'set' command\r\n");
    }
    for (const options of ['EX 1.5', 'EX +1', 'EX x', 'PX 01']) expect(talk.say(`SET k 1 ${options}`)).toBe(NOT_INTEGER);
    for (const options of ['EX', 'EX 1 PX 1', 'EX 1 KEEPTTL', 'KEEPTTL PXAT 1', 'PERSIST']) {
      expect(talk.say(`SET k 1 ${options}`)).toBe(SYNTAX);
    }
    expect(talk.say('SETEX k 0 v')).toBe("-ERR invalid expire time in 'setex' command\r\n");
    expect(talk.say('PSETEX k -1 v')).toBe("-ERR invalid expire time in 'psetex' command\r\n");
    expect(talk.say('DBSIZE')).toBe(':0\r\n');
  });

  it('are got and changed at once', () => {
    talk.say('SET k 1 EX 10');
    expect(talk.say('GETEX k')).toBe(bulk('1'));
    expect(talk.say('TTL k')).toBe(':10\r\n');
    expect(talk.say('GETEX k PERSIST') + talk.say('TTL k')).toBe(`${bulk('1')}:-1\r\n`);
    expect(talk.say('GETEX k PX 70') + talk.say('PTTL k')).toBe(`${bulk('1')}:70\r\n`);
    expect(talk.say('GETEX k EX 0')).toBe("-ERR invalid expire time in 'getex' command\r\n");
    expect(talk.say('GETEX k NX')).toBe(SYNTAX);
    expect(talk.say('GETEX none EX 1')).toBe(NIL);
    expect(talk.say('GETSET k 2')).toBe(bulk('1'));
    expect(talk.say('TTL k')).toBe(':-1\r\n');
    expect(talk.say('GETDEL k')).toBe(bulk('2'));
    expect(talk.say('GETDEL k')).toBe(NIL);
  });

  it('are set and got many at once', () => {
    expect(talk.say('MSET a 1 b 2 a 3')).toBe(OK);
    expect(talk.say('MGET a none b')).toBe(`*3\r\n${bulk('3')}${NIL}${bulk('2')}`);
    expect(talk.say('MSET a 1 b')).toBe("-ERR wrong number of arguments for 'mset' command\r\n");
  });

  it('are appended to, and keep their life and flags', () => {
    expect(talk.say('APPEND k ab')).toBe(':2\r\n');
    expect(talk.store.find('k')?.flags).toBe(16);
    talk.store.store('set', 'k', 'x', 77, talk.store.deadline(10));
    expect(talk.send('APPEND', 'k', 'y'.repeat(2000))).toBe(':2001\r\n');
    expect(talk.say('TTL k')).toBe(':10\r\n');
    expect(talk.store.find('k')?.flags).toBe(77);
  });

  it('have flags of their own, whatever arrived with them', () => {
    const talk = new RedisTalk();
    talk.ask(respRequest('SET', 'a', 'text') + respRequest('SET', 'b', '\xff\xff') + respRequest('SET', 'c', '\xc3\xa4') + respRequest('SET', 'd', 'text'));
    expect(['a', 'b', 'c', 'd'].map((key) => talk.store.find(key)?.flags)).toEqual([16, 0, 16, 16]);
    // The next bytes may lie in the same memory.
    const bytes = Buffer.from(respRequest('SET', 'e', 'xx'), 'latin1');
    talk.session.push(bytes, 0, bytes.length);
    bytes.write(respRequest('SET', 'f', '\xff\xff'), 'latin1');
    talk.session.push(bytes, 0, bytes.length);
    expect(['e', 'f'].map((key) => talk.store.find(key)?.flags)).toEqual([16, 0]);
  });

  it('have flags that say what they are', () => {
    talk.send('SET', 'text', Buffer.from('grün').toString('latin1'));
    talk.send('SET', 'long', Buffer.from('grün'.repeat(1000)).toString('latin1'));
    talk.send('SET', 'bytes', 'gr\xfcn');
    talk.send('SET', 'many bytes', 'gr\xfcn'.repeat(1000));
    talk.say('INCR number');
    talk.say('SET count 5');
    talk.say('INCR count');
    const flags = Array.from(talk.store.items(), ({ key, flags }) => [key, flags]);
    expect(Object.fromEntries(flags)).toEqual({
      text: 16,
      long: 16,
      bytes: 0,
      'many bytes': 0,
      number: 2,
      count: 16,
    });
  });

  it('that are too large take the old value along, as in memcached', () => {
    const small = new RedisTalk({ store: new MemoryStore({ maxItemSize: 2000 }) });
    const refused = '-ERR value is larger than the item size limit\r\n';
    for (const size of [1990, 2001, 100_000]) {
      small.say('MSET k old other 1');
      expect(small.send('SET', 'k', 'x'.repeat(size), 'EX', '10')).toBe(refused);
      expect(small.say('MGET k other')).toBe(`*2\r\n${NIL}${bulk('1')}`);
      expect(small.send('MSET', 'other', '2', 'k', 'x'.repeat(size))).toBe(refused);
    }
    small.say('SET k old');
    expect(small.send('APPEND', 'k', 'x'.repeat(1990))).toBe(refused);
    expect(small.send('APPEND', 'k', 'x'.repeat(2001))).toBe(refused);
    expect(small.say('GET k')).toBe(bulk('old'));
    // An argument that is no value.
    expect(small.send('ECHO', 'x'.repeat(2001))).toBe(refused);
    expect(small.send('GET', 'x'.repeat(2001))).toBe(refused);
    expect(small.say('PING')).toBe('+PONG\r\n');
  });

  it('may be as large as the store allows, and beyond what the requests of all clients may hold for small values', () => {
    const large = new RedisTalk({ store: new MemoryStore({ maxBytes: 2 ** 28, maxItemSize: 2 ** 27 }) });
    const part = Buffer.alloc(2 ** 20);
    expect(large.ask(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${65 * part.length}\r\n`)).toBe('');
    for (let i = 0; i < 65; i++) large.session.push(part, 0, part.length);
    expect(large.ask('\r\n')).toBe('+OK\r\n');
    expect(large.say('STRLEN k')).toBe(`:${65 * part.length}\r\n`);
  });

  it('are refused when memory is full and nothing may be evicted', () => {
    const full = new RedisTalk({ store: new MemoryStore({ maxBytes: 1000, evict: false }) });
    full.say('SET n 9');
    const refused = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    expect(full.send('SET', 'k', 'x'.repeat(900))).toBe(refused);
    expect(full.say('GET n')).toBe(bulk('9'));
    expect(full.send('APPEND', 'n', 'x'.repeat(900))).toBe(refused);
    expect(full.send('APPEND', 'n', 'x'.repeat(2 ** 20))).toBe('-ERR value is larger than the item size limit\r\n');
    expect(full.say('INCR n')).toBe(':10\r\n');
    expect(full.say('CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(full.say('INFO memory')).toContain('maxmemory_policy:noeviction\r\n');
  });

  it('are not sent when their sum is beyond all measure', () => {
    talk.send('SET', 'k', 'x'.repeat(1_000_000));
    expect(talk.say(`MGET${' k'.repeat(68)}`)).toBe('-ERR the reply would be longer than 64 MiB\r\n');
  });
});

describe('counters', () => {
  const talk = new RedisTalk();
  beforeEach(() => talk.say('FLUSHALL'));

  it('count in signed 64 bits', () => {
    expect(talk.say('INCR n')).toBe(':1\r\n');
    expect(talk.say('DECRBY n 3')).toBe(':-2\r\n');
    expect(talk.say('DECR n')).toBe(':-3\r\n');
    expect(talk.say('INCRBY n -9223372036854775805')).toBe(':-9223372036854775808\r\n');
    const overflow = '-ERR increment or decrement would overflow\r\n';
    expect(talk.say('DECR n')).toBe(overflow);
    expect(talk.say('INCRBY n 9223372036854775807')).toBe(':-1\r\n');
    talk.say('SET n 9223372036854775807');
    expect(talk.say('INCR n')).toBe(overflow);
    expect(talk.say('DECRBY n -9223372036854775808')).toBe('-ERR decrement would overflow\r\n');
    expect(talk.say('INCRBY n 9223372036854775808')).toBe(NOT_INTEGER);
    expect(talk.say('DECRBY n x')).toBe(NOT_INTEGER);
  });

  it.each(['', ' 1', '+1', '01', '-0', '1.0', 'x', '18446744073709551615', '1'.repeat(2000)])(
    'do not count %.30j',
    (value) => {
      talk.send('SET', 'n', value);
      expect(talk.say('INCR n')).toBe(NOT_INTEGER);
      expect(talk.say('GET n')).toBe(bulk(value));
    },
  );

  it('keep life and flags, and read what memcached has padded', () => {
    talk.store.store('set', 'n', '100', 5, talk.store.deadline(10));
    talk.store.count('n', false, 1n, 0);
    expect(valueText(talk.store.find('n')?.value ?? '')).toBe('99 ');
    expect(talk.say('INCR n')).toBe(':100\r\n');
    expect(talk.say('DECR n')).toBe(':99\r\n');
    expect(talk.say('GET n') + talk.say('TTL n')).toBe(`${bulk('99')}:10\r\n`);
    expect(talk.store.find('n')?.flags).toBe(5);
  });
});

describe('expiry', () => {
  it('tells what is left, and is over to the millisecond', () => {
    const talk = new RedisTalk();
    talk.say('SET k 1 PX 2500');
    const left = (): string => talk.say('TTL k') + talk.say('PTTL k');
    expect(left()).toBe(':3\r\n:2500\r\n');
    talk.clock.advance(1);
    expect(left()).toBe(':2\r\n:2499\r\n');
    talk.clock.advance(2000);
    expect(left()).toBe(':0\r\n:499\r\n');
    talk.clock.advance(498);
    expect(left()).toBe(':0\r\n:1\r\n');
    talk.clock.advance(1);
    expect(left()).toBe(':-2\r\n:-2\r\n');
    expect(talk.say('GET k')).toBe(NIL);
  });

  it('is set, changed and taken back', () => {
    const talk = new RedisTalk();
    const now = talk.clock.time();
    talk.say('SET k 1');
    expect(talk.say('EXPIRE none 10')).toBe(':0\r\n');
    expect(talk.say('EXPIRE k 10') + talk.say('PTTL k')).toBe(':1\r\n:10000\r\n');
    expect(talk.say('PEXPIRE k 10') + talk.say('PTTL k')).toBe(':1\r\n:10\r\n');
    expect(talk.say(`EXPIREAT k ${now / 1000 + 3}`) + talk.say('PTTL k')).toBe(':1\r\n:3000\r\n');
    expect(talk.say(`PEXPIREAT k ${now + 3}`) + talk.say('PTTL k')).toBe(':1\r\n:3\r\n');
    expect(talk.say('PERSIST k') + talk.say('TTL k')).toBe(':1\r\n:-1\r\n');
    expect(talk.say('PERSIST k') + talk.say('PERSIST none')).toBe(':0\r\n:0\r\n');
    expect(talk.say('EXPIRE k x')).toBe(NOT_INTEGER);
    expect(talk.say('EXPIRE k 9223372036854775807')).toBe("-ERR invalid expire time in 'expire' command\r\n");
    for (const past of ['EXPIRE k 0', 'EXPIRE k -5', 'EXPIREAT k 1', 'PEXPIREAT k -9223372036854775808']) {
      talk.say('SET k 1');
      expect(talk.say(past) + talk.say('EXISTS k')).toBe(':1\r\n:0\r\n');
    }
  });

  it('is changed on condition', () => {
    const talk = new RedisTalk();
    talk.say('SET k 1');
    expect(talk.say('EXPIRE k 10 XX') + talk.say('EXPIRE k 10 GT')).toBe(':0\r\n:0\r\n');
    expect(talk.say('EXPIRE k 10 NX') + talk.say('EXPIRE k 11 NX')).toBe(':1\r\n:0\r\n');
    expect(talk.say('EXPIRE k 9 GT') + talk.say('EXPIRE k 20 gt xx')).toBe(':0\r\n:1\r\n');
    expect(talk.say('EXPIRE k 21 LT') + talk.say('EXPIRE k 5 LT')).toBe(':0\r\n:1\r\n');
    expect(talk.say('TTL k')).toBe(':5\r\n');
    expect(talk.say('EXPIRE k 1 NX LT')).toBe('-ERR NX and XX, GT or LT options at the same time are not compatible\r\n');
    expect(talk.say('EXPIRE k 1 GT LT')).toBe('-ERR GT and LT options at the same time are not compatible\r\n');
    expect(talk.say('EXPIRE k 1 foo') + talk.send('EXPIRE', 'k', '1', 'foo\0')).toBe('-ERR Unsupported option foo\r\n'.repeat(2));
  });
});

describe('keys', () => {
  it('are counted, listed and deleted', () => {
    const talk = new RedisTalk();
    talk.say('MSET a 1 b 2 ab 3');
    expect(talk.say('EXISTS a a none')).toBe(':2\r\n');
    expect(talk.say('TYPE a') + talk.say('TYPE none')).toBe('+string\r\n+none\r\n');
    expect(talk.say('KEYS a*')).toBe(`*2\r\n${bulk('a')}${bulk('ab')}`);
    expect(talk.say('SCAN 0 MATCH b COUNT 1')).toBe(`*2\r\n${bulk('0')}*1\r\n${bulk('b')}`);
    expect(talk.say('SCAN 0 TYPE hash') + talk.say('SCAN 7')).toBe(`*2\r\n${bulk('0')}*0\r\n`.repeat(2));
    expect(talk.say('SCAN x') + talk.send('SCAN', ' 0') + talk.send('SCAN', '-')).toBe('-ERR invalid cursor\r\n'.repeat(3));
    // As C reads numbers, an empty one is 0; of two types the last holds.
    const all = `*2\r\n${bulk('0')}*3\r\n${['a', 'b', 'ab'].map(bulk).join('')}`;
    expect(talk.send('SCAN', '') + talk.say('SCAN -0') + talk.say('SCAN 0 TYPE hash TYPE String')).toBe(all.repeat(3));
    expect(talk.say('SCAN 0 TYPE string TYPE hash')).toBe(`*2\r\n${bulk('0')}*0\r\n`);
    expect(talk.say('SCAN 0 COUNT 0') + talk.say('SCAN 0 MATCH') + talk.say('SCAN 0 x y')).toBe(SYNTAX.repeat(3));
    expect(talk.say('SCAN 0 COUNT x')).toBe(NOT_INTEGER);
    expect(talk.say(`KEYS ${'a'.repeat(1025)}`)).toBe('-ERR pattern is too long\r\n');
    expect(talk.say('DEL a none a') + talk.say('UNLINK b')).toBe(':1\r\n:1\r\n');
    expect(talk.say('DBSIZE')).toBe(':1\r\n');
    expect(talk.say('FLUSHDB async') + talk.say('DBSIZE')).toBe(`${OK}:0\r\n`);
    expect(talk.say('FLUSHALL now')).toBe(SYNTAX);
  });

  it('list keys by no pattern that is made to take long', () => {
    const talk = new RedisTalk();
    const slow = `KEYS *${'a'.repeat(120)}b`;
    for (let i = 0; i < 60; i++) talk.store.store('set', 'a'.repeat(190 + i), 'v', 0, 0);
    expect(talk.say(slow)).toBe('*0\r\n');
    for (let i = 0; i < 1000; i++) talk.store.store('set', `${'a'.repeat(240)}${i}`, 'v', 0, 0);
    expect(talk.say(slow) + talk.say(slow.replace('KEYS', 'SCAN 0 MATCH'))).toBe('-ERR pattern takes too long\r\n'.repeat(2));
    // It is given up in the midst, and not when all keys have been looked at.
    const looks = jest.spyOn(Glob.prototype, 'matches');
    talk.say(slow);
    expect(looks.mock.calls.length).toBeLessThan(talk.store.size / 2);
    looks.mockRestore();
    expect(talk.say('KEYS *a1*9')).toMatch(/^\*1[0-9]\r\n/);
  });

  it('have 1 to 250 bytes of any kind', () => {
    const talk = new RedisTalk();
    const refused = '-ERR keys have 1 to 250 bytes\r\n';
    for (const key of ['', 'x'.repeat(251)]) {
      expect(talk.send('SET', key, '1') + talk.send('GET', key) + talk.send('DEL', 'a', key)).toBe(refused.repeat(3));
      expect(talk.send('MSET', 'a', '1', key, '1')).toBe(refused);
    }
    for (const key of ['x'.repeat(250), 'a b\r\n\0', '\x7f', '\xff']) {
      expect(talk.send('SET', key, '1') + talk.send('GET', key)).toBe(OK + bulk('1'));
    }
    expect(talk.send('EXISTS', 'a')).toBe(':0\r\n');
  });

  it('are neither listed nor flushed when that is not allowed', () => {
    const talk = new RedisTalk({ dump: false, flush: false });
    expect(talk.say('KEYS *') + talk.say('SCAN 0')).toBe('-ERR listing keys is not allowed\r\n'.repeat(2));
    expect(talk.say('FLUSHALL')).toBe('-ERR flushing is not allowed\r\n');
  });
});

describe('administration', () => {
  it('tells about the server', () => {
    const talk = new RedisTalk();
    talk.say('SET k 1 EX 5');
    talk.say('SET stays 1');
    talk.say('MGET k none');
    talk.clock.advance(90_061_000);
    const info = talk.say('INFO');
    for (const line of ['redis_version:7.0.15', 'uptime_in_seconds:90061', 'uptime_in_days:1', 'loading:0', 'role:master']) {
      expect(info).toContain(`\r\n${line}\r\n`);
    }
    expect(info).toContain('keyspace_hits:1\r\nkeyspace_misses:1\r\n');
    expect(info).toContain('# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n');
    const replication = '# Replication\r\nrole:master\r\nconnected_slaves:0\r\n';
    expect(talk.say('INFO REPLICATION')).toBe(bulk(replication));
    expect(talk.say('INFO nosuch')).toBe(bulk(''));
    expect(talk.say('CONFIG GET max*y *save')).toBe(
      `*6\r\n${['maxmemory', '67108864', 'maxmemory-policy', 'allkeys-lru', 'save', ''].map(bulk).join('')}`,
    );
  });

  it('describes the commands', () => {
    const talk = new RedisTalk();
    const get = `*6\r\n${bulk('get')}:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n`;
    expect(talk.say('COMMAND INFO GET nosuch')).toBe(`*2\r\n${get}${NIL}`);
    expect(talk.say('COMMAND COUNT')).toBe(`:${COMMANDS.size}\r\n`);
    expect(talk.say('COMMAND')).toContain(get);
    expect(talk.say('COMMAND')).toBe(talk.say('COMMAND INFO'));
    expect(talk.say('COMMAND LIST')).toContain(bulk('pexpireat'));
    // At this redis-cli falls back to the help that it brings along.
    expect(talk.say('COMMAND DOCS')).toBe("-ERR unknown subcommand 'DOCS'. Try COMMAND HELP.\r\n");
  });

  it('does not pretend to save', () => {
    const talk = new RedisTalk();
    const refused = '-ERR saving is not set up: this server keeps its items in memory only\r\n';
    expect(talk.say('SAVE') + talk.say('BGSAVE')).toBe(refused.repeat(2));
    expect(talk.say('LASTSAVE')).toBe(`:${talk.clock.time() / 1000}\r\n`);
  });

  /** A saver that finishes when it is told to. */
  class Saver implements SaveControl {
    lastSave = 123;
    saving = false;
    changes = 4;
    finish: (error?: Error) => void = () => undefined;

    save(): Promise<void> {
      this.saving = true;
      return new Promise((resolve, reject) => {
        this.finish = (error) => {
          this.saving = false;
          if (error === undefined) resolve();
          else reject(error);
        };
      });
    }
  }

  it('saves: the client waits with what it has sent, others do not', async () => {
    const saveControl = new Saver();
    const talk = new RedisTalk({ saveControl });
    expect(talk.say('LASTSAVE')).toBe(':123\r\n');
    expect(talk.say('INFO persistence')).toContain('rdb_changes_since_last_save:4\r\n');
    expect(talk.push('SET k 1\r\nSAVE\r\nGET k\r\n')).toBe('SET k 1\r\nSAVE\r\n'.length);
    expect(talk.take()).toBe(OK);
    expect(talk.push('GET k\r\n')).toBe(0);
    const other = Buffer.from('GET k\r\nBGSAVE\r\nINFO persistence\r\n');
    talk.open().push(other, 0, other.length);
    const answer = talk.take();
    expect(answer).toContain(`${bulk('1')}-ERR Background save already in progress\r\n`);
    expect(answer).toContain('rdb_bgsave_in_progress:1\r\n');
    saveControl.finish();
    await talk.session.pending;
    expect(talk.take()).toBe(OK);
    expect(talk.say('GET k')).toBe(bulk('1'));
  });

  it('says why it could not save', async () => {
    const saveControl = new Saver();
    const lines: string[] = [];
    const talk = new RedisTalk({ saveControl, verbosity: 1, log: (line) => lines.push(line) });
    talk.push('SAVE\r\n');
    saveControl.finish(new Error('no room\nleft'));
    await talk.session.pending;
    expect(talk.take()).toBe('-ERR saving failed: no room left\r\n');
    expect(talk.say('BGSAVE SCHEDULE')).toBe('+Background saving started\r\n');
    saveControl.finish(new Error('gone'));
    await new Promise(setImmediate);
    expect(lines).toEqual(['saving failed: no room\nleft', 'saving failed: gone']);
    expect(talk.say('BGSAVE now')).toBe(SYNTAX);
  });
});

describe('every command', () => {
  const flat = Array.from(COMMANDS.values()).flatMap((entry): Command[] => [entry, ...entry.subcommands.values()]);

  it.each(flat.map((entry) => [entry.name, entry]))('%s refuses a wrong number of arguments', (_, entry) => {
    const talk = new RedisTalk();
    const words = entry.name.split('|');
    const problem = `wrong number of arguments for '${entry.name}' command\r\n`;
    // Redis 7 says so of EXEC, outside of a transaction too.
    const refusal = entry.name === 'exec' ? `-EXECABORT Transaction discarded because of: ${problem}` : `-ERR ${problem}`;
    const fewest = Math.abs(entry.arity);
    const pad = (count: number): string[] => [...words, ...Array<string>(count - words.length).fill('x')];
    if (fewest > words.length) expect(talk.send(...pad(fewest - 1))).toBe(refusal);
    if (entry.arity > 0) expect(talk.send(...pad(fewest + 1))).toBe(refusal);
    // A right number is not refused.
    expect(talk.send(...pad(fewest))).not.toBe(refusal);
  });

  it('is found in whatever case its name is written, and under no other name', () => {
    for (const name of COMMANDS.keys()) {
      const mixed = Array.from(name, (char, i) => (i % 2 === 0 ? char.toUpperCase() : char)).join('');
      expect(new RedisTalk().send(mixed, ...Array<string>(30).fill('x'))).not.toContain('unknown command');
      // The bit of capitals is dropped from letters, and from nothing else.
      const other = String.fromCharCode(name.charCodeAt(0) ^ 0x80) + name.slice(1);
      expect(new RedisTalk().send(other)).toContain('unknown command');
    }
    expect(new RedisTalk().send('\x07ET', 'k')).toContain('unknown command');
    // Nor right after a command that has the name.
    const talk = new RedisTalk();
    talk.say('CONFIG GET port');
    expect(talk.say('CONFIG|GET port')).toContain("unknown command 'CONFIG|GET'");
    talk.say('GET k');
    expect(talk.say('GETS k')).toContain("unknown command 'GETS'");
    expect(talk.say('CLIENT ID')).toMatch(/^:/);
    expect(talk.say('CLIENT GETNAME')).toBe(NIL);
  });

  it('answers whatever its arguments', () => {
    for (const entry of flat) {
      if (['quit', 'client|list', 'client|info'].includes(entry.name)) continue;
      const talk = new RedisTalk();
      const words = [...entry.name.split('|')];
      while (words.length < Math.abs(entry.arity)) words.push('1');
      expect([entry.name, talk.send(...words)]).toEqual([entry.name, expect.stringMatching(/^[+\-:$*][^]*\r\n$/)]);
      if (entry.name === 'multi') talk.say('DISCARD');
      expect(talk.say('PING')).toBe('+PONG\r\n');
    }
  });
});
