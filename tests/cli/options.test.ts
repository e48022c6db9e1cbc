import { spawnSync } from 'node:child_process';
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
    for (const port of ['65536', 'abc', '12abc', '', '1.5', '0x10']) {
      expect(refusal(`--redis-port=${port}`).message).toBe(`--redis-port: ${port} is not a port from 0 to 65535`);
    }
    expect(refusal('--redis-port', '65536').status).toBe(64);
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

  it('read the number at the start of a text, 0 if there is none, and the nearest that is possible, as memcached does', () => {
    expect(parse('-p', 'abc').listeners).toEqual([{ host: '127.0.0.1', port: 0 }]);
    expect(parse('-p', '12abc').listeners).toEqual([{ host: '127.0.0.1', port: 12 }]);
    expect(parse('-b-5', '-o', 'idle_timeout=-5')).toMatchObject({ backlog: 0, idleTimeout: 0 });
    expect(parse('-b', '99999999999', '-o', 'idle_timeout=9999999')).toMatchObject({ backlog: 2 ** 31 - 1, idleTimeout: 2 ** 31 - 1 });
  });

  it('ask for help or the version', () => {
    expect(parseServeOptions(['-h'])).toBe('help');
    expect(parseServeOptions(['--version'])).toBe('version');
  });

  it.each([
    ['-S', 'SASL'],
    ['-d', 'foreground'],
    ['-u nobody', 'user'],
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

  it.each([
    '-c 0',
    '-c x',
    '--conn-limit=-5',
    '-t 0',
    '-R 0',
    '-f 0.5',
    '-n 0',
    '-m 0',
    '-m x',
    '-I 100',
    '-I 2g',
    '-I 2048m',
    '-I 40m',
    '-I 10m -m 5',
    '-p 99999',
    '-B nonsense',
    '-o nonsense',
    '-o idle_timeout',
    '-Q',
    '--nonsense',
    '-m',
  ])('refuse %s with the status of memcached', (args) => {
    const given = args.split(' ');
    const binary = process.env['MEMCACHED_BIN'] ?? 'memcached';
    const real = spawnSync(binary, ['-u', 'nobody', '-l', '127.0.0.1', ...given], { timeout: 5000 });
    expect(real.error).toBeUndefined();
    expect(refusal(...given).status).toBe(real.status);
  });
});
