/** Random command sequences for the differential test. What is left out here is listed in docs/embedded-server.md. */

// Reaching for a global costs most of a test's time in jest.
const { floor, imul } = Math;

/** A source of randomness that one number determines. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  /** Whether something that happens once in `times` happens. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('nothing to pick from');
    return choice;
  }
}

const KEYS = ['a', 'b', 'n', 'm', 'key:with:colons', 'k'.repeat(250), '\xe4\xf6', 'tab\there'];
/** Base64 of "bin" + NUL + "ary", of a blank, and of a text that is never stored otherwise. */
const BINARY_KEYS = ['YmluAGFyeQ==', 'IA==', 'Ym9i'];
const LONG_KEY = 'x'.repeat(251);
const VALUES = [
  ...['', '0', '1', '9', '10', '99', '1000', '9223372036854775807', '-1', ' 12', '12 ab', 'text'],
  ...['a\r\nb', '\x00\xff', 'END\r\n', 'x'.repeat(300), 'y'.repeat(5000)],
];
const EXPTIMES = ['0', '0', '0', '100', '30', '-1', '2592000', '2592001', '2147483647', '+60', '4294967296'];
const FLAGS = ['0', '0', '5', '4294967295', '4294967296', '+7', '007'];
// No value is stored that is 2^63 or more: memcached looks for a minus sign behind its end, and may find one.
const NUMBERS = ['0', '1', '5', '18446744073709551615', '18446744073709551614', '4294967296', '10000000000'];
const BAD_NUMBERS = ['', 'x', '1x', '-1', '99999999999999999999999', '0x10', '1e3', '1.5'];
const LINE_ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', ' \r\n', '  \r\n'];
const STORING = ['set', 'set', 'set', 'add', 'replace', 'append', 'prepend', 'cas'];
/** The commands of administration, with what may follow each. */
const ADMIN = Object.entries({
  version: ['', 'x y'],
  verbosity: ['0', '', 'x', '0 noreply'],
  cache_memlimit: ['64', '1', 'x', '2000000000', '64 noreply'],
  flush_all: ['', '0', '-1', 'noreply', '0 noreply', 'x', '0 2 3'],
  shutdown: ['', 'x'],
  stats: ['reset', 'detail', 'nothing', 'sizes', 'cachedump', 'cachedump 99 1', 'cachedump x 1'],
  lru_crawler: ['', 'enable', 'sleep 100', 'sleep x', 'sleep 2000000', 'tocrawl 0', 'nothing'],
  lru: ['mode flat', 'mode segmented', 'mode x', 'tune 10 25 0.1 2.0', 'tune 50 50 0.1 2.0', 'tune 10 25 x 2.0', 'temp_ttl 61', 'temp_ttl -1', 'nothing', ''],
  slabs: ['automove 1', 'automove 9', 'automove x', 'automove ratio 0.8', 'automove ratio x', ''],
}).flatMap(([command, rests]) => rests.map((rest) => `${command} ${rest}`.trimEnd()));

/** Writes commands that both sides must answer alike. `casOf` tells the present cas of a key, so that some match. */
export class CommandWriter {
  readonly #random: Random;
  readonly #casOf: (key: string) => number;

  constructor(random: Random, casOf: (key: string) => number) {
    this.#random = random;
    this.#casOf = casOf;
  }

  next(): string {
    const random = this.#random;
    // Each as often as it stands here.
    const kinds = [
      ...[this.#storage, this.#storage, this.#retrieval, this.#item, this.#admin, this.#storageOrMalformed],
      ...[this.#metaSet, this.#metaSet, this.#metaGet, this.#metaGet, this.#metaDelete, this.#metaArithmetic, this.#metaOther],
    ];
    return random.pick(kinds).call(this);
  }

  #key(): string {
    return this.#random.pick(KEYS);
  }

  #end(): string {
    return this.#random.pick(LINE_ENDS);
  }

