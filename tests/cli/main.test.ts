import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { MemoryStore, Persistence } from '../../src/server';

const ROOT = join(__dirname, '../..');
const SRC = join(ROOT, 'src');

/** In ms: a program that runs this long waits for somebody. */
const FOR_EVER = 60_000;

describe('the program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  const main = join(folder, 'dist/cli/main.js');

  beforeAll(() => {
    // File by file, so that what is loaded can be told.
    const entryPoints = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => join(SRC, name));
    buildSync({ entryPoints, outbase: SRC, outdir: join(folder, 'dist'), format: 'cjs', platform: 'node', target: 'node20', logLevel: 'error' });
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function start(...args: string[]): ChildProcessWithoutNullStreams {
    return spawn(process.execPath, [main, ...args]);
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('serves until %s, and then ends cleanly', async (signal) => {
    const child = start('serve', '--port', '0');
    const exit = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    expect(line).toMatch(/^tsmemcache listening on 127\.0\.0\.1:\d+\n$/);
    child.kill(signal);
    expect(await exit).toEqual([0, null]);
  });

  it.each<[NodeJS.Signals, unknown[]]>([
    ['SIGTERM', [0, null]],
    ['SIGINT', [0, null]],
    ['SIGHUP', [null, 'SIGHUP']],
  ])('saves its items at %s', async (signal, ending) => {
    const file = join(folder, `snapshot-${signal}`);
    const pidFile = join(folder, `pid-${signal}`);
    const child = start('serve', '--port', '0', '--snapshot', file, '--pidfile', pidFile);
    const exit = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const socket = connect(Number(/\d+$/m.exec(line)?.[0]), '127.0.0.1').end('set k 0 0 5\r\nvalue\r\n');
    await once(socket.resume(), 'close');
    child.kill(signal);
    expect(await exit).toEqual(ending);
    expect(readFileSync(file, 'latin1')).toContain('kvalue');
    expect(existsSync(pidFile)).toBe(false);
  });

  it('tells in the format of its log that the last save failed', async () => {
    const home = mkdtempSync(join(folder, 'home-'));
    const child = start('serve', '--port', '0', '--log', 'json', '--snapshot', join(home, 'snapshot'));
    const end = once(child, 'close');
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const { addresses } = JSON.parse(line) as { addresses: string[] };
    const socket = connect(Number(/\d+$/.exec(addresses[0] ?? '')?.[0]), '127.0.0.1').end('set k 0 0 5\r\nvalue\r\n');
    await once(socket.resume(), 'close');
    rmSync(home, { recursive: true });
    child.kill('SIGTERM');
    expect(await end).toEqual([1, null]);
    const events = told.trim().split('\n').map((text) => JSON.parse(text) as { level: string; message: string });
    expect(events).toHaveLength(1);
    expect(events[0]?.level).toBe('error');
    expect(events[0]?.message).toContain('could not be saved: ENOENT');
  });

  /** Whether the signals came during the last save, which may be over before anybody sees it begin. */
  async function isSavedThroughSignals(items: number): Promise<boolean> {
    const file = join(folder, 'snapshot-twice');
    const child = start('serve', '--port', '0', '--snapshot', file, '--save-interval', '0');
    const exit = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const sets = Array.from({ length: items }, (_, i) => `set key${i} 0 0 5 noreply\r\nvalue\r\n`).join('');
    const socket = connect(Number(/\d+$/m.exec(line)?.[0]), '127.0.0.1').end(`${sets}mn\r\n`);
    await once(socket.resume(), 'close');
    child.kill('SIGTERM');
    const isSaving = (): boolean => readdirSync(folder).some((name) => name.startsWith('snapshot-twice.tmp'));
    while (!isSaving() && child.exitCode === null) await setTimeout(1);
    child.kill('SIGTERM');
    child.kill('SIGINT');
    const inTime = isSaving();
    expect(await exit).toEqual([0, null]);
    expect(readFileSync(file, 'latin1')).toContain(`key${items - 1}value`);
    rmSync(file);
    return inTime;
  }

  it('finishes its last save whatever signals follow', async () => {
    let attempts = 1;
    // More items take longer.
    while (!(await isSavedThroughSignals(100_000 * attempts))) expect(++attempts).toBeLessThan(6);
  });

  /** What came of a signal in the midst of reading a snapshot; undefined when that was over before. */
  async function endedWhileReading(signal: NodeJS.Signals, items: number): Promise<unknown[] | undefined> {
    const file = join(folder, `read-${signal}`);
    const store = new MemoryStore();
    for (let i = 0; i < items; i++) store.store('set', `key${i}`, 'value', 0, 0);
    const persistence = await Persistence.open(store, { file, interval: 0 });
    await persistence.save();
    store.close();
    // What a crash has left is removed before anything is read.
    const left = `${file}.tmp-1-1`;
    writeFileSync(left, '');
    const child = start('serve', '--port', '0', '--snapshot', file);
    const exit = once(child, 'exit');
    let told = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (told += text));
    while (existsSync(left)) await setTimeout(1);
    child.kill(signal);
    const ending = await exit;
    rmSync(file);
    return told === '' ? ending : undefined;
  }

  it.each<[NodeJS.Signals, unknown[]]>([
    ['SIGTERM', [0, null]],
    ['SIGINT', [0, null]],
    ['SIGHUP', [null, 'SIGHUP']],
  ])('ends at %s although it has not read its snapshot yet', async (signal, ending) => {
    let result: unknown[] | undefined;
    // More items take longer.
    for (let attempts = 1; result === undefined; attempts++) {
      expect(attempts).toBeLessThan(6);
      result = await endedWhileReading(signal, 50_000 * attempts);
    }
    expect(result).toEqual(ending);
  });

  (process.getuid?.() === 0 ? it : it.skip)('becomes another user before anybody is served', async () => {
    // The program must be readable for that user.
    chmodSync(folder, 0o755);
    const child = spawn(process.execPath, [main, 'serve', '-p', '0', '-l', 'localhost,127.0.0.1', '-u', 'nobody']);
    await once(child.stdout, 'data');
    const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
    const nobody = execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).trim();
    const group = execFileSync('id', ['-g', 'nobody'], { encoding: 'utf8' }).trim();
    expect(status).toContain(`Uid:\t${nobody}\t${nobody}\t${nobody}\t${nobody}\n`);
    expect(status).toContain(`Gid:\t${group}\t${group}\t${group}\t${group}\n`);
    expect(status).toMatch(new RegExp(`Groups:\\t${group} ?\\n`));
    child.kill();
    await once(child, 'exit');
  });

  (process.getuid?.() === 0 ? it : it.skip)('gives that user the socket, too', async () => {
    // In a folder that this user may not look into: it ends all the same.
    const path = join(mkdtempSync(join(folder, 'closed-')), 'socket');
    const child = spawn(process.execPath, [main, 'serve', '-s', path, '-u', 'nobody']);
    await once(child.stdout, 'data');
    const ids = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'nobody'], { encoding: 'utf8' })));
    const { uid, gid, mode } = statSync(path);
    child.kill();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect([uid, gid, mode & 0o777]).toEqual([...ids, 0o700]);
  });

  (process.getuid?.() === 0 ? it : it.skip)('refuses a pid file that this user cannot write, before it takes the place of a server', async () => {
    chmodSync(folder, 0o755);
    const path = join(folder, 'running.sock');
    const running = spawn(process.execPath, [main, 'serve', '-s', path]);
    await once(running.stdout, 'data');
    const { ino } = statSync(path);
    const own = join(folder, 'own.pid');
    writeFileSync(own, 'kept', { mode: 0o600 });
    for (const pid of [join(folder, 'new.pid'), own]) {
      const { status, stderr } = spawnSync(process.execPath, [main, 'serve', '-s', path, '-u', 'nobody', '-P', pid], { encoding: 'utf8' });
      expect([status, stderr]).toEqual([2, expect.stringContaining(`-P, --pidfile: must be a file that can be written, not ${JSON.stringify(pid)}: EACCES`)]);
    }
    expect(statSync(path).ino).toBe(ino);
    expect(readFileSync(own, 'utf8')).toBe('kept');
    running.kill();
    await once(running, 'exit');
  });

  (process.getuid?.() === 0 ? it : it.skip)('writes the pid file where only this user may, and removes it', async () => {
    chmodSync(folder, 0o755);
    const home = mkdtempSync(join(folder, 'home-'));
    const [uid = 0, gid = 0] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'nobody'], { encoding: 'utf8' })));
    chownSync(home, uid, gid);
    const pid = join(home, 'pid');
    const child = spawn(process.execPath, [main, 'serve', '-p', '0', '-u', 'nobody', '-P', pid]);
    await once(child.stdout, 'data');
    expect(readdirSync(home)).toEqual(['pid']);
    expect(readFileSync(pid, 'utf8')).toBe(`${child.pid ?? 0}\n`);
    expect(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8')).toMatch(new RegExp(`Uid:(\\t${uid}){4}\nGid:(\\t${gid}){4}\n`));
    child.kill();
    await once(child, 'exit');
    expect(readdirSync(home)).toEqual([]);
  });

  describe.each(['a pipe', 'a folder', 'a socket', 'a device'])('refuses %s', (kind) => {
    const path = join(folder, kind.replace(' ', '-'));
    const isPossible = process.platform !== 'win32' && (kind !== 'a device' || process.getuid?.() === 0);

    beforeAll(async () => {
      if (!isPossible) return;
      if (kind === 'a pipe') execFileSync('mkfifo', [path]);
      if (kind === 'a folder') mkdirSync(path);
      // As /dev/zero, which has no end.
      if (kind === 'a device') execFileSync('mknod', [path, 'c', '1', '5']);
      if (kind !== 'a socket') return;
      const child = start('serve', '-s', path);
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
    });

    const pem = (name: string): string => join(ROOT, 'tests/server/fixtures', name);

    it.each([
      ['-Y, --auth-file: must be a file that can be read', '-Y', path],
      ['-P, --pidfile: must be a file that can be written', '-P', path],
      ['--snapshot=', '--snapshot', path],
      ['-o ssl_chain_cert: must be a file that can be read', '-Z', '-o', `ssl_chain_cert=${path},ssl_key=${pem('key.pem')}`],
      ['-o ssl_key: must be a file that can be read', '-Z', '-o', `ssl_chain_cert=${pem('certificate.pem')},ssl_key=${path}`],
      ['-o ssl_ca_cert: must be a file that can be read', '-Z', '-o', `ssl_chain_cert=${pem('certificate.pem')},ssl_key=${pem('key.pem')},ssl_ca_cert=${path}`],
      ['-s, --unix-socket: must be a path where nothing is, or a socket', '-s', path],
    ])('for a file, instead of waiting for somebody: %s', (message, ...args) => {
      // A socket that was left behind is what -s takes the place of.
      if (!isPossible || (kind === 'a socket' && args[0] === '-s')) return;
      const result = spawnSync(process.execPath, [main, 'serve', '-p', '0', ...args], { encoding: 'utf8', timeout: FOR_EVER, killSignal: 'SIGKILL' });
      expect(result.stderr).toContain(message);
      expect(result.status).toBe(2);
      expect(existsSync(path)).toBe(true);
    });
  });

  (process.platform === 'linux' ? it : it.skip)('does not write its process id to a pipe, even if somebody reads it', async () => {
    const pipe = join(folder, 'read');
    execFileSync('mkfifo', [pipe]);
    const reader = spawn('cat', [pipe]);
    let result = spawnSync(process.execPath, [main, 'serve', '-p', '0', '-P', pipe], { encoding: 'utf8', timeout: FOR_EVER, killSignal: 'SIGKILL' });
    // Without a reader, which may not have been there yet, it says so too.
    for (let tries = 0; result.stderr.includes('ENXIO') && tries < 20; tries++) {
      result = spawnSync(process.execPath, [main, 'serve', '-p', '0', '-P', pipe], { encoding: 'utf8', timeout: FOR_EVER, killSignal: 'SIGKILL' });
    }
    expect(result.stderr).toContain('it is not a regular file');
    expect(result.status).toBe(2);
    expect(existsSync(pipe)).toBe(true);
    reader.kill();
    await once(reader, 'exit');
  });

  (process.platform === 'linux' ? it : it.skip)('ends when the path of its socket is too long, and leaves nothing there', () => {
    const home = mkdtempSync(join(folder, 'long-'));
    const result = spawnSync(process.execPath, [main, 'serve', '-s', join(home, 'x'.repeat(120))], { encoding: 'utf8', timeout: FOR_EVER, killSignal: 'SIGKILL' });
    expect(result.stderr).toContain('failed to listen on');
    expect(result.status).toBe(71);
    expect(readdirSync(home)).toEqual([]);
  });

  it('serves on when nobody reads any more what it prints', async () => {
    const child = start('serve', '--port', '0', '-vv');
    const exit = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    child.stdout.destroy();
    child.stderr.destroy();
    for (let i = 0; i < 5; i++) {
      const socket = connect(Number(/\d+$/m.exec(line)?.[0]), '127.0.0.1').end('mn\r\n');
      const [reply] = (await once(socket, 'data')) as [Buffer];
      expect(reply.toString()).toBe('MN\r\n');
    }
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('ends without a word when nobody reads its help', () => {
    const result = spawnSync('sh', ['-c', `(sleep 0.1; "$0" "$1" serve --help; echo "status $?" >&2) | true`, process.execPath, main], { encoding: 'utf8' });
    expect(result.stderr).toBe('status 0\n');
  });

  it('loads no client code to serve', () => {
    const script = `require(${JSON.stringify(join(folder, 'dist/cli/serve.js'))}); console.log(Object.keys(require.cache).join('\\n'))`;
    const loaded = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim().split('\n');
    expect(loaded.some((file) => file.endsWith('server/memcached/session.js'))).toBe(true);
    expect(loaded.filter((file) => /dist\/(client|pool|hash|serde|cache|embedded|index)|node_modules/.test(file))).toEqual([]);
  });

  it.each([
    [[], 2, 'stderr', 'usage:'],
    [['help'], 0, 'stdout', 'usage:'],
    [['--help'], 0, 'stdout', 'serve'],
    [['--version'], 0, 'stdout', 'tsmemcache '],
    [['srve'], 2, 'stderr', 'there is no command srve; did you mean: tsmemcache serve\n'],
    [['--port', '0'], 2, 'stderr', 'did you mean: tsmemcache serve --port 0\n'],
    [['serve', '-c', '0'], 2, 'stderr', '-c, --conn-limit: must be'],
    [['serve', '-s', '/no-such-folder/socket'], 71, 'stderr', 'failed to listen on /no-such-folder/socket: there is no folder /no-such-folder\n'],
    [['serve', '-u', 'no-such-user'], 2, 'stderr', '-u, --user: there is no user no-such-user'],
    [['serve', '--version'], 0, 'stdout', 'tsmemcache '],
  ] as const)('answers %j with status %d', (args, status, stream, text) => {
    const result = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
    expect(result.status).toBe(status);
    expect(result[stream]).toContain(text);
  });
});
