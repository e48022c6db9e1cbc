import type { TurnLimits } from '../../../src/server/net/service';
import { ManualClock } from '../../../src/runtime/manual-clock';
import { Talk } from '../talk';

const NO_LIMITS: TurnLimits = {};

/** A session on 1000 items of 1000 bytes. */
function filled(limits: TurnLimits): Talk {
  const talk = new Talk({ clock: new ManualClock(1_700_000_000_000) }, limits);
  for (let i = 0; i < 1000; i++) talk.context.store.store('set', `key${i}`, String(i).padStart(1000, '.'), 0, 0);
  return talk;
}

const ALL = Array.from({ length: 1000 }, (_, i) => `key${i}`).join(' ');

it.each(['stats items', 'stats slabs', 'stats cachedump 10 1', 'lru_crawler metadump 1'])('after a listing of all items it is the turn of others: %s', (line) => {
  // A pipeline of them would hold up everybody else for as long as all of them take.
  const text = `${line}\r\n`.repeat(3);
  const [first = '', ...others] = filled({ maxCommands: 250 }).inTurns(text);
  expect(first).toMatch(/END\r\n$/);
  expect(others).toEqual([first, first]);
  // A few items are nothing.
  expect(filled({ maxCommands: 1000 }).inTurns(text)).toHaveLength(1);
});

it.each([
  ['append', 'append k 0 0 1\r\nx\r\n', 'STORED\r\n'],
  ['ms with a mode', 'ms k 1 MP\r\nx\r\n', 'HD\r\n'],
  ['incr', 'incr n 1\r\n', /^\d+\r\n$/],
  ['ma of what is no number', 'ma k\r\n', /^CLIENT_ERROR .*\r\n$/],
])('after a few bytes that have a megabyte read or copied it is the turn of others: %s', (_name, command, answer) => {
  const talk = new Talk({}, { maxCommands: 500 });
  for (const [key, filling] of [['k', '0x'], ['n', '0']] as const) talk.context.store.store('set', key, Buffer.alloc(1_040_000, filling), 0, 0);
  const answers = talk.inTurns(command.repeat(3));
  expect(answers).toHaveLength(3);
  for (const each of answers) expect(each).toMatch(answer);
  // Small values are nothing.
  expect(new Talk({}, { maxCommands: 500 }).inTurns(`set k 0 0 1\r\n1\r\nset n 0 0 1\r\n1\r\n${command.repeat(100)}`)).toHaveLength(1);
});

describe('a retrieval of many keys', () => {
  it.each([
    ['get', `get ${ALL} none\r\nversion\r\nget key7\r\n`],
    ['gets', `gets ${ALL}\r\nmn\r\n`],
    ['gat', `gat 100 ${ALL}\r\nmg key999 t\r\n`],
    ['gats', `gats 100 ${ALL}\r\n`],
    ['one with a key that is too long', `get ${ALL} ${'x'.repeat(251)} key1\r\nversion\r\n`],
  ])('is answered in as many turns as it takes: %s', (_name, text) => {
    const [whole] = filled(NO_LIMITS).inTurns(text);
    const pieces = filled({ maxCommands: 10, maxReplyBytes: 100_000 }).inTurns(text);
    expect(pieces.join('')).toBe(whole);
    expect(pieces.length).toBeGreaterThan(9);
    for (const piece of pieces) expect(piece.length).toBeLessThan(200_000);
  });

  it('however the line is cut', () => {
    const text = `get ${ALL}\r\nget ${ALL}\r\nversion\r\n`;
    const [whole] = filled(NO_LIMITS).inTurns(text);
    for (const size of [1, 100, 4000]) {
      const talk = filled({ maxCommands: 10, maxReplyBytes: 100_000 });
      let answer = '';
      for (let at = 0; at < text.length; at += size) answer += talk.inTurns(text.slice(at, at + size)).join('');
      expect(answer).toBe(whole);
    }
  });

  it('takes a turn for every key where no reply may wait', () => {
    expect(filled({ maxReplyBytes: 0 }).inTurns('get none key1 none key2\r\n').join('')).toMatch(/^VALUE key1 [^]*VALUE key2 [^]*END\r\n$/);
  });

  it('looks for a key when its turn comes, as memcached may', () => {
    const talk = filled({ maxReplyBytes: 100_000 });
    const [first, ...others] = talk.inTurns(`get ${ALL}\r\n`, (turn) => {
      if (turn === 0) talk.context.store.flushAll();
    });
    expect(first).toMatch(/^VALUE key0 /);
    expect(others.join('')).toBe('END\r\n');
  });

  it('is over with its session', () => {
    const talk = filled({ maxReplyBytes: 100_000 });
    const text = `get ${ALL}\r\n`;
    const at = talk.push(text);
    expect(at).toBe(text.length - 1);
    talk.take();
    talk.session.close();
    expect(talk.push('\nversion\r\n')).toBe('\nversion\r\n'.length);
    expect(talk.take()).toBe('');
  });
});

