import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { median, type Cost } from './cost';

const PEERS = ['memcached', 'memjs', 'memcache-client', 'memcache'];

/** Milliseconds from the start of a process until `code` has run, and of CPU time meanwhile. */
function timesOf(code: string): { wall: number; cpu: number } {
  const program = `${code}; const { user, system } = process.cpuUsage(); console.log(performance.now(), (user + system) / 1000); process.exit()`;
  const [wall = NaN, cpu = NaN] = String(execFileSync(process.execPath, ['-e', `(async () => { ${program}; })()`])).split(' ').map(Number);
  return { wall, cpu };
}

/** What loading each entry of the package, and each peer, adds to the start of a bare node: medians of interleaved rounds. */
export function importCosts(build: string, rounds: number): Cost[] {
  const entries = { '.': 'index.js', './server': 'server/index.js', './embedded': 'embedded/index.js' };
  const subjects = [
    { name: 'bare node', code: '' },
    ...Object.entries(entries).map(([name, file]) => ({ name, code: `require(${JSON.stringify(join(build, file))})` })),
    ...PEERS.map((name) => ({ name, code: `await import('${name}')` })),
  ];
  const times = subjects.map((): { wall: number; cpu: number }[] => []);
  for (let round = 0; round < rounds; round++) for (const [i, { code }] of subjects.entries()) times[i]?.push(timesOf(code));
  const [bare = { wall: NaN, cpu: NaN }, ...loaded] = times.map((all) => ({ wall: median(all.map(({ wall }) => wall)), cpu: median(all.map(({ cpu }) => cpu)) }));
  return [
    ...loaded.flatMap(({ wall, cpu }, i): Cost[] => {
      const name = `import of ${subjects[i + 1]?.name ?? ''}`;
      return [
        { section: 'import', name, value: wall - bare.wall, unit: 'ms', atMost: name === 'import of .' ? 30 : undefined },
        { section: 'import', name: `${name}: CPU`, value: cpu - bare.cpu, unit: 'ms' },
      ];
    }),
    { section: 'import', name: 'files of the server that `.` loads', value: serverFilesOf(build), unit: '', atMost: 0 },
  ];
}

function serverFilesOf(build: string): number {
  const code = `
    require(${JSON.stringify(join(build, 'index.js'))});
    console.log(Object.keys(require.cache).filter((file) => require('node:fs').readFileSync(file, 'utf8').includes('// src/server/')).length)
  `;
  return Number(execFileSync(process.execPath, ['-e', code]));
}
