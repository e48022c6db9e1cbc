import { execFileSync } from 'node:child_process';
import dns from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { serve } from '../../src/cli/serve';
import type { RunningServer } from '../../src/cli/start';
import { hasIPv6 } from '../support/ipv6';
import { freePort } from '../support/memcached';

describe('serve', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  const running: RunningServer[] = [];
  let stdout = '';
  let stderr = '';
  let failures = 0;
  let ended = new AbortController();

  beforeEach(() => {
    failures = 0;
    ended = new AbortController();
    stdout = '';
    stderr = '';
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.close()));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function run(...args: string[]): Promise<RunningServer | number> {
    const result = await serve(args, '1.2.3', {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      failed: () => failures++,
      ended: ended.signal,
    });
    if (typeof result !== 'number') running.push(result);
    return result;
  }

  async function ask(address: string, request: string): Promise<string> {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
    const socket = connect(Number(port), host);
    socket.setEncoding('latin1').end(request);
    let answer = '';
    socket.on('data', (text: string) => (answer += text));
    await once(socket, 'close');
    return answer;
  }

  // Which addresses `localhost` has depends on the machine; all of 127.0.0.0/8 are there on Linux alone.
  (process.platform === 'linux' ? it : it.skip)('listens on all addresses of a name', async () => {
    const addresses = [['127.0.0.1', 4], ['127.0.0.2', 4], ['127.0.0.1', 4], ...(hasIPv6 ? ([['::1', 6]] as const) : [])] as const;
    const lookup = jest.spyOn(dns, 'lookup').mockResolvedValue(addresses.map(([address, family]) => ({ address, family })) as never);
    const server = await run('-p', '0', '-l', 'a.name', '--redis-port', '0');
    lookup.mockRestore();
    if (typeof server === 'number') throw new Error(stderr);
    const hosts = ['127.0.0.1', '127.0.0.2', ...(hasIPv6 ? ['[::1]'] : [])];
    expect(server.addresses.map((address) => address.replace(/:\d+$/, '')).sort()).toEqual(hosts.sort());
    expect(server.redisAddresses).toHaveLength(hosts.length);
    for (const address of server.addresses) expect(await ask(address.replace(/[[\]]/g, ''), 'mn\r\n')).toBe('MN\r\n');
  });

  it('prints one line with its address when it is ready', async () => {
    const server = await run('-p', '0', '-l', '127.0.0.1,127.0.0.1');
    if (typeof server === 'number') throw new Error(stderr);
    expect(stdout).toBe(`tsmemcache listening on ${server.addresses.join(', ')}\n`);
    const [first = '', second = ''] = server.addresses;
    expect(await ask(first, 'set k 0 0 1\r\n1\r\n')).toBe('STORED\r\n');
    // All addresses serve the same items.
    expect(await ask(second, 'get k\r\n')).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
  });

  (hasIPv6 ? it : it.skip)('listens on all addresses of both kinds, in either order', async () => {
    for (const hosts of ['0.0.0.0,::', '::,0.0.0.0', '127.0.0.1,::']) {
      const first = await run('-p', '0', '-l', '127.0.0.1');
      if (typeof first === 'number') throw new Error(stderr);
      const port = /\d+$/.exec(first.addresses[0] ?? '')?.[0] ?? '';
      await first.close();
      const server = await run('-p', port, '-l', hosts);
      if (typeof server === 'number') throw new Error(stderr);
      expect(await ask(`127.0.0.1:${port}`, 'set k 0 0 1\r\n1\r\n')).toBe('STORED\r\n');
      expect(await ask(`::1:${port}`, 'get k\r\n')).toBe('VALUE k 0 1\r\n1\r\nEND\r\n');
      await server.close();
    }
    // Alone it is for both.
    const server = await run('-p', '0', '-l', '::');
    if (typeof server === 'number') throw new Error(stderr);
    expect(await ask(`127.0.0.1:${/\d+$/.exec(server.addresses[0] ?? '')?.[0] ?? ''}`, 'mn\r\n')).toBe('MN\r\n');
  });

  it('serves Redis’s clients the same items, to the same users', async () => {
    const file = join(folder, 'redis-users');
    writeFileSync(file, 'default:secret\n');
    const server = await run('-p', '0', '--redis-port', '0', '-Y', file);
    if (typeof server === 'number') throw new Error(stderr);
    const [address = ''] = server.addresses;
    const [redis = ''] = server.redisAddresses;
    expect(stdout).toBe(`tsmemcache listening on ${address}, for Redis clients on ${redis}\n`);
    expect(await ask(redis, 'GET k\r\n')).toBe('-NOAUTH Authentication required.\r\n');
    expect(await ask(redis, 'AUTH secret\r\nSET k v\r\n')).toBe('+OK\r\n+OK\r\n');
    const reply = await ask(address, 'set auth 0 0 14\r\ndefault secret\r\nget k\r\n');
    expect(reply).toBe('STORED\r\nVALUE k 16 1\r\nv\r\nEND\r\n');
    const [port] = /\d+$/.exec(redis) ?? [''];
    expect(await run('-p', '0', '--redis-port', port)).toBe(71);
    expect(stderr).toContain(`failed to listen on 127.0.0.1:${port}: `);
  });

  it('warns when everybody is served, and not otherwise', async () => {
    const file = join(folder, 'users');
    writeFileSync(file, 'me:secret\n');
    await run('-p', '0', '-l', '0.0.0.0', '--redis-port', '0', '-Y', file);
    await run('-p', '0', '--redis-port', '0');
    expect(stderr).toBe('');
    await run('-p', '0', '-l', '0.0.0.0', '--redis-port', '0');
    expect(stderr.match(/^WARNING: 0\.0\.0\.0:\d+ serves everybody .*$/gm)).toHaveLength(2);
  });

  it('tells its events as JSON, one a line', async () => {
    const server = await run('-p', '0', '-l', '0.0.0.0', '-v', '--log', 'json');
    if (typeof server === 'number') throw new Error(stderr);
    const [address = ''] = server.addresses;
    await ask(address.replace('0.0.0.0', '127.0.0.1'), 'x'.repeat(5000));
    expect(JSON.parse(stdout)).toMatchObject({ level: 'info', message: expect.stringContaining('listening') as string, addresses: [address], redisAddresses: [] });
    const events = stderr.trim().split('\n').map((line) => JSON.parse(line) as { time: string; level: string; message: string });
    expect(events.map(({ level }) => level)).toEqual(['warning', 'error']);
    expect(events[0]?.message).toContain('there is no authentication');
    expect(events[1]?.message).toContain('closing a connection');
    for (const { time } of events) expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
  });

  it('writes its process id, and takes the file away again', async () => {
    const file = join(folder, 'pid');
    const server = await run('-p', '0', '-P', file);
    if (typeof server === 'number') throw new Error(stderr);
    expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
    await server.close();
    expect(existsSync(file)).toBe(false);
    running.pop();
  });

  it('leaves that file to the server that has taken its place', async () => {
    const pid = join(folder, 'pid');
    const server = await run('-p', '0', '-P', pid);
    if (typeof server === 'number') throw new Error(stderr);
    writeFileSync(pid, `${process.ppid}\n`);
    await server.close();
    expect(readFileSync(pid, 'utf8')).toBe(`${process.ppid}\n`);
    rmSync(pid);
  });

  it('ends well when that file is gone already', async () => {
    const file = join(folder, 'pid');
    const server = await run('-p', '0', '-P', file);
    if (typeof server === 'number') throw new Error(stderr);
    rmSync(file);
    await server.close();
    expect(stderr).toContain(`-P, --pidfile: could not remove ${JSON.stringify(file)}`);
    running.pop();
  });

  it('refuses TLS files and ciphers that cannot be used', async () => {
    const file = join(folder, 'no.pem');
    writeFileSync(file, 'not PEM');
    expect(await run('-p', '0', '-Z', '-o', `ssl_chain_cert=${file}`)).toBe(2);
    expect(stderr).toContain('-Z, --enable-ssl: must have PEM files and ciphers that can be used');
  });

  it('fails when what a client has ended could not be saved', async () => {
    const home = mkdtempSync(join(folder, 'home-'));
    const server = await run('-p', '0', '-A', '--snapshot', join(home, 'snapshot'));
    if (typeof server === 'number') throw new Error(stderr);
    running.pop();
    const [address = ''] = server.addresses;
    await ask(address, 'set k 0 0 1\r\n1\r\n');
    rmSync(home, { recursive: true });
    await ask(address, 'shutdown\r\n');
    await expect(server.close()).rejects.toThrow('ENOENT');
    expect(failures).toBe(1);
  });

  it('does not run without the file for its process id that was asked for', async () => {
    for (const file of ['', join(folder, 'none', 'pid')]) {
      expect(await run('-p', '0', '-P', file)).toBe(2);
      expect(stderr).toContain(`-P, --pidfile: must be a file that can be written, not ${JSON.stringify(file)}`);
      expect(stdout).toBe('');
    }
  });

  it('reads the users of -Y', async () => {
    const file = join(folder, 'users');
    writeFileSync(file, 'me:se:cret\nother:word\n');
    const server = await run('-p', '0', '-Y', file);
    if (typeof server === 'number') throw new Error(stderr);
    const [address = ''] = server.addresses;
    expect(await ask(address, 'version\r\n')).toBe('CLIENT_ERROR unauthenticated\r\n');
    expect(await ask(address, 'set auth 0 0 10\r\nme se:cret\r\nversion\r\n')).toBe('STORED\r\nVERSION 1.6.45\r\n');
    writeFileSync(file, '');
    expect(await run('-p', '0', '-Y', file)).toBe(2);
    writeFileSync(file, 'secret\n');
    expect(await run('-p', '0', '-Y', file)).toBe(2);
    writeFileSync(file, 'secret:\n');
    expect(await run('-p', '0', '-Y', file)).toBe(2);
    expect(await run('-p', '0', '-Y', join(folder, 'none'))).toBe(2);
    expect(stderr).not.toContain('secret');
  });

  it('ends when a client may say so', async () => {
    const server = await run('-p', '0', '-A');
    if (typeof server === 'number') throw new Error(stderr);
    const [address = ''] = server.addresses;
    await ask(address, 'shutdown\r\n');
    await expect(ask(address, 'version\r\n')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('keeps its items in a file, which it must be able to read', async () => {
    const file = join(folder, 'snapshot');
    const first = await run('-p', '0', '--snapshot', file);
    if (typeof first === 'number') throw new Error(stderr);
    expect(await ask(first.addresses[0] ?? '', 'set k 5 0 1\r\n1\r\n')).toBe('STORED\r\n');
    await first.close();
    const second = await run('-p', '0', '--snapshot', file);
    if (typeof second === 'number') throw new Error(stderr);
    expect(await ask(second.addresses[0] ?? '', 'get k\r\n')).toBe('VALUE k 5 1\r\n1\r\nEND\r\n');
    expect(stderr).toBe('');

    writeFileSync(file, 'something else');
    expect(await run('-p', '0', '--snapshot', file)).toBe(1);
    expect(stderr).toContain(`snapshot ${file}: not a snapshot (at byte 0)\n`);
    expect(readFileSync(file, 'utf8')).toBe('something else');
    expect(await run('-p', '0', '--snapshot', join(folder, 'none', 'snapshot'))).toBe(1);
    expect(stderr).toContain('ENOENT');
  });

  it('says so when its last save fails, and ends all the same', async () => {
    const home = mkdtempSync(join(folder, 'home-'));
    const pid = join(folder, 'pid');
    const server = await run('-p', '0', '-A', '-P', pid, '--snapshot', join(home, 'snapshot'));
    if (typeof server === 'number') throw new Error(stderr);
    running.pop();
    const [address = ''] = server.addresses;
    await ask(address, 'set k 0 0 1\r\n1\r\n');
    rmSync(home, { recursive: true });
    await expect(server.close()).rejects.toThrow('ENOENT');
    expect(stderr).toContain('could not be saved');
    expect(existsSync(pid)).toBe(false);
    await expect(ask(address, 'version\r\n')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('says why it cannot listen, with memcached’s status', async () => {
    const server = await run('-p', '0');
    if (typeof server === 'number') throw new Error(stderr);
    const [port] = /\d+$/.exec(server.addresses[0] ?? '') ?? [''];
    expect(await run('-p', port)).toBe(71);
    expect(stderr).toContain('EADDRINUSE');
  });

  it('says so in the format of its log', async () => {
    const server = await run('-p', '0');
    if (typeof server === 'number') throw new Error(stderr);
    const [port] = /\d+$/.exec(server.addresses[0] ?? '') ?? [''];
    const damaged = join(folder, 'damaged.snapshot');
    writeFileSync(damaged, 'something else');
    for (const [status, text, ...args] of [[71, 'EADDRINUSE', '-p', port], [2, '--pidfile', '-p', '0', '-P', folder], [1, 'not a snapshot', '-p', '0', '--snapshot', damaged]] as const) {
      stderr = '';
      expect(await run('--log', 'json', ...args)).toBe(status);
      const events = stderr.trim().split('\n').map((line) => JSON.parse(line) as { level: string; message: string });
      expect(events.at(-1)).toMatchObject({ level: 'error', message: expect.stringContaining(text) as string });
    }
  });

  const describeOnUnix = process.platform === 'win32' ? it.skip : it;

  describeOnUnix('leaves a server that runs alone when it cannot start', async () => {
    const path = join(folder, 'one.sock');
    const file = join(folder, 'one.snapshot');
    const first = await run('-s', path, '--redis-port', '0', '--snapshot', file);
    if (typeof first === 'number') throw new Error(stderr);
    const [redis = ''] = first.redisAddresses;
    writeFileSync(`${file}.tmp-1-1`, 'being written');
    expect(await run('-s', path, '--snapshot', file, '-l', 'no.such.host.invalid', '--redis-port', '0')).toBe(71);
    expect(existsSync(`${file}.tmp-1-1`)).toBe(true);
    expect(await run('-s', path, '--snapshot', file, '--redis-port', redis.replace(/.*:/, ''))).toBe(71);
    expect(await run('-s', path, '--snapshot', file, '-P', join(folder, 'none', 'pid'))).toBe(2);
    const client = connect(path);
    client.setEncoding('latin1').end('mn\r\n');
    expect((await once(client, 'data'))[0]).toBe('MN\r\n');
  });

  describeOnUnix('undoes the steps of a start that fails', async () => {
    const redis = await freePort();
    const snapshot = join(folder, 'undone.snapshot');
    const asked = ['-s', join(folder, 'none', 'socket'), '--redis-port', String(redis), '--snapshot', snapshot, '-P', join(folder, 'undone.pid')];
    expect(await run(...asked)).toBe(71);
    await expect(ask(`127.0.0.1:${redis}`, 'PING\r\n')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(readdirSync(folder).filter((name) => name.startsWith('undone'))).toEqual([]);
    expect(stdout).toBe('');
  });

  it('gives up a start when the process is to end, and leaves the snapshot as it is', async () => {
    const file = join(folder, 'given-up.snapshot');
    const first = await run('-p', '0', '--snapshot', file);
    if (typeof first === 'number') throw new Error(stderr);
    const sets = Array.from({ length: 20_000 }, (_, i) => `set key${i} 0 0 100 noreply\r\n${'x'.repeat(100)}\r\n`).join('');
    expect(await ask(first.addresses[0] ?? '', `${sets}mn\r\n`)).toBe('MN\r\n');
    await first.close();
    const { ino, mtimeMs } = statSync(file);
    stdout = '';
    const pid = join(folder, 'given-up.pid');
    const starting = run('-p', '0', '--snapshot', file, '-P', pid);
    setImmediate(() => { ended.abort(); });
    expect(await starting).toBe(0);
    expect([stdout, stderr]).toEqual(['', '']);
    expect(statSync(file)).toMatchObject({ ino, mtimeMs });
    expect(existsSync(pid)).toBe(false);
  });

  it('gives it up while it waits for the address of a name', async () => {
    const lookup = jest.spyOn(dns, 'lookup').mockReturnValue(new Promise(() => undefined) as never);
    const starting = run('-p', '0', '-l', 'a.name');
    ended.abort();
    expect(await starting).toBe(0);
    lookup.mockRestore();
    expect([stdout, stderr]).toEqual(['', '']);
  });

  it('takes no address that is none', async () => {
    expect(await run('-p', '0', '-l', '127.0.0.1,')).toBe(2);
    expect(stderr).toContain('-l, --listen: must be an address');
    expect(await run('-p', '0', '-l', 'no.such.host.invalid')).toBe(71);
    expect(stderr).toContain('failed to listen on no.such.host.invalid:0');
    // One for documentation, which no machine has.
    expect(await run('-p', '0', '-l', '2001:db8::1')).toBe(71);
    expect(stderr).toContain('failed to listen on [2001:db8::1]:0: ');
  });

  describeOnUnix('refuses a snapshot that is no file, without waiting for it', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const file of [pipe, folder, '/dev/null']) {
      expect(await run('-p', '0', '--snapshot', file)).toBe(2);
      expect(stderr).toContain(`cannot start from --snapshot=${file}: file must be a regular file, or not be there yet`);
    }
  });

  describeOnUnix('accepts the user that it is already', async () => {
    const { username } = userInfo();
    expect(typeof (await run('-p', '0', '-u', username))).toBe('object');
    expect(await run('-p', '0', '-u', 'no such user')).toBe(2);
    expect(stderr).toContain('-u, --user: must be the name of a user, not "no such user"\n');
  });

  it('knows its options', async () => {
    expect(await run('--help')).toBe(0);
    expect(stdout).toContain('--max-item-size');
    expect(await run('-V')).toBe(0);
    expect(stdout).toContain('tsmemcache 1.2.3\n');
    expect(await run('-c', '0')).toBe(2);
    expect(stderr).toContain('-c, --conn-limit: must be a whole number from 1');
  });
});
