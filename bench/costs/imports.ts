import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { median, type Cost } from './cost';

const PEERS = ['memcached', 'memjs', 'memcache-client', 'memcache'];

/** Milliseconds from the start of a process until `code` has run. */
function milliseconds(code: string): number {
  return Number(execFileSync(process.execPath, ['-e', `(async () => { ${code}; process.stdout.write(String(performance.now())); process.exit(); })()`]));
}

/** What loading each entry of the package, and each peer, adds to the start of a bare node: medians of interleaved rounds. */
export function importCosts(build: string, rounds: number): Cost[] {
  const entries = { '.': 'index.js', './server': 'server/index.js', './embedded': 'embedded/index.js' };
  const subjects = [
    { name: 'bare node', code: '' },
    ...Object.entries(entries).map(([name, file]) => ({ name, code: `require(${JSON.stringify(join(build, file))})` })),
    ...PEERS.map((name) => ({ name, code: `await import('${name}')` })),
  ];
  const times = subjects.map((): number[] => []);
  for (let round = 0; round < rounds; round++) for (const [i, { code }] of subjects.entries()) times[i]?.push(milliseconds(code));
  const [bare = NaN, ...loaded] = times.map(median);
  return [
    ...loaded.map((value, i): Cost => {
      const name = subjects[i + 1]?.name ?? '';
      return { section: 'import', name: `import of ${name}`, value: value - bare, unit: 'ms', atMost: name === '.' ? 30 : undefined };
    }),
    { section: 'import', name: 'files of the server that `.` loads', value: serverFilesOf(build), unit: '', atMost: 0 },
  ];
}

function serverFilesOf(build: string): number {
  const code = `require(${JSON.stringify(join(build, 'index.js'))}); console.log(Object.keys(require.cache).filter((file) => file.startsWith(${JSON.stringify(join(build, 'server'))})).length)`;
  return Number(execFileSync(process.execPath, ['-e', code]));
}
