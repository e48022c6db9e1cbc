import { execFileSync, spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

describe('the program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  const main = join(folder, 'dist/cli/main.js');

  beforeAll(() => {
    const tsc = require.resolve('typescript/bin/tsc');
    const args = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist'), '--noCheck'];
    execFileSync(process.execPath, [tsc, ...args]);
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  }, 60_000);

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

  it.each(['SIGTERM', 'SIGINT'] as const)('saves its items at %s', async (signal) => {
    const file = join(folder, `snapshot-${signal}`);
    const child = start('serve', '--port', '0', '--snapshot', file);
    const exit = once(child, 'exit');
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const socket = connect(Number(/\d+$/m.exec(line)?.[0]), '127.0.0.1').end('set k 0 0 5\r\nvalue\r\n');
    await once(socket.resume(), 'close');
    child.kill(signal);
    expect(await exit).toEqual([0, null]);
    expect(readFileSync(file, 'latin1')).toContain('kvalue');
  });

  it('loads no client code to serve', () => {
    const script = `require(${JSON.stringify(join(folder, 'dist/cli/serve.js'))}); console.log(Object.keys(require.cache).join('\\n'))`;
    const loaded = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim().split('\n');
    expect(loaded.some((file) => file.endsWith('server/memcached/session.js'))).toBe(true);
    expect(loaded.filter((file) => /dist\/(client|pool|hash|serde|cache|embedded|index)|node_modules/.test(file))).toEqual([]);
  });

  it.each([
    [[], 1, 'stdout', 'usage:'],
    [['--help'], 0, 'stdout', 'serve'],
    [['--version'], 0, 'stdout', 'tsmemcache '],
    [['nonsense'], 1, 'stderr', 'no command nonsense'],
    [['--port', '0'], 1, 'stderr', 'did you mean: tsmemcache serve --port 0\n'],
    [['serve', '-c', '0'], 1, 'stderr', 'Maximum connections'],
    [['serve', '--version'], 0, 'stdout', 'tsmemcache '],
  ] as const)('answers %j with status %d', (args, status, stream, text) => {
    const result = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
    expect(result.status).toBe(status);
    expect(result[stream]).toContain(text);
  });
});
