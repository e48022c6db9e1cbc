/** The main job, `npm start`: a cache at work on real files, with nothing installed beside Node. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import colors from 'picocolors';
import { Client } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

const ROOT = join(__dirname, '..', '..');

/** Every package.json below node_modules, by its path. */
function readManifests(): Map<string, object> {
  const manifests = new Map<string, object>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.name === 'package.json') add(path);
    }
  };
  const add = (path: string): void => {
    try {
      manifests.set(`manifest:${relative(ROOT, path)}`.replaceAll(' ', '_').slice(-250), JSON.parse(readFileSync(path, 'utf8')) as object);
    } catch {
      // Some packages ship broken manifests as test data.
    }
  };
  visit(join(ROOT, 'node_modules'));
  return manifests;
}

/** Calls `call` for every key, so many at a time; the milliseconds each took. */
async function forEach(keys: readonly string[], atOnce: number, call: (key: string) => Promise<void>): Promise<number[]> {
  const bar = new SingleBar({ format: '  {bar} {value}/{total}', clearOnComplete: true, hideCursor: true, noTTYOutput: false });
  const times: number[] = [];
  bar.start(keys.length, 0);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) {
      const began = performance.now();
      await call(key);
      times.push(performance.now() - began);
      if (times.length % 256 === 0) bar.update(times.length);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  bar.stop();
  return times.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const manifests = readManifests();
  const keys = [...manifests.keys()];
  const server = await MemcachedServer.start();
  const client = new Client(server.address);
  console.log(`Caching ${keys.length} files of node_modules in an embedded server at ${server.address} …`);

  const table = new Table({
    head: ['', 'operations', 'hit rate', 'operations/s', 'p50 ms', 'p99 ms'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const report = (name: string, times: readonly number[], seconds: number, hits?: number): void => {
    const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
    const rate = hits === undefined ? '' : `${((100 * hits) / times.length).toFixed(1)} %`;
    table.push([name, times.length, rate, Math.round(times.length / seconds).toLocaleString('en'), at(0.5), at(0.99)]);
  };
  const timed = async (name: string, atOnce: number, call: (key: string) => Promise<void>, hits?: () => number): Promise<void> => {
    const began = performance.now();
    const times = await forEach(keys, atOnce, call);
    report(name, times, (performance.now() - began) / 1000, hits?.());
  };

  let hits = 0;
  const wrong: string[] = [];
  const check = (key: string, value: unknown): void => {
    if (value !== undefined) hits++;
    if (!isDeepStrictEqual(value, manifests.get(key))) wrong.push(key);
  };
  await timed('set', 64, async (key) => {
    await client.set(key, manifests.get(key) ?? {});
  });
  await timed('get, verified', 64, async (key) => { check(key, await client.get(key)); }, () => hits);
  const began = performance.now();
  hits = 0;
  const batches: number[] = [];
  for (let at = 0; at < keys.length; at += 100) {
    const start = performance.now();
    const found = await client.getMany(keys.slice(at, at + 100));
    for (const [key, value] of found) check(key, value);
    batches.push(performance.now() - start);
  }
  report('getMany of 100, verified', batches.sort((a, b) => a - b), (performance.now() - began) / 1000, (hits / keys.length) * batches.length);

  const [stats] = (await client.stats()).values();
  console.log(table.toString());
  console.log(`${Number(stats?.get('bytes') ?? 0).toLocaleString('en')} bytes kept in ${stats?.get('curr_items') ?? '?'} items.`);
  await client.close();
  await server.close();
  if (wrong.length > 0) {
    console.error(colors.red(`${wrong.length} values did not come back as they were stored, for example ${wrong[0] ?? ''}`));
    process.exitCode = 1;
  } else {
    console.log(colors.green('Every value came back as it was stored.'));
  }
}

void main();