describe('a listing of keys', () => {
  it.each(['metadump all', 'mgdump all'])('is sent in as many turns as it takes: %s', (what) => {
    const text = `lru_crawler ${what}\r\nversion\r\n`;
    const [whole] = filled(NO_LIMITS).inTurns(text);
    const pieces = filled({ maxCommands: 10 }).inTurns(text);
    expect(pieces.join('')).toBe(whole);
    expect(pieces.length).toBeGreaterThan(9);
  });

  it('leaves out what is gone by then', () => {
    const talk = filled({ maxCommands: 10 });
    const pieces = talk.inTurns('lru_crawler metadump all\r\n', (turn) => {
      if (turn === 0) for (let i = 500; i < 1000; i++) talk.context.store.delete(`key${i}`);
    });
    expect(pieces.join('').match(/^key=/gm)).toHaveLength(500);
  });

  it('is one at a time, as in memcached', () => {
    const talk = filled({ maxCommands: 10 });
    const other = new Talk({ store: talk.context.store });
    const second = talk.open();
    const text = 'lru_crawler metadump all\r\n';
    talk.push(text);
    talk.take();
    const ask = (): string => {
      second.push(Buffer.from(text), 0, text.length);
      return talk.take();
    };
    expect(ask()).toBe('BUSY currently processing crawler request\r\n');
    // By another server's session nothing is known of it.
    expect(other.say(text)).toMatch(/END\r\n$/);
    talk.session.close();
    expect(ask()).toMatch(/^OK\r\nkey=/);
  });

  it('is over when it has ended, though its session goes on', () => {
    const talk = filled({ maxCommands: 10 });
    const text = 'lru_crawler metadump all\r\n';
    expect(talk.inTurns(text).length).toBeGreaterThan(9);
    talk.open().push(Buffer.from(text), 0, text.length);
    expect(talk.take()).toMatch(/^OK\r\nkey=/);
  });

  it('`stats cachedump` ends before 2 MiB, and shows no keys that came in base64', () => {
    const talk = new Talk();
    talk.say('ms YQ1i 1 b\r\nx\r\n');
    const { store } = talk.context;
    for (let i = 0; i < 10_000; i++) store.store('set', String(i).padStart(250, '.'), 'x', 0, 0);
    const classes = Array.from({ length: 10 }, (_, i) => talk.say(`stats cachedump ${i} 0\r\n`));
    expect(classes.join('')).not.toContain('a\rb');
    const longest = Math.max(...classes.map(({ length }) => length));
    expect(longest).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(longest).toBeGreaterThan(2 * 1024 * 1024 - 300);
  });
});

it('prefixes beyond a number are not counted: there may be as many as keys', () => {
  const talk = new Talk();
  talk.say('stats detail on\r\n');
  for (let i = 0; i < 70_000; i += 100) talk.say(`get ${Array.from({ length: 100 }, (_, n) => `${i + n}:k`).join(' ')}\r\n`);
  talk.say('get 7:k\r\n');
  const dump = talk.say('stats detail dump\r\n');
  expect(dump.match(/^PREFIX /gm)).toHaveLength(65_536);
  expect(dump).toContain('PREFIX 7 get 2 ');
});
