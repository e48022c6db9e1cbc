/**
 * The tests that talk to a real memcached, once for each binary that is named, and a table of what came of them.
 *
 *     npm run test:servers -- PATH…
 *
 * What a version lacks is skipped by name, with the reason.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TESTS = ['tests/client', 'tests/hash', 'tests/pool'];
/** Half of the classes are held to the contract over a real server in a long test only. */
const EVEN_LONG = ['--testPathIgnorePatterns', '/node_modules/'];

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly { readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[];
}

const binaries = process.argv.slice(2);
if (binaries.length === 0) {
  console.error('usage: npm run test:servers -- PATH…, where each PATH is a memcached');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'test-servers-'));
const rows: string[][] = [['memcached', 'passed', 'failed', 'skipped', 'seconds']];
let failed = 0;
for (const binary of binaries) {
  const { status, stdout } = spawnSync(binary, ['-V'], { encoding: 'utf8' });
  const version = status === 0 ? /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] : undefined;
  if (version === undefined) {
    console.error(`${binary} is no memcached that runs`);
    process.exit(2);
  }
  console.log(`\nmemcached ${version}, ${binary}`);
  const outputFile = join(folder, 'report.json');
  const begun = Date.now();
  spawnSync(process.execPath, [require.resolve('jest/bin/jest'), ...TESTS, ...EVEN_LONG, '--silent', '--json', '--outputFile', outputFile], {
    env: { ...process.env, MEMCACHED_BIN: binary },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const report = JSON.parse(readFileSync(outputFile, 'utf8')) as Report;
  const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  for (const test of tests) if (test.status === 'failed') console.log(`  failed: ${test.fullName}`);
  const skipped = new Set(tests.filter((test) => test.status === 'pending').map(({ fullName }) => /\(needs .*\)/.exec(fullName)?.[0] ?? fullName));
  for (const reason of skipped) console.log(`  skipped: ${reason}`);
  const failures = report.numFailedTests + report.numRuntimeErrorTestSuites;
  failed += failures;
  rows.push([version, report.numPassedTests, failures, report.numPendingTests, Math.round((Date.now() - begun) / 1000)].map(String));
}
rmSync(folder, { recursive: true });

console.log();
for (const row of rows) console.log(row.map((cell, column) => (column === 0 ? cell.padEnd(12) : cell.padStart(8))).join(''));
process.exitCode = failed === 0 ? 0 : 1;
