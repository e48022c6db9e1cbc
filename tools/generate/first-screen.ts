/** What README shows first, made from the pages that hold the measurements. */

const ROW = 'get 100 B, 128 outstanding';
const NAMES: Readonly<Record<string, string>> = { 'raw+promise': 'a bare socket' };

interface Bar {
  readonly client: string;
  readonly cpu: number;
}

/** The CPU time per call of each client in one row of docs/benchmarks.md. */
function bars(benchmarks: string): Bar[] {
  const [, section = ''] = benchmarks.split(`### ${ROW}\n`);
  const [table = ''] = section.split('\n### ');
  const lines = [...table.matchAll(/^\| ([\w+-]+) \| ([\d.]+) \|/gm)];
  const found = lines.map(([, client = '', cpu = '']): Bar => ({ client, cpu: Number(cpu) })).filter(({ client }) => client !== 'raw');
  if (found.length < 4 || !found.some(({ client }) => client === 'tsmemcache')) throw new Error(`docs/benchmarks.md has no row "${ROW}"`);
  return found.sort((a, b) => a.cpu - b.cpu);
}

/** CPU time per get beside the peers': an SVG whose text is readable on a light and on a dark page. */
export function cpuPicture(benchmarks: string): string {
  const all = bars(benchmarks);
  const longest = Math.max(...all.map(({ cpu }) => cpu));
  const title = `CPU time per ${ROW.replace(',', ' with')}, in µs (shorter is better)`;
  const numbers = all.map(({ client, cpu }) => `${NAMES[client] ?? client} ${cpu}`).join(', ');
  const rows = all.map(({ client, cpu }, i) => {
    const y = 34 + i * 26;
    const width = Math.max(2, Math.round((cpu / longest) * 420));
    const kind = client === 'tsmemcache' ? 'ours' : client in NAMES ? 'bare' : 'peer';
    return `  <text x="132" y="${y + 14}" text-anchor="end">${NAMES[client] ?? client}</text>
  <rect class="${kind}" x="140" y="${y}" width="${width}" height="19" rx="2"/>
  <text x="${146 + width}" y="${y + 14}">${cpu.toFixed(2)}</text>`;
  });
  const height = 40 + all.length * 26;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="${height}" viewBox="0 0 640 ${height}" role="img" aria-label="${title}: ${numbers}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600 }
    .ours { fill: #2f81f7 }
    .peer { fill: #8b949e }
    .bare { fill: #c9a227 }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
  </style>
  <text class="title" x="8" y="20">${title}</text>
${rows.join('\n')}
</svg>
`;
}

/** The picture's numbers, for those who do not see it. */
export function cpuText(benchmarks: string): string {
  return `CPU time per ${ROW.replace(',', ' with')}, in µs: ${bars(benchmarks).map(({ client, cpu }) => `${NAMES[client] ?? client} ${cpu.toFixed(2)}`).join(', ')}`;
}

/** How many faults each client gets right: the head and the last line of the table in docs/faults.md. */
export function faultTotals(faults: string): string {
  const cells = (line = ''): string[] => line.split('|').slice(2, -1).map((cell) => cell.trim());
  const head = cells(/^\| fault \|.*$/m.exec(faults)?.[0]);
  const totals = cells(/^\| cells that are ok \|.*$/m.exec(faults)?.[0]);
  if (head.length < 2 || head.length !== totals.length) throw new Error('docs/faults.md has no totals');
  return `| of the faults in [docs/faults.md](docs/faults.md) | ${head.join(' | ')} |\n|---|${'---|'.repeat(head.length)}\n| right, or a clear error, and the next call works | ${totals.join(' | ')} |`;
}
