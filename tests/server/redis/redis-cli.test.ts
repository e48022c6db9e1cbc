import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemClock, type Clock } from '../../../src/runtime/clock';
import { MemoryStore, RedisServer } from '../../../src/server';
import { respRequest } from './redis-talk';
import { hasRedisCli } from './redis-process';

/** So that nothing depends on how fast this machine is. */
const FROZEN: Clock = { ...systemClock, now: () => 0 };

const describeWithCli = hasRedisCli() ? describe : describe.skip;

describeWithCli('redis-cli (skipped where it is not installed)', () => {
  let server: RedisServer;

  beforeEach(async () => {
    server = await RedisServer.start({ store: new MemoryStore({ clock: FROZEN }) });
  });

  afterEach(() => server.close());

  /** What it prints, given those arguments and that input. */
  async function cli(args: string[], input = ''): Promise<string> {
    const child = spawn('redis-cli', ['-p', String(server.port), ...args]);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stdin.end(input);
    await once(child, 'close');
    return output.trimEnd();
  }

  it('sets and gets', async () => {
    expect(await cli(['SET', 'k', 'a "value"\nof two lines', 'EX', '10'])).toBe('OK');
    expect(await cli(['GET', 'k'])).toBe('a "value"\nof two lines');
    expect(await cli(['--no-raw', 'TTL', 'k'])).toBe('(integer) 10');
    expect(await cli(['--no-raw', 'MGET', 'k', 'none'])).toBe('1) "a \\"value\\"\\nof two lines"\n2) (nil)');
    expect(await cli(['NOSUCH'])).toBe("ERR unknown command 'NOSUCH', with args beginning with:");
    expect(await cli(['-3', '--no-raw', 'GET', 'none'])).toBe('(nil)');
    expect(await cli(['-x', 'SET', 'file'], 'from input')).toBe('OK');
    expect(await cli(['STRLEN', 'file'])).toBe('10');
    expect(await cli(['INFO', 'server'])).toContain('redis_version:7.0.15');
    expect(await cli(['SAVE'])).toContain('ERR saving is not set up');
  });

  it('repeats, reads commands from its input, and scans', async () => {
    expect((await cli(['-r', '1000', 'INCR', 'n'])).split('\n').at(-1)).toBe('1000');
    expect(await cli([], 'SET a 1\nAPPEND a 2\nGET a\nPING\n')).toBe('OK\n2\n12\nPONG');
    expect((await cli(['--scan', '--pattern', '[an]'])).split('\n').sort()).toEqual(['a', 'n']);
  });

  it('inserts in masses', async () => {
    const count = 20_000;
    const stream = Array.from({ length: count }, (_, i) => respRequest('SET', `key:${i}`, `value ${i}`)).join('');
    expect(await cli(['--pipe'], stream)).toContain(`errors: 0, replies: ${count}`);
    expect(await cli(['DBSIZE'])).toBe(String(count));
    expect(await cli(['GET', `key:${count - 1}`])).toBe(`value ${count - 1}`);
  });

  it('authenticates', async () => {
    await server.close();
    const auth = [
      { username: 'default', password: 'secret' },
      { username: 'me', password: 'mine' },
    ];
    server = await RedisServer.start({ store: new MemoryStore({ clock: FROZEN }), auth });
    expect(await cli(['GET', 'k'])).toBe('NOAUTH Authentication required.');
    expect(await cli(['--no-auth-warning', '-a', 'secret', 'SET', 'k', '1'])).toBe('OK');
    expect(await cli(['--no-auth-warning', '--user', 'me', '--pass', 'mine', 'GET', 'k'])).toBe('1');
    expect(await cli(['--no-auth-warning', '-a', 'wrong', 'GET', 'k'])).toContain('WRONGPASS');
  });
});
