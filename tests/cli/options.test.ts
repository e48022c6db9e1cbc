import { parseServeOptions, UsageError, type ServeOptions } from '../../src/cli/options';

function parse(...args: string[]): ServeOptions {
  const options = parseServeOptions(args);
  if (typeof options === 'string') throw new Error(`asked for ${options}`);
  return options;
}

function refusal(...args: string[]): UsageError {
  try {
    parseServeOptions(args);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`accepted ${args.join(' ')}`);
}

describe('the options of serve', () => {
  it('have memcached’s defaults, but for the address', () => {
    expect(parse()).toEqual({
      listeners: [{ host: '127.0.0.1', port: 11_211 }],
      redisListeners: [],
      authFile: undefined,
      tls: undefined,
      maxBytes: 64 * 1024 * 1024,
      maxItemSize: 1024 * 1024,
      evict: true,
      cas: true,
      maxConnections: 1024,
      maxCommandsPerTurn: 500,
      backlog: 1024,
      idleTimeout: 0,
      shutdown: false,
      flush: true,
      dump: true,
      verbosity: 0,
      pidFile: undefined,
      user: undefined,
      log: 'text',
      snapshot: undefined,
    });
  });

  it('have memcached’s letters', () => {
    const letters = '-p 1 -m 100 -I 2m -c 10 -R 5 -b 7 -t 2 -U 0 -B ascii -f 1.5 -n 64 -P /pid -Y /auth -L -vv -CFXWAM';
    expect(parse(...letters.split(' '), '-o', 'modern,idle_timeout=30,no_lru_crawler,hot_lru_pct=10')).toMatchObject({
      listeners: [{ host: '127.0.0.1', port: 1 }],
      maxBytes: 100 * 1024 * 1024,
      maxItemSize: 2 * 1024 * 1024,
      maxConnections: 10,
      maxCommandsPerTurn: 5,
      backlog: 7,
      idleTimeout: 30_000,
      pidFile: '/pid',
      authFile: '/auth',
      verbosity: 2,
      cas: false,
      flush: false,
      dump: false,
      shutdown: true,
      evict: false,
    });
  });

  it('have memcached’s long names', () => {
    expect(parse('--port=5', '--memory-limit', '10', '--max-item-size=512k', '--conn-limit=3', '--listen=::1')).toMatchObject({
      listeners: [{ host: '::1', port: 5 }],
      maxBytes: 10 * 1024 * 1024,
      maxItemSize: 512 * 1024,
      maxConnections: 3,
    });
  });

  it('name addresses with or without a port, in lists or one by one', () => {
    expect(parse('-p', '9', '-l', 'localhost,10.0.0.1:10', '-l', '[::1]:11', '-l', '[::2]').listeners).toEqual([
      { host: 'localhost', port: 9 },
      { host: '10.0.0.1', port: 10 },
      { host: '::1', port: 11 },
      { host: '::2', port: 9 },
    ]);
    expect(parse('-s', '/tmp.sock', '-a', '770').listeners).toEqual([{ path: '/tmp.sock', pathMode: 0o770 }]);
  });

  it('serve Redis on the same hosts, or on this machine beside a unix socket', () => {
    expect(parse('--redis-port', '6379').redisListeners).toEqual([{ host: '127.0.0.1', port: 6379 }]);
    expect(parse('-l', '10.0.0.1:1,10.0.0.1:2,[::1]', '--redis-port=7').redisListeners).toEqual([
      { host: '10.0.0.1', port: 7 },
      { host: '::1', port: 7 },
    ]);
    expect(parse('-s', '/tmp.sock', '--redis-port=7').redisListeners).toEqual([{ host: '127.0.0.1', port: 7 }]);
    expect(parse('-s', '/tmp.sock', '-l', '10.0.0.1', '--redis-port=7')).toMatchObject({
      listeners: [{ path: '/tmp.sock' }],
      redisListeners: [{ host: '10.0.0.1', port: 7 }],
    });
    expect(refusal('-s', '/tmp.sock', '-l', '').message).toBe('-l, --listen: must be an address, not ""');
    for (const port of ['65536', 'abc', '12abc', '', '1.5', '0x10']) {
      expect(refusal(`--redis-port=${port}`).message).toBe(
        `--redis-port: must be a whole number from 0 to 65535, not ${JSON.stringify(port)}`,
      );
    }
  });

  it('set up TLS', () => {
    expect(parse('-Z', '-o', 'ssl_chain_cert=c.pem,ssl_key=k.pem,ssl_verify_mode=2,ssl_min_version=3').tls).toEqual({
      chain: 'c.pem',
      key: 'k.pem',
      ca: undefined,
      ciphers: undefined,
      verifyMode: 2,
      minVersion: 'TLSv1.3',
    });
    expect(refusal('-Z').message).toContain('ssl_chain_cert');
  });

  it('keep the items in a file', () => {
    expect(parse('--snapshot', 'cache.snapshot').snapshot).toEqual({ file: 'cache.snapshot', interval: 60_000 });
    expect(parse('--snapshot=a', '--save-interval=5').snapshot).toEqual({ file: 'a', interval: 5000 });
    expect(parse('--snapshot=a', '--save-interval=0').snapshot).toEqual({ file: 'a', interval: 0 });
    for (const interval of ['-1', 'x', '', '1.5', '1000000']) {
      expect(refusal('--snapshot=a', `--save-interval=${interval}`).message).toContain('--save-interval');
    }
    expect(refusal('--save-interval=5').message).toContain('--snapshot');
    expect(refusal('--snapshot=').message).toContain('file');
  });

  it('change the user', () => {
    expect(parse('-u', 'nobody').user).toBe('nobody');
  });

  it('tell events as text or as JSON', () => {
    expect(parse('--log', 'json').log).toBe('json');
    expect(refusal('--log=xml').message).toBe('--log: must be text or json, not "xml"');
  });

  it('ask for help or the version', () => {
    expect(parseServeOptions(['-h'])).toBe('help');
    expect(parseServeOptions(['--version'])).toBe('version');
  });

  it.each([
    ['-S', 'SASL'],
    ['-d', 'foreground'],
    ['-k', 'memory'],
    ['-r', 'core'],
    ['-e /file', 'memory file'],
    ['-B binary', 'binary protocol'],
    ['-U 11211', 'UDP'],
    ['-o ext_path=/file:1g', 'external storage'],
    ['-o proxy_config=file.lua', 'the proxy'],
    ['-l notls:127.0.0.1', 'notls'],
  ])('say what is not served: %s', (args, reason) => {
    expect(refusal(...args.split(' ')).message).toContain(reason);
  });

  const anInt = 'a whole number from 1 to 2147483647';
  const aPort = 'a whole number from 0 to 65535';

  it.each([
    ['-p abc', `-p, --port: must be ${aPort}, not "abc"`],
    ['-p 12abc', `-p, --port: must be ${aPort}, not "12abc"`],
    ['-p=80', `-p, --port: must be ${aPort}, not "=80"`],
    ['--port=', `-p, --port: must be ${aPort}, not ""`],
    ['--port=1e3', `-p, --port: must be ${aPort}, not "1e3"`],
    ['-p 99999', `-p, --port: must be ${aPort}, not "99999"`],
    ['-m abc', `-m, --memory-limit: must be ${anInt}, not "abc"`],
    ['-m 0', `-m, --memory-limit: must be ${anInt}, not "0"`],
    ['-m 64m', `-m, --memory-limit: must be ${anInt}, not "64m"`],
    ['-c 0', `-c, --conn-limit: must be ${anInt}, not "0"`],
    ['-c x', `-c, --conn-limit: must be ${anInt}, not "x"`],
    ['--conn-limit=-5', `-c, --conn-limit: must be ${anInt}, not "-5"`],
    ['-t 0', `-t, --threads: must be ${anInt}, not "0"`],
    ['-R 0', `-R, --max-reqs-per-event: must be ${anInt}, not "0"`],
    ['-b x', '-b, --listen-backlog: must be a whole number from 0 to 2147483647, not "x"'],
    ['-n 0', `-n, --slab-min-size: must be ${anInt}, not "0"`],
    ['-f 0.5', '-f, --slab-growth-factor: must be a number greater than 1, not "0.5"'],
    ['-f x', '-f, --slab-growth-factor: must be a number greater than 1, not "x"'],
    ['-I 100', '-I, --max-item-size: must be from 1k to 1024m, a whole number with k or m or of bytes, not "100"'],
    ['-I 2g', '-I, --max-item-size: must be from 1k to 1024m, a whole number with k or m or of bytes, not "2g"'],
    ['-I abc', '-I, --max-item-size: must be from 1k to 1024m, a whole number with k or m or of bytes, not "abc"'],
    ['-I 40m', '-I, --max-item-size: must be at most half of -m, --memory-limit'],
    ['-I 10m -m 5', '-I, --max-item-size: must be at most half of -m, --memory-limit'],
    ['-U x', `-U, --udp-port: must be ${aPort}, not "x"`],
    ['-a 9', '-a, --unix-mask: must be an access mode from 0 to 7777, octal, not "9"'],
    ['--unix-socket=', '-s, --unix-socket: must be the name of a file'],
    ['-l 127.0.0.1:x', `-l 127.0.0.1:x, the port: must be ${aPort}, not "x"`],
    ['-l [::1]:70000', `-l [::1]:70000, the port: must be ${aPort}, not "70000"`],
    ['--listen=', '-l, --listen: must be an address, not ""'],
    ['-B nonsense', '-B, --protocol: must be auto or ascii, not "nonsense"'],
    ['-o nonsense', '-o: there is no suboption "nonsense"'],
    ['-o idle_timeout', '-o idle_timeout: needs a value, idle_timeout=…'],
    ['-o idle_timeout=5,ssl_chain_cert=c.pem', '-o ssl_chain_cert: needs -Z; without it there is no TLS'],
    ['-o idle_timeout=x', '-o idle_timeout: must be a whole number from 0 to 2147483, not "x"'],
    ['-Z -o ssl_chain_cert=c,ssl_min_version=4', '-o ssl_min_version: must be a whole number from 0 to 3, not "4"'],
    ['--snapshot=a --save-interval=x', '--save-interval: must be a whole number from 0 to 999999, not "x"'],
    ['-Q', "Unknown option '-Q'; see tsmemcache serve --help"],
    ['--nonsense', "Unknown option '--nonsense'"],
    ['-p -1', `-p, --port: must be ${aPort}, not "-1"`],
    ['--port -1', `-p, --port: must be ${aPort}, not "-1"`],
    ['-v -m -64', '-m, --memory-limit: must be a whole number from 1 to 2147483647, not "-64"'],
    ['-m', "argument missing"],
    ['11211', "Unexpected argument '11211'"],
  ])('refuse %s with status 2, the option and the rule', (args, message) => {
    const error = refusal(...args.split(' '));
    expect(error.message).toContain(message);
    expect(error.status).toBe(2);
  });
});
