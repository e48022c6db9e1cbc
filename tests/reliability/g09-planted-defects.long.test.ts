import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LADDER, PLANTED_DEFECTS, type PlantedDefect } from './planted-defects';
import { report } from './report';

const ROOT = join(__dirname, '..', '..');
const JEST = require.resolve('jest/bin/jest');
/** A defect may make a test hang; the focused ones are done in far less. */
const TEST_TIMEOUT = 5000;
/** Nor may one that loops for ever outlive this. */
const RUN_TIMEOUT = 50_000;
/** The control runs the tests of all files in one process, 16 s of CPU; there is no defect by which one could hang. */
const CONTROL_TIMEOUT = 100_000;

/** What jest reports, as far as it matters here. */
interface Report {
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

/** Runs the tests of `files` whose names begin with one of `names`, on sources with the defect planted. */
async function runTests(files: readonly string[], names: readonly string[], defect?: PlantedDefect): Promise<Report> {
  const pattern = names.map((name) => name.replace(/[^\w ]/g, '\\$&')).join('|');
  const transform = { '^.+\\.ts$': join(__dirname, 'g09-transformer.mjs') };
  const child = spawn(
    process.execPath,
    [
      ...[JEST, ...files.map((file) => join(ROOT, 'tests', file)), '--runTestsByPath', '--testNamePattern', `^(?:${pattern})`],
      ...['--json', '--runInBand', '--silent', '--forceExit', `--testTimeout=${defect === undefined ? CONTROL_TIMEOUT : TEST_TIMEOUT}`, `--transform=${JSON.stringify(transform)}`],
    ],
    {
      cwd: ROOT,
      env: { ...process.env, PLANTED_DEFECT: JSON.stringify(defect === undefined ? null : { ...defect, file: sourcePath(defect) }) },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: defect === undefined ? CONTROL_TIMEOUT : RUN_TIMEOUT,
      killSignal: 'SIGKILL',
    },
  );
  const output: Buffer[] = [];
  const log: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  await new Promise((resolve) => child.once('close', resolve));
  try {
    return JSON.parse(Buffer.concat(output).toString()) as Report;
  } catch {
    throw new Error(`jest did not come to its end:\n${Buffer.concat(log).toString()}`);
  }
}

function sourcePath({ file }: PlantedDefect): string {
  return join(ROOT, 'src', file);
}

/** The file and name of each test that ended so, and how it failed. */
function testsThat(status: 'passed' | 'failed', { testResults }: Report): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, assertionResults } of testResults) {
    for (const test of assertionResults) if (test.status === status) found.set(`${name}: ${test.fullName}`, test.failureMessages.join('\n'));
  }
  return found;
}

/** Starts everything, two at a time, and the control first: the tests wait for their own. */
function startAll(): { control: Promise<Report>; patched: Promise<Report>[] } {
  const files = new Set(PLANTED_DEFECTS.map(({ caughtBy: [file] }) => file));
  const control = runTests([...files], PLANTED_DEFECTS.map(({ caughtBy: [, name] }) => name));
  const lanes: Promise<unknown>[] = [control.catch(() => undefined), Promise.resolve()];
  const patched = PLANTED_DEFECTS.map((defect, i) => {
    const [file, name] = defect.caughtBy;
    const run = (lanes[i % 2] ?? control).then(() => runTests([file], [name], defect));
    lanes[i % 2] = run.catch(() => undefined);
    return run;
  });
  return { control, patched };
}

let runs: ReturnType<typeof startAll>;
let caught = 0;

beforeAll(() => {
  runs = startAll();
});

it('without a defect, all tests that are to catch one pass', async () => {
  const control = await runs.control;
  expect([...testsThat('failed', control)]).toEqual([]);
  expect(control.numRuntimeErrorTestSuites).toBe(0);
}, CONTROL_TIMEOUT + RUN_TIMEOUT);

it.each(PLANTED_DEFECTS.map((defect, i) => ({ ...defect, i })))('$rule: $name', async ({ i, ...defect }) => {
  const places = readFileSync(sourcePath(defect), 'utf8').split(defect.find).length - 1;
  if (places !== 1) throw new Error(`the defect no longer fits: what it changes stands ${places} times in src/${defect.file}`);
  const sound = testsThat('passed', await runs.control);
  const patched = await runs.patched[i];
  if (patched === undefined) throw new Error('there is no such run');
  // A defect that does not compile, or names what is not there, would prove nothing.
  expect(patched.numRuntimeErrorTestSuites).toBe(0);
  const failed = testsThat('failed', patched);
  for (const failure of failed.values()) expect(failure).not.toMatch(/SyntaxError|ReferenceError|is not a function/);
  expect([...failed.keys()].filter((test) => sound.has(test))).not.toEqual([]);
  caught++;
}, 2 * RUN_TIMEOUT);

it('every layer of the ladder was switched off, and every defect was caught', () => {
  const rules = new Set<string>(PLANTED_DEFECTS.map(({ rule }) => rule));
  expect(LADDER.filter((layer) => !rules.has(layer))).toEqual([]);
  const n = PLANTED_DEFECTS.length;
  report({ goal: 'G09', claim: 'Planted defects, each layer against wrong replies among them: each is caught by a test', n, value: n - caught, limit: 0, pass: caught === n });
});
