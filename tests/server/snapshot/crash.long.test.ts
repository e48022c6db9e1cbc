import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type * as Server from '../../../src/server';
import { Persistence } from '../../../src/server/snapshot/persistence';
import { valueText } from '../../../src/server/engine/item';
import { MemoryStore } from '../../../src/server/engine/store';
import { argumentsFor, compile, start } from './child';
import { report } from '../../reliability/report';
import { makeFolder } from './files';

const folder = makeFolder();
const compiled = join(folder, 'dist');
const CYCLES = 100;
const ITEMS = 300;

beforeAll(() => {
  compile(compiled);
});

/**
 * Runs as a process of its own: gives all items the next number, saves, says which number is saved, and so on until it
 * is killed.
 */
async function saveForEver(
  { MemoryStore, Persistence }: typeof Server,
  say: (line: string) => void,
  file: string,
  items: number,
): Promise<void> {
  const store = new MemoryStore();
  const persistence = await Persistence.open(store, { file, log: console.error });
  const first = store.find('k0');
  for (let number = first === undefined ? 1 : parseInt(String(first.value), 10) + 1; ; number++) {
    for (let i = 0; i < items; i++) store.store('set', `k${i}`, `${number} `.padEnd(100 + i), number, 0);
    store.store('set', 'large', Buffer.alloc(200_000, `${number} `.padEnd(20)), number, 0);
    await persistence.save();
    say(String(number));
  }
}

it(`after ${CYCLES} kills in the midst of saves, every save that was acknowledged is there`, async () => {
  const file = join(folder, 'snapshot');
  let acknowledged = 0;
  let generations = 0;
  let unfinished = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const child = start(compiled, saveForEver, file, ITEMS);
    let said = '';
    let complaints = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => (said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
    const closed = once(child, 'close');
    await Promise.race([once(child.stdout, 'data'), closed]);
    // From the first instant of a save to several saves later.
    await new Promise((resolve) => setTimeout(resolve, (cycle * 7) % 21));
    child.kill('SIGKILL');
    expect(await closed).toEqual([null, 'SIGKILL']);
    // It may say that the newest file is missing: the kill came between the two renames.
    expect(complaints).not.toMatch(/corrupt|damaged|not saved|Error/);
    acknowledged = Math.max(acknowledged, ...said.split('\n').map(Number));

    if (readdirSync(folder).some((name) => name.includes('.tmp-'))) unfinished++;
    const store = new MemoryStore();
    await Persistence.open(store, { file, interval: 0 });
    const numbers = new Set(Array.from(store.items(), ({ flags }) => flags));
    expect(numbers.size).toBe(1);
    expect(store.size).toBe(ITEMS + 1);
    const [number = 0] = numbers;
    expect(number).toBeGreaterThanOrEqual(acknowledged);
    for (const { key, value } of store.items()) {
      const pattern = `${number} `.padEnd(20);
      const expected = key === 'large' ? pattern.repeat(10_000) : `${number} `.padEnd(100 + Number(key.slice(1)));
      expect(valueText(value) === expected).toBe(true);
    }
    generations = number;
  }
  // Each cycle has got somewhere, and many were killed while they wrote.
  expect(unfinished).toBeGreaterThan(CYCLES / 10);
  expect(generations).toBeGreaterThanOrEqual(CYCLES);
  expect(readdirSync(folder).filter((name) => name.includes('corrupt'))).toEqual([]);
  report({ goal: 'G19', claim: 'kill -9 in the midst of saves: acknowledged saves that were lost', n: CYCLES, value: 0, limit: 0, pass: true });
});

/** Runs as a process that may not write large files: fails to save, and goes on. */
async function fillUp({ MemoryStore, Persistence }: typeof Server, say: (line: string) => void, file: string): Promise<void> {
  const store = new MemoryStore();
  const log: string[] = [];
  const persistence = await Persistence.open(store, { file, log: (line) => log.push(line) });
  store.store('set', 'small', 'v', 0, 0);
  await persistence.save();
  store.store('set', 'large', Buffer.alloc(900_000), 0, 0);
  const error = await persistence.save().catch((reason: unknown) => reason);
  say(JSON.stringify({ code: (error as NodeJS.ErrnoException).code, log, stored: store.find('large') !== undefined }));
  store.delete('large');
  store.store('set', 'later', 'v', 0, 0);
  await persistence.close();
}

const onUnix = process.platform === 'win32' ? it.skip : it;

onUnix('a disk without room fails the save, and keeps what was there', () => {
  const file = join(folder, 'full');
  const script = `trap '' XFSZ; ulimit -f 200; exec "$0" "$@"`;
  const said = execFileSync('sh', ['-c', script, process.execPath, ...argumentsFor(compiled, fillUp, file)], { encoding: 'utf8' });
  expect(JSON.parse(said)).toEqual({
    code: 'EFBIG',
    log: [expect.stringMatching(`^snapshot ${file} could not be saved: EFBIG`)],
    stored: true,
  });
  expect(readdirSync(folder).filter((name) => name.startsWith('full'))).toEqual(['full', 'full.1']);
});
