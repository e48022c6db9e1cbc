/** Draws docs/cache/*.svg: recorded runs of eight processes over one store, in virtual time. `npm run bench -- cache-pictures`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fleet, type Process } from '../../../tests/cache/support/fleet';

const FOLDER = join(__dirname, '..', '..', '..', 'docs', 'cache');
const PROCESSES = 8;
const LEFT = 110;
const WIDTH = 640;
const LANE = 22;
const TOP = 34;

interface Span {
  readonly lane: number;
  readonly from: number;
  to: number;
  readonly kind: 'call' | 'load' | 'refresh';
  value?: string;
}

interface Mark {
  readonly lane: number;
  readonly at: number;
  readonly text: string;
}

/** One run, and what was seen of it. */
class Recording {
  readonly fleet: Fleet;
  readonly spans: Span[] = [];
  readonly marks: Mark[] = [];
  #begin = 0;

  constructor(duration: number, options: ConstructorParameters<typeof Fleet>[2]) {
    this.fleet = new Fleet(PROCESSES, duration, options);
  }

  get #now(): number {
    return this.fleet.clock.now() - this.#begin;
  }

  /** Time counts from here. */
  begin(): void {
    this.#begin = this.fleet.clock.now();
    const open = new Map<string, Span>();
    const { database, processes } = this.fleet;
    database.onLoad = (key, name, change) => {
      const lane = processes.findIndex((process) => process.name === name);
      if (change === 1) {
        const span: Span = { lane, from: this.#now, to: this.#now, kind: 'load' };
        open.set(`${key} ${name}`, span);
        this.spans.push(span);
      } else {
        const span = open.get(`${key} ${name}`);
        if (span !== undefined) span.to = this.#now;
      }
    };
  }

  async call(process: Process): Promise<void> {
    const lane = this.fleet.processes.indexOf(process);
    const span: Span = { lane, from: this.#now, to: this.#now, kind: 'call' };
    this.spans.push(span);
    const value = await process.get('k');
    span.to = this.#now;
    span.value = value === 'k@0' ? 'old' : 'new';
  }

  mark(process: Process, text: string): void {
    this.marks.push({ lane: this.fleet.processes.indexOf(process), at: this.#now, text });
  }
}

function draw(title: string, { spans, marks }: Recording, length: number): string {
  const x = (at: number): number => LEFT + (at / length) * WIDTH;
  const y = (lane: number): number => TOP + lane * LANE;
  const height = TOP + PROCESSES * LANE + 46;
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 20}" height="${height}" font-family="sans-serif" font-size="11">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="10" y="18" font-size="13" font-weight="bold">${title}</text>`,
  ];
  for (let lane = 0; lane < PROCESSES; lane++) {
    parts.push(`<text x="10" y="${y(lane) + 14}" fill="#555">process ${lane + 1}</text>`);
    parts.push(`<line x1="${LEFT}" x2="${LEFT + WIDTH}" y1="${y(lane) + LANE}" y2="${y(lane) + LANE}" stroke="#eee"/>`);
  }
  for (let at = 0; at <= length; at += 100) {
    parts.push(`<line x1="${x(at)}" x2="${x(at)}" y1="${TOP}" y2="${TOP + PROCESSES * LANE}" stroke="#ddd"/>`);
    parts.push(`<text x="${x(at)}" y="${TOP + PROCESSES * LANE + 14}" text-anchor="middle" fill="#555">${at} ms</text>`);
  }
  for (const { lane, from, to, kind } of spans.filter((span) => span.kind === 'call')) {
    parts.push(`<rect x="${x(from)}" y="${y(lane) + 3}" width="${Math.max(2, x(to) - x(from)).toFixed(1)}" height="7" fill="#b9cbe4" class="${kind}"/>`);
  }
  for (const { lane, from, to } of spans.filter((span) => span.kind === 'load')) {
    parts.push(`<rect x="${x(from)}" y="${y(lane) + 11}" width="${Math.max(2, x(to) - x(from)).toFixed(1)}" height="7" fill="#e08a3c"/>`);
  }
  for (const { lane, to, value } of spans) {
    if (value !== undefined) parts.push(`<circle cx="${x(to).toFixed(1)}" cy="${y(lane) + 6.5}" r="4" fill="${value === 'old' ? '#888' : '#2e8b57'}"/>`);
  }
  for (const { lane, at, text } of marks) {
    parts.push(`<line x1="${x(at)}" x2="${x(at)}" y1="${y(lane)}" y2="${y(lane) + LANE}" stroke="#c00" stroke-width="2"/>`);
    parts.push(`<text x="${x(at) + 4}" y="${y(lane) + 18}" fill="#c00">${text}</text>`);
  }
  const legend: readonly (readonly [colour: string, text: string])[] = [['#b9cbe4', 'a call waits'], ['#e08a3c', 'the loader runs'], ['#888', 'answered: version 0'], ['#2e8b57', 'answered: version 1']];
  for (const [i, [colour, text]] of legend.entries()) {
    parts.push(`<rect x="${LEFT + i * 150}" y="${height - 22}" width="10" height="10" fill="${colour}"/><text x="${LEFT + i * 150 + 15}" y="${height - 13}">${text}</text>`);
  }
  return `${parts.join('\n')}\n</svg>\n`;
}

async function cold(): Promise<string> {
  const run = new Recording(300, {});
  const { fleet } = run;
  fleet.database.write('k');
  run.begin();
  const calls = fleet.processes.map(async (process, i) => {
    await fleet.clock.sleep(i * 15);
    await run.call(process);
  });
  await fleet.clock.until(Promise.all(calls));
  return draw(`A cold key, eight processes: ${fleet.database.loads} load`, run, 500);
}

async function refresh(): Promise<string> {
  const run = new Recording(200, { expire: 5, stale: 60, earlyRefresh: 0 });
  const { fleet } = run;
  await fleet.herd(1, 'k');
  await fleet.clock.pass(7000);
  fleet.database.write('k');
  run.begin();
  const before = fleet.database.loads;
  const calls = fleet.processes.flatMap((process, i) =>
    [0, 130, 260].map(async (later) => {
      await fleet.clock.sleep(later + i * 12);
      await run.call(process);
    }),
  );
  await fleet.clock.until(Promise.all(calls));
  return draw(`A key that has expired, with stale: ${fleet.database.loads - before} refresh, nobody waits`, run, 500);
}

async function deletion(): Promise<string> {
  const run = new Recording(200, {});
  const { fleet } = run;
  run.begin();
  const calls = fleet.processes.map(async (process, i) => {
    await fleet.clock.sleep(i < 3 ? i * 20 : 140 + i * 10);
    await run.call(process);
  });
  const deleted = (async (): Promise<void> => {
    await fleet.clock.sleep(120);
    const process = fleet.processes[7];
    if (process === undefined) return;
    fleet.database.write('k');
    await process.cache.delete('k');
    run.mark(process, 'delete');
  })();
  await fleet.clock.until(Promise.all([...calls, deleted]));
  return draw(`A delete during a load: its result is dropped, ${fleet.database.loads} loads`, run, 500);
}

async function main(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, make] of [['cold', cold], ['refresh', refresh], ['delete', deletion]] as const) {
    writeFileSync(join(FOLDER, `${name}.svg`), await make());
    console.log(`docs/cache/${name}.svg was drawn`);
  }
}

void main();