  #cas(key: string): string {
    const random = this.#random;
    const present = this.#casOf(key);
    return String(random.pick([present, present, present, 0, 1, Math.max(0, present - 1), present + 1]));
  }

  #noreply(): string {
    return this.#random.once(6) ? ' noreply' : '';
  }

  #block(value: string): string {
    const { length } = value;
    // Now and then a block that does not end where it should, at most one byte away.
    if (!this.#random.once(40)) return `${value}\r\n`;
    return length > 0 && this.#random.once(2) ? `${value.slice(1)}\r\n\r\n` : `${value}z\r\n`;
  }

  #storageOrMalformed(): string {
    return this.#random.once(3) ? this.#malformed() : this.#storage();
  }

  #metaOther(): string {
    return this.#random.once(2) ? 'mn\r\n' : `me ${this.#key()}${this.#random.once(5) ? ' z' : ''}\r\n`;
  }

  #storage(): string {
    const random = this.#random;
    const verb = random.pick(STORING);
    const key = random.once(30) ? LONG_KEY : this.#key();
    const value = random.pick(VALUES);
    const flags = random.once(30) ? random.pick(BAD_NUMBERS.slice(1)) : random.pick(FLAGS);
    const exptime = random.once(30) ? random.pick(BAD_NUMBERS.slice(1)) : random.pick(EXPTIMES);
    const unique = verb === 'cas' ? ` ${random.once(30) ? 'x' : this.#cas(key)}` : '';
    const line = `${verb} ${key} ${flags} ${exptime} ${value.length}${unique}${this.#noreply()}${this.#end()}`;
    return line + this.#block(value);
  }

  #retrieval(): string {
    const random = this.#random;
    const verb = random.pick(['get', 'get', 'gets', 'gat', 'gats', 'bget']);
    // Only these two may exceed 2048 bytes.
    const many = verb.startsWith('get') && random.once(20);
    const keys = Array.from({ length: many ? 40 : 1 + random.below(4) }, () => this.#key());
    const exptime = verb.startsWith('ga') ? `${random.pick(random.once(20) ? ['x'] : EXPTIMES)} ` : '';
    const line = `${verb} ${exptime}${keys.join(random.once(10) ? '  ' : ' ')}${this.#end()}`;
    return line;
  }

  #item(): string {
    const random = this.#random;
    const key = random.once(40) ? LONG_KEY : this.#key();
    switch (random.below(4)) {
      case 0: {
        const hold = random.pick(['', '', '', ' 0', ' 5', ' 0 0']);
        return `delete ${key}${hold}${this.#noreply()}${this.#end()}`;
      }
      case 1: {
        const exptime = random.pick(random.once(10) ? BAD_NUMBERS : EXPTIMES);
        return `touch ${key} ${exptime}${this.#noreply()}${this.#end()}`;
      }
      default: {
        const delta = random.pick(random.once(10) ? BAD_NUMBERS : NUMBERS);
        // While an answer that shows the item waits, memcached makes a new item, and does not pad it.
        return `mn\r\n${random.pick(['incr', 'decr'])} ${key} ${delta}${this.#noreply()}${this.#end()}`;
      }
    }
  }

  #admin(): string {
    return this.#random.pick(ADMIN) + this.#end();
  }

  #malformed(): string {
    const random = this.#random;
    const line = random.pick([
      '',
      'x',
      'get',
      'gets ',
      'gat',
      'gat 0',
      'GET a',
      'set',
      'set a',
      'set a 0 0',
      'set a 0 0 x',
      'set a 0 0 -1',
      'set a 0 0 1 noreply extra',
      'cas a 0 0 1',
      'touch a',
      'incr a',
      'incr',
      'delete',
      'delete a 1 2 3',
      'mg',
      'ms',
      'ms a',
      'ms a x',
      'ms a -1',
      'md',
      'ma',
      'me',
      'mx a',
      'mn extra words',
      `mg ${LONG_KEY} v`,
      `md ${LONG_KEY}`,
      `ma ${LONG_KEY}`,
      `me ${LONG_KEY}`,
      `mg a${' v'.repeat(30)}`,
      `mg a 1 2 3 4 5 6 7 8 9 0 a b c d e f g h i`,
      `md a 1 2 3 4 5 6 7 8 9 0 a b c d e f g h i`,
      `ma a 1 2 3 4 5 6 7 8 9 0 a b c d e f g h i`,
      'get a\x00b',
      'get a\x00 b',
      '\x00',
      'version\x00 x',
      ' \t get a',
      '  get  a  n ',
      'quit\x00',
      'stats re',
      'delete noreply',
      'nonsense noreply',
      '\xff\xfe',
      'gett a',
      'getsa b',
      'sets a 0 0 1',
      `get ${'long '.repeat(60)}`,
    ]);
    const text = `mn\r\n${line}${this.#end()}`;
    return text;
  }

  /** Flags out of `choices`, in random order, now and then one twice. */
  #flags(choices: readonly string[]): string {
    const random = this.#random;
    const left = [...choices];
    let flags = '';
    for (let i = random.below(6); i > 0 && left.length > 0; i--) {
      const at = random.below(left.length);
      const flag = left[at] ?? '';
      // Two flags of the same letter are refused; let that be rare.
      if (random.once(50)) flags += ` ${flag}`;
      left.splice(at, 1);
      for (let j = left.length - 1; j >= 0; j--) if (left[j]?.[0] === flag[0]) left.splice(j, 1);
      flags += ` ${flag}`;
    }
    return flags;
  }

  #opaque(): string[] {
    return ['O1', 'Oabc', `O${'o'.repeat(31)}`, ...(this.#random.once(10) ? [`O${'o'.repeat(32)}`, 'O'] : [])];
  }

  #odd(): string[] {
    if (!this.#random.once(15)) return [];
    return [
      ...['z', 'E5', 'E9007199254740993', 'x', '\xe4', 'S1', '1', 'Tx', 'Nx', 'Rx', 'Cx', 'Fx', 'Jx', 'Dx', 'M', 'Mxx', 'MX', 'T'],
      ...['J5', 'D7', 'P', 'L9', 'I', 'F9', 'T+30'],
    ];
  }

  /** A key for a meta command, and the flag that goes with it. */
  #metaKey(): { key: string; flag: string } {
    if (this.#random.once(5)) return { key: this.#random.pick(BINARY_KEYS), flag: ' b' };
    if (this.#random.once(60)) return { key: this.#random.pick(['=', 'Zm9', '%%%%', 'Zm9v=']), flag: ' b' };
    return { key: this.#key(), flag: '' };
  }

  #metaGet(): string {
    const { key, flag } = this.#metaKey();
    const binary = flag !== '';
    const flags = this.#flags([
      ...['v', 'v', 'c', 'f', 'h', 'k', 'l', 's', 't', 'q', 'u', 'R30', 'R100', 'R2592000', 'T100', 'T30', 'T0', 'T-1'],
      ...(binary ? [] : ['N0', 'N30', 'N100']),
      ...this.#opaque(),
      ...(binary ? [] : this.#odd()),
    ]);
    return `mg ${key}${this.#random.once(2) ? flag + flags : flags + flag}${this.#end()}`;
  }

  #metaSet(): string {
    const random = this.#random;
    const { key, flag } = this.#metaKey();
    const any = random.pick(VALUES);
    const flags = this.#flags([
      ...['c', 'k', 'q', 'F5', 'F0', 'T100', 'T0', 'T-1', 'I', `C${this.#cas(key)}`, 'MS', 'ME', 'MR'],
      ...(flag === '' ? ['MA', 'MP', 'Ma', 'N30'] : []),
      ...['O1', 'Oabc'],
      ...this.#odd(),
    ]);
    // Where the flags are none, the block is read as a line, and a long one ends the session if it comes in pieces.
    const value = flags.includes('\xe4') ? 'short' : any;
    // After a block that does not end where it should, memcached gives the number of this item to the next.
    return `ms ${key} ${value.length}${flag}${flags}${this.#end()}${value}\r\n`;
  }

  #metaDelete(): string {
    const { key, flag } = this.#metaKey();
    const flags = this.#flags([
      ...['q', 'k', 'I', 'I', 'T30', 'T-1', `C${this.#cas(key)}`],
      ...this.#opaque(),
      ...this.#odd(),
    ]);
    return `md ${key}${flag}${flags}${this.#end()}`;
  }

  #metaArithmetic(): string {
    const random = this.#random;
    const { key, flag } = this.#metaKey();
    // A binary key forgets that it is one when memcached makes its counter longer.
    if (flag !== '') return `mn\r\nma ${key} b MD D${random.below(3)} k v t\r\n`;
    const numbers = NUMBERS.flatMap((number) => (number.length < 20 ? [`D${number}`, `J${number}`] : [`D${number}`]));
    // memcached loses the TTL set on a counter that gets longer.
    const mode = random.pick([[], ['MI'], ['M+'], ['MD', 'T30', 'T0'], ['M-', 'T100']]);
    const down = mode.length > 1;
    const flags = this.#flags([
      ...['q', 'k', 'v', 'v', 't', 'c', `C${this.#cas(key)}`, ...numbers],
      ...['N0', 'N30', 'N0'],
      ...mode,
      ...this.#opaque(),
    ]);
    if (down && flags.includes(' T') && !/ M[D-]/.test(flags)) return `mn\r\nma ${key}\r\n`;
    return `mn\r\nma ${key}${flags}${this.#end()}`;
  }
}
