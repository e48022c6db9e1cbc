/** Pictures of how often something happened over time; their text is readable on a light and on a dark page. */
import type { Results } from './results';

const LEFT = 64;
const WIDTH = 600;
const HEIGHT = 110;

interface Line {
  readonly name: string;
  readonly kind: 'ours' | 'other' | 'errors' | 'misses';
  readonly values: readonly number[];
}

interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

interface Picture {
  readonly title: string;
  readonly panels: readonly Panel[];
  /** What evenly spaced moments are called. */
  readonly ticks: readonly string[];
  /** What happened when, as a part of the time. */
  readonly marks: readonly (readonly [at: number, what: string])[];
}

/** A stair: each value holds for its part of the width. */
function stairs(values: readonly number[], most: number, top: number): string {
  const x = (i: number): string => (LEFT + (i / values.length) * WIDTH).toFixed(1).replace('.0', '');
  const y = (value: number): string => (top + HEIGHT - (value / most) * HEIGHT).toFixed(1).replace('.0', '');
  const path = [`M${x(0)} ${y(values[0] ?? 0)}`];
  for (let i = 1; i <= values.length; i++) {
    if (i < values.length && values[i] === values[i - 1]) continue;
    path.push(`H${x(i)}`);
    if (i < values.length) path.push(`V${y(values[i] ?? 0)}`);
  }
  return path.join('');
}

function draw({ title, panels, ticks, marks }: Picture): string {
  const height = 34 + panels.length * (HEIGHT + 48) + 8;
  const parts = panels.flatMap(({ title: head, lines }, index) => {
    const top = 58 + index * (HEIGHT + 48);
    const most = Math.max(1, ...lines.flatMap(({ values }) => values));
    const label = most >= 10 ? Math.round(most).toLocaleString('en') : most.toFixed(1);
    return [
      `  <text x="${LEFT}" y="${top - 8}">${head}</text>`,
      `  <path class="axis" d="M${LEFT} ${top}V${top + HEIGHT}H${LEFT + WIDTH}"/>`,
      `  <text x="${LEFT - 6}" y="${top + 10}" text-anchor="end">${label}</text>`,
      `  <text x="${LEFT - 6}" y="${top + HEIGHT}" text-anchor="end">0</text>`,
      ...ticks.map((tick, i) => `  <text x="${LEFT + (i / (ticks.length - 1)) * WIDTH}" y="${top + HEIGHT + 16}" text-anchor="${i === 0 ? 'start' : i === ticks.length - 1 ? 'end' : 'middle'}">${tick}</text>`),
      ...marks.flatMap(([at, what]) => {
        const x = (LEFT + at * WIDTH).toFixed(1);
        return [`  <path class="mark" d="M${x} ${top}V${top + HEIGHT}"/>`, `  <text class="small" x="${Number(x) + 4}" y="${top + 10}">${what}</text>`];
      }),
      ...lines.map(({ kind, values }) => `  <path class="${kind}" d="${stairs(values, most, top)}"/>`),
      ...lines.filter(() => lines.length > 1).map(({ name, kind }, i) => `  <text class="${kind}" x="${LEFT + WIDTH - 160 + i * 90}" y="${top - 8}">${name}</text>`),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="700" height="${height}" viewBox="0 0 700 ${height}" role="img" aria-label="${title}">
  <style>
    text { font: 12px system-ui, sans-serif; fill: #24292f }
    .title { font-size: 13px; font-weight: 600 }
    path { fill: none; stroke-width: 1.3 }
    .small { font-size: 11px }
    .axis { stroke: #8b949e; stroke-width: 1 }
    .mark { stroke: #8b949e; stroke-width: 1; stroke-dasharray: 3 3 }
    path.ours { stroke: #2f81f7 }
    path.other { stroke: #8b949e }
    path.errors { stroke: #d1442f } text.errors { fill: #d1442f }
    path.misses { stroke: #c9a227 } text.misses { fill: #c9a227 }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
  </style>
  <text class="title" x="8" y="20">${title}</text>
${parts.join('\n')}
</svg>
`;
}

/** The pictures of docs/scale.md, by their file. */
export function pictures({ starts, restarts, failovers }: Results): ReadonlyMap<string, string> {
  const [start, startTogether] = starts;
  const restart = restarts.find(({ spread }) => spread);
  const restartTogether = restarts.find(({ spread }) => !spread);
  const killed = failovers.find(({ manner }) => manner === 'killed');
  const silent = failovers.find(({ manner }) => manner === 'silent');
  if (start === undefined || startTogether === undefined || restart === undefined || restartTogether === undefined || killed === undefined || silent === undefined) {
    throw new Error('the results are not complete');
  }
  const minutes = Math.round(start.looks.length / 60);
  const processes = start.processes.toLocaleString('en');
  const seconds = killed.errors.length - 2;
  return new Map([
    [
      'scale/looks.svg',
      draw({
        title: `${processes} processes, started within a second: looks at the list of servers, per second`,
        panels: [
          { title: 'as it is', lines: [{ name: '', kind: 'ours', values: start.looks }] },
          { title: 'if waits were not random', lines: [{ name: '', kind: 'other', values: startTogether.looks }] },
        ],
        ticks: Array.from({ length: minutes + 1 }, (_, i) => `${i} min`),
        marks: [],
      }),
    ],
    [
      'scale/reconnects.svg',
      draw({
        title: `A server of ${processes} processes is away for ${restart.away} ms: connections begun to it, per 10 ms`,
        panels: [
          { title: 'as it is', lines: [{ name: '', kind: 'ours', values: restart.attemptsByTime }] },
          { title: 'if waits were not random', lines: [{ name: '', kind: 'other', values: restartTogether.attemptsByTime }] },
        ],
        ticks: ['0 s', '1 s', '2 s', '3 s'],
        marks: [[restart.away / 3000, 'it is back']],
      }),
    ],
    [
      'scale/failover.svg',
      draw({
        title: `${killed.gone} of ${killed.servers} servers are away for ${killed.away / 1000} s: per cent of the calls`,
        panels: [killed, silent].map(({ manner, errors, misses }) => ({
          title: manner === 'killed' ? 'killed: connections are refused' : 'silent: nothing is answered',
          lines: [
            { name: 'errors', kind: 'errors', values: errors },
            { name: 'misses', kind: 'misses', values: misses },
          ],
        })),
        ticks: ['−2 s', `${seconds / 2 - 1} s`, `${seconds} s`],
        marks: [[2 / (seconds + 2), ''], [(2 + killed.away / 1000) / (seconds + 2), 'back']],
      }),
    ],
  ]);
}
