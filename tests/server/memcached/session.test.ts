import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryStore } from '../../../src/server/engine/store';
import { Talk } from '../talk';
import { ManualClock } from '../../../src/runtime/manual-clock';

const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';

describe('Session', () => {
  it('answers what memcached answers', () => {
    const talk = new Talk();
    expect(talk.say('set k 5 0 3\r\nabc\r\nget k none k\r\ngets k\r\n')).toBe(
      'STORED\r\nVALUE k 5 3\r\nabc\r\nVALUE k 5 3\r\nabc\r\nEND\r\nVALUE k 5 3 2\r\nabc\r\nEND\r\n',
    );
  });

  it('writes the replies of one chunk together', () => {
    const talk = new Talk();
    talk.push('set a 0 0 1\r\n1\r\nget a\r\nversion\r\nincr a 1\r\n');
    expect(talk.writes).toHaveLength(1);
  });

  it('sends large values as they are kept, without copying them', () => {
    const talk = new Talk();
    talk.push(`set k 0 0 10000\r\n${'x'.repeat(10_000)}\r\nget k\r\n`);
    expect(talk.writes.filter((data) => data instanceof Uint8Array)).toEqual([talk.context.store.find('k')?.value]);
    expect(talk.take()).toBe(`STORED\r\nVALUE k 0 10000\r\n${'x'.repeat(10_000)}\r\nEND\r\n`);
  });

  it('keeps nothing of the memory that it is given', () => {
    const talk = new Talk();
    const large = 'z'.repeat(5000);
    talk.say(`set small 0 0 5\r\nvalue\r\nset large 0 0 5000\r\n${large}\r\nset part`);
    talk.say(' 0 0 4\r\nte');
    talk.say('st\r\n');
    expect(talk.say('get small large part\r\n')).toBe(
      `VALUE small 0 5\r\nvalue\r\nVALUE large 0 5000\r\n${large}\r\nVALUE part 0 4\r\ntest\r\nEND\r\n`,
    );
  });

  it('keeps no value that the store has let go of', async () => {
    const talk = new Talk();
    const values = ['k', 'l'].map((key) => {
      const line = key === 'k' ? 'set k 0 0 100000' : 'ms l 100000';
      talk.push(`${line}\r\n${'x'.repeat(50_000)}`);
      talk.push(`${'x'.repeat(50_000)}\r\n`);
      const value = talk.context.store.find(key)?.value;
      return new WeakRef(Buffer.isBuffer(value) ? value.buffer : Buffer.alloc(0).buffer);
    });
    expect(values.map((value) => (value.deref()?.byteLength ?? 0) > 100_000)).toEqual([true, true]);
    talk.context.store.flushAll();
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    expect(values.map((value) => value.deref() === undefined)).toEqual([true, true]);
    expect(talk.take()).toBe('STORED\r\nHD\r\n');
  });

  it('says nothing when asked not to, errors included', () => {
    const talk = new Talk({ maxItemSize: 1024 });
    const silent =
      'set k 0 0 1 noreply\r\n1\r\nadd k 0 0 1 noreply\r\n1\r\nset k x 0 1 noreply\r\n1\r\n' +
      `set l 0 0 2000 noreply\r\n${'x'.repeat(2000)}\r\nincr k 1 noreply\r\ndecr k x noreply\r\ntouch k 0 noreply\r\n` +
      'delete none noreply\r\nflush_all 100 noreply\r\nverbosity 0 noreply\r\ncache_memlimit 64 noreply\r\n';
    expect(talk.say(silent)).toBe('');
    expect(talk.say('get k\r\n')).toBe('VALUE k 0 1\r\n2\r\nEND\r\n');
    // And no longer than for one command.
    expect(talk.say('touch k 0 noreply\r\ntouch k 0\r\n')).toBe('TOUCHED\r\n');
  });

  describe('never executes a data block', () => {
    it.each([
      ['a key that is too long', `set ${'x'.repeat(251)} 0 0 9\r\nflush_all\r\n`],
      ['bad flags', 'set k x 0 9\r\nflush_all\r\n'],
      ['a bad exptime', 'set k 0 x 9\r\nflush_all\r\n'],
      ['a bad cas', 'cas k 0 0 9 x\r\nflush_all\r\n'],
      ['ms with a key that is too long', `ms ${'x'.repeat(251)} 9\r\nflush_all\r\n`],
      ['ms with too many flags', `ms k 9${' q'.repeat(30)}\r\nflush_all\r\n`],
    ])('of a line with %s', (_, command) => {
      const talk = new Talk();
      talk.say('set kept 0 0 1\r\n1\r\n');
      expect(talk.say(command)).toMatch(/^CLIENT_ERROR [^\r]*\r\n$/);
      expect(talk.say('get kept\r\n')).toBe('VALUE kept 0 1\r\n1\r\nEND\r\n');
    });

    it.each([
      ['900', 'out of memory storing object'],
      ['2097152', 'object too large for cache'],
      ['2097152 MA', 'object too large for cache'],
    ])('of a meta set that has no room, and the old value is gone: %s', (size, answer) => {
      const talk = new Talk({ store: new MemoryStore({ maxBytes: 1000, evict: false }) });
      expect(talk.say('set k 0 0 1\r\n1\r\n')).toBe('STORED\r\n');
      expect(talk.say(`ms k ${size} q k O1\r\n${'x'.repeat(parseInt(size))}\r\n`)).toBe(`SERVER_ERROR ${answer}\r\n`);
      expect(talk.say('get k\r\n')).toBe('END\r\n');
    });

    it('of a value that is too large, which it swallows in constant memory', () => {
      const talk = new Talk({ maxItemSize: 1024 });
      talk.say('set k 0 0 1\r\n1\r\n');
      expect(talk.say('set k 0 0 2147483645\r\n')).toBe('SERVER_ERROR object too large for cache\r\n');
      const chunk = Buffer.alloc(1 << 20, 'flush_all\r\n');
      const before = process.memoryUsage().rss;
      let left = 2_147_483_645 + 2;
      while (left > chunk.length) left -= talk.session.push(chunk, 0, chunk.length);
      expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
      talk.session.push(chunk, 0, left);
      expect(talk.take()).toBe('');
      expect(talk.say('get k\r\n')).toBe('END\r\n');
    });

    // Nobody can tell where these blocks end: as in every memcached, the next line is the next command.
    it.each(['-1', '-2', '-40', '-9999999999', '2147483646', '2147483648', '4294967296', '9007199254740992', '1e3', '0x10', '', 'x', '1e309'])(
      'refuses the length %j',
      (length) => {
        const talk = new Talk();
        const answer = talk.say(`set k 0 0 ${length}\r\n`);
        expect([BAD_FORMAT, 'ERROR\r\n']).toContain(answer);
        expect(talk.say('version\r\n')).toBe('VERSION 1.6.45\r\n');
      },
    );
  });

  describe('bounds', () => {
    it('hangs up after 2048 bytes without a line end', () => {
      const talk = new Talk();
      expect(talk.say('x'.repeat(3000))).toBe('');
      expect(talk.ends).toBe(1);
      expect(talk.say('version\r\n')).toBe('');
    });

    it('but reads a longer retrieval, and a long line that comes in one piece', () => {
      const talk = new Talk();
      talk.say('set k 0 0 1\r\n1\r\n');
      const keys = ' none'.repeat(2000);
      talk.push(`get${keys.slice(0, 5001)}`);
      expect(talk.say(`${keys.slice(5001)} k\r\n`)).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
      expect(talk.say(`delete ${'x'.repeat(3000)}\r\n`)).toBe(BAD_FORMAT);
    });

    it('a retrieval by a greater limit', () => {
      const talk = new Talk();
      talk.push('get');
      for (let i = 0; i < 300 && talk.ends === 0; i++) talk.push(' none'.repeat(1000));
      expect(talk.ends).toBe(1);
    });

    it('cuts off what looks like HTTP', () => {
      const talk = new Talk();
      expect(talk.say('POST / HTTP/1.1\r\nHost: localhost\r\n\r\nflush_all\r\n')).toBe('');
      expect(talk.ends).toBe(1);
    });

    it('stops after so many commands, and goes on where it stopped', () => {
      const talk = new Talk({}, { maxCommands: 2 });
      const input = 'version\r\n'.repeat(5);
      expect(talk.push(input)).toBe(18);
      expect(talk.take()).toBe('VERSION 1.6.45\r\n'.repeat(2));
      expect(talk.push(input.slice(18))).toBe(18);
      expect(talk.push(input.slice(36))).toBe(9);
      expect(talk.take()).toBe('VERSION 1.6.45\r\n'.repeat(3));
    });

    it('stops after so many bytes of replies', () => {
      const talk = new Talk({}, { maxReplyBytes: 100_000 });
      talk.push(`set k 0 0 50000\r\n${'x'.repeat(50_000)}\r\n`);
      expect(talk.push('get k\r\n'.repeat(10))).toBe(14);
    });
  });

  it('hangs up on a client of the binary protocol, which would wait for ever', () => {
    const lines: string[] = [];
    const talk = new Talk({ verbosity: 1, log: (line) => lines.push(line) });
    const request = '\x80\x0a\0\0\0\0\0\0\0\0\0\0abcd\0\0\0\0\0\0\0\0';
    expect(talk.say(request)).toBe('\x81\x0a\0\0\0\0\0\x81\0\0\0\x21abcd\0\0\0\0\0\0\0\0the binary protocol is not served');
    expect([talk.ends, lines]).toEqual([1, ['closing a connection: the client speaks the binary protocol, which is not served']]);
    // Later on it is a byte like any other.
    expect(new Talk().say('mn\r\n\x80\x0b\r\nmn\r\n')).toBe('MN\r\nERROR\r\nMN\r\n');
  });

  it('ends at quit, after the replies', () => {
    const talk = new Talk();
    expect(talk.say('version\r\nquit\r\nversion\r\n')).toBe('VERSION 1.6.45\r\n');
    expect(talk.ends).toBe(1);
    expect(talk.session.ended).toBe(true);
    talk.session.close();
    expect(talk.ends).toBe(1);
  });

  it('forgets what has expired', () => {
    const clock = new ManualClock(1_700_000_000_000);
    const talk = new Talk({ clock });
    talk.say('set k 0 10 1\r\n1\r\n');
    clock.advance(9000);
    expect(talk.say('mg k t\r\n')).toBe('HD t1\r\n');
    expect(talk.say('gat 100 k\r\n')).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
    clock.advance(99_999);
    expect(talk.say('get k\r\n')).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
    clock.advance(1);
    expect(talk.say('get k\r\n')).toBe('END\r\n');
  });

  it('serves stale items with one winner', () => {
    const clock = new ManualClock(1_700_000_000_000);
    const talk = new Talk({ clock });
    talk.say('ms k 3 T100\r\nold\r\n');
    expect(talk.say('mg k v R30\r\n')).toBe('VA 3\r\nold\r\n');
    clock.advance(75_000);
    expect(talk.say('mg k v t R30\r\nmg k v R30\r\n')).toBe('VA 3 t25 W\r\nold\r\nVA 3 Z\r\nold\r\n');
    expect(talk.say('md k I T30\r\nmg k v\r\nmg k v\r\n')).toBe('HD\r\nVA 3 X W\r\nold\r\nVA 3 Z X\r\nold\r\n');
    expect(talk.say('mg new N30 v t\r\nmg new v\r\n')).toBe('VA 0 t30 W\r\n\r\nVA 0 Z\r\n\r\n');
    expect(talk.say('ms new 1\r\n1\r\nmg new v\r\n')).toBe('HD\r\nVA 1\r\n1\r\n');
  });

  it('shows a key that came in base64 only so, as its bytes could end the line', () => {
    const talk = new Talk();
    const key = Buffer.from('a\r\nflush_all').toString('base64');
    expect(talk.say(`mg ${key} b N0 k\r\n`)).toBe(`HD k${key} b W\r\n`);
    expect(talk.say(`ms ${key} 1 b MA\r\n1\r\nmg ${key} b k v\r\n`)).toBe(`HD\r\nVA 1 k${key} b\r\n1\r\n`);
    expect(talk.say(`ma ${key} b D9 k v\r\nmg ${key} b k\r\n`)).toBe(`VA 2 k${key} b\r\n10\r\nHD k${key} b\r\n`);
    expect(talk.say(`me ${key} b\r\n`)).toMatch(/^ME \S+ exp=-1 la=0 cas=\d+ fetch=\w+ cls=1 size=\d+\r\n$/);
  });

  it('keeps the TTL that an arithmetic sets when the number gets longer', () => {
    const talk = new Talk();
    expect(talk.say('ms n 1\r\n9\r\nma n T100 v\r\nmg n t\r\n')).toBe('HD\r\nVA 2\r\n10\r\nHD t100\r\n');
  });

  describe('authentication', () => {
    const auth = [
      { username: 'user', password: 'secret' },
      { username: 'other', password: 'pässword' },
    ];

    function authenticate(token: string): string {
      return `set auth 0 0 ${Buffer.byteLength(token, 'latin1')}\r\n${token}\r\n`;
    }

    it('comes first', () => {
      const talk = new Talk({ auth });
      const refused = 'CLIENT_ERROR unauthenticated\r\n';
      expect(talk.say('get k\r\nversion\r\nset k\r\nset k 0 0 x\r\n')).toBe(refused.repeat(4));
      expect(talk.say(authenticate('user wrong'))).toBe('CLIENT_ERROR authentication failure\r\n');
      expect(talk.say(authenticate('usersecret'))).toBe('CLIENT_ERROR bad authentication token format\r\n');
      expect(talk.say('set k 0 0 4\r\nuser secret\r\n')).toMatch(/^CLIENT_ERROR bad command line termination\r\n/);
      expect(talk.context.store.size).toBe(0);
      expect(talk.say(authenticate('user secret'))).toBe('STORED\r\n');
      expect(talk.say('set k 0 0 1\r\n1\r\nget k auth\r\n')).toBe('STORED\r\nVALUE k 0 1\r\n1\r\nEND\r\n');
    });

    it.each(['mn', 'get', 'quit', ''])('ends with a line as short as %j, as in memcached', (line) => {
      const talk = new Talk({ auth });
      expect(talk.say(`${line}\r\n`)).toBe('');
      expect(talk.ends).toBe(1);
    });

    it('takes a password with whitespace in it', () => {
      const talk = new Talk({ auth: { username: 'user', password: 'open sesame ' } });
      expect(talk.say(authenticate('user open sesame'))).toBe('CLIENT_ERROR authentication failure\r\n');
      expect(talk.say(authenticate('user open sesame '))).toBe('STORED\r\n');
    });

    it('takes each user only with the own password, which may be UTF-8', () => {
      const utf8 = Buffer.from('pässword').toString('latin1');
      expect(new Talk({ auth }).say(authenticate(`other ${utf8}`))).toBe('STORED\r\n');
      expect(new Talk({ auth }).say(authenticate(`user ${utf8}`))).toBe('CLIENT_ERROR authentication failure\r\n');
    });

    it('logs nothing that was said before', () => {
      const lines: string[] = [];
      const talk = new Talk({ auth, verbosity: 2, log: (line) => lines.push(line) });
      talk.say('set k 0 0 4\r\nuser secret\r\nuser secret\r\n' + authenticate('user secret'));
      talk.say('version\r\n');
      expect(lines).toEqual(['< version']);
    });

    it('does not keep what nobody needs for it', () => {
      const talk = new Talk({ auth });
      expect(talk.say(authenticate('x'.repeat(20_000)))).toBe('CLIENT_ERROR auth token too long\r\n');
      expect(talk.ends).toBe(1);
    });

    it.each([16_385, 1_000_000, 2_000_000_000])('refuses a token of %d bytes before it has come', (length) => {
      const talk = new Talk({ auth });
      expect(talk.say(`set auth 0 0 ${length}\r\n`)).toBe('CLIENT_ERROR auth token too long\r\n');
      expect(talk.ends).toBe(1);
    });

    it('hangs up after 2048 bytes without a line end, whatever they are', () => {
      const talk = new Talk({ auth });
      talk.push('get ' + 'k '.repeat(1000));
      expect(talk.ends).toBe(0);
      talk.push('k '.repeat(100));
      expect(talk.ends).toBe(1);
      expect(talk.take()).toBe('');
      const known = new Talk({ auth });
      known.say(authenticate('user secret'));
      known.push('get ' + 'k '.repeat(1100));
      expect(known.say('\r\n')).toBe('END\r\n');
    });

    it('hangs up whatever stands in the memory after these bytes, which may be a line end', () => {
      const talk = new Talk({ auth });
      const line = 'x'.repeat(3000);
      talk.session.push(Buffer.from(`${line}\n`), 0, line.length);
      expect(talk.ends).toBe(1);
    });
  });

  describe('administration', () => {
    it('can be forbidden', () => {
      const talk = new Talk({ flush: false, dump: false });
      talk.say('set k 0 0 1\r\n1\r\n');
      expect(talk.say('flush_all\r\n')).toBe('CLIENT_ERROR flush_all not allowed\r\n');
      expect(talk.say('lru_crawler metadump all\r\n')).toBe('ERROR metadump not allowed\r\n');
      expect(talk.say('stats cachedump 1 0\r\n')).toBe('CLIENT_ERROR stats cachedump not allowed\r\n');
      expect(talk.say('shutdown\r\n')).toBe('SERVER_ERROR: shutdown not enabled\r\n');
      expect(talk.say('watch\r\n')).toBe('CLIENT_ERROR watch commands not allowed\r\n');
    });

    it('ends the server where that is allowed', () => {
      const shutdown = jest.fn();
      const talk = new Talk({ shutdown });
      expect(talk.say('shutdown later\r\n')).toBe('CLIENT_ERROR invalid shutdown mode\r\n');
      talk.say('shutdown graceful\r\n');
      expect(shutdown).toHaveBeenCalledWith(true);
      expect(talk.ends).toBe(1);
    });

    it('lists the items', () => {
      const clock = new ManualClock(1_700_000_000_000);
      const talk = new Talk({ clock });
      const now = Math.floor(clock.time() / 1000);
      talk.say('set a%b 0 0 1\r\n1\r\nset c 1 100 200\r\n' + 'x'.repeat(200) + '\r\nget c\r\n');
      expect(talk.say('lru_crawler metadump all\r\n')).toBe(
        `OK\r\nkey=a%25b exp=-1 la=${now} cas=2 fetch=no cls=1 size=63 flags=0 \n` +
          `key=c exp=${now + 100} la=${now} cas=3 fetch=yes cls=6 size=264 flags=1 \nEND\r\n`,
      );
      expect(talk.say('lru_crawler metadump 6\r\n')).toMatch(/^OK\r\nkey=c [^\n]*\nEND\r\n$/);
      expect(talk.say('stats cachedump 6 0\r\n')).toBe(`ITEM c [200 b; ${now + 100} s]\r\nEND\r\n`);
      // The latest first, so that a limit leaves out what is old.
      talk.say('set d 0 0 1\r\n1\r\nset e 0 0 1\r\n1\r\nget d\r\n');
      expect(talk.say('stats cachedump 1 2\r\n')).toBe('ITEM d [1 b; 0 s]\r\nITEM e [1 b; 0 s]\r\nEND\r\n');
      expect(talk.say('version\r\nlru_crawler metadump all\r\n')).toContain('ERROR cannot pipeline other commands');
    });

    it('counts what happens', () => {
      const talk = new Talk();
      talk.say('set k 0 0 1\r\n1\r\nget k none\r\ntouch k 0\r\nincr k 1\r\ndelete none\r\ncas k 0 0 1 99\r\n1\r\n');
      const stats = talk.say('stats\r\n');
      for (const line of ['cmd_get 2', 'get_hits 1', 'get_misses 1', 'cmd_set 2', 'cmd_touch 1', 'touch_hits 1']) {
        expect(stats).toContain(`STAT ${line}\r\n`);
      }
      for (const line of ['incr_hits 1', 'delete_misses 1', 'cas_badval 1', 'curr_items 1', 'total_items 1', 'bytes 61']) {
        expect(stats).toContain(`STAT ${line}\r\n`);
      }
      expect(stats).toContain('STAT version 1.6.45\r\n');
      expect(stats.endsWith('\r\nEND\r\n')).toBe(true);
      expect(talk.say('stats reset\r\n')).toBe('RESET\r\n');
      expect(talk.say('stats\r\n')).toContain('STAT get_hits 0\r\n');
    });

    it.each([
      ['a cas of ms', 'ms k 1\r\n1\r\nms k 1 C2\r\n2\r\nms k 1 C9 MR\r\n2\r\nms none 1 C1\r\n2\r\n', 'cas_hits 1', 'cas_badval 1', 'cas_misses 1', 'cmd_set 4'],
      ['an ms that accepts an older cas', 'ms k 1 E7\r\n1\r\nms k 1 C2 I\r\n2\r\n', 'cas_hits 1', 'cas_badval 0'],
      ['append, prepend and add, which are no cas', ...['A', 'P', 'E'].map((mode) => `ms k 1 C9 M${mode}\r\n1\r\n`), 'cas_misses 0', 'cmd_set 3'],
      ['a value that fits no item', `set k 0 0 1048576\r\n${'x'.repeat(1048576)}\r\nms k 1048576\r\n${'x'.repeat(1048576)}\r\n`, 'cmd_set 0', 'store_too_large 2'],
      ['a block that does not end where it should', 'set k 0 0 1\r\nxy\r\n', 'cmd_set 1'],
      ['an opaque that is too long', `ms k 1 O${'o'.repeat(32)}\r\n1\r\n`, 'cmd_set 1'],
      ['a number that gets longer, which is a new item', 'set k 0 0 1\r\n9\r\nincr k 1\r\nincr k 1\r\n', 'total_items 2'],
    ])('counts %s as memcached does', (_name, ...words) => {
      const talk = new Talk();
      for (const word of words) if (word.endsWith('\n')) talk.say(word);
      const stats = talk.say('stats\r\n');
      for (const word of words) if (!word.endsWith('\n')) expect(stats).toContain(`STAT ${word}\r\n`);
    });

    it('reports by class, by prefix and its settings', () => {
      const talk = new Talk();
      talk.say('stats detail on\r\nset a:b 0 0 1\r\n1\r\nget a:b a:c plain\r\ndelete a:b\r\nset k 0 0 1\r\n1\r\n');
      expect(talk.say('stats detail dump\r\n')).toBe('PREFIX a get 2 hit 1 set 1 del 1\r\nEND\r\n');
      expect(talk.say('stats items\r\n')).toBe(
        'STAT items:1:number 1\r\nSTAT items:1:age 0\r\nSTAT items:1:mem_requested 61\r\nEND\r\n',
      );
      expect(talk.say('stats slabs\r\n')).toContain('STAT 1:used_chunks 1\r\n');
      const settings = talk.say('stats settings\r\n');
      expect(settings).toContain('STAT item_size_max 1048576\r\n');
      expect(settings).toContain('STAT client_flags_size 4\r\n');
      expect(talk.say('stats sizes\r\n')).toBe('STAT sizes_status disabled\r\nEND\r\n');
      expect(talk.say('stats conns\r\n')).toBe('END\r\n');
    });

    it('mg with u is no use of the item', () => {
      const talk = new Talk();
      talk.say('ms k 1\r\nx\r\n');
      expect(talk.say('mg k v u\r\nmg k h u\r\n')).toBe('VA 1\r\nx\r\nHD h0\r\n');
      expect(talk.say('mg k v\r\nmg k h u\r\n')).toBe('VA 1\r\nx\r\nHD h1\r\n');
    });

    it('md with x empties an item, which keeps its cas', () => {
      const talk = new Talk();
      talk.say('ms k 1 E500 F3\r\nx\r\n');
      expect(talk.say('md k x F7\r\nmg k s c f v\r\n')).toBe('HD\r\nVA 0 s0 c500 f7\r\n\r\n');
      expect(talk.say('md k x E900\r\nmg k c\r\n')).toBe('HD\r\nHD c900\r\n');
    });

    it('logs commands when it is verbose', () => {
      const lines: string[] = [];
      const talk = new Talk({ log: (line) => lines.push(line) });
      talk.say('version\r\nverbosity 2\r\nversion\r\n');
      expect(lines).toEqual(['< version']);
    });
  });
});
