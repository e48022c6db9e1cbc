/** What a hit costs: `hits.mjs DIST PORT`. CPU per call with 128 calls outstanding, and memory per call that waits for a load. */
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { argv, cpuUsage, exit, memoryUsage, stdout } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

const [dist, port] = argv.slice(2);
const require = createRequire(import.meta.url);
const { Client } = require(`${dist}/index.js`);
const { ReadThroughCache } = require(`${dist}/cache/index.js`);
const CALLS = 100_000;
const ROUNDS = 15;

const client = new Client(`127.0.0.1:${port}`);
const cache = new ReadThroughCache(client, { expire: 3600 });
const near = new ReadThroughCache(client, { expire: 3600, l1: { admit: 'all', ttl: 3_600_000 } });
const keys = Array.from({ length: 1024 }, (_, i) => `key:${i}`);
const value = 'a value of a hundred bytes '.repeat(4).slice(0, 100);
const load = () => value;
for (const key of keys) await cache.get(key, load);
await cache.close();
for (const key of keys) await near.get(key, load);

async function measure(read) {
  let next = 0;
  const reader = async () => {
    while (next < CALLS) await read(keys[next++ & 1023]);
  };
  const cpu = cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: 128 }, reader));
  const { user, system } = cpuUsage(cpu);
  return { cpu: (user + system) / CALLS, wall: ((performance.now() - start) * 1000) / CALLS };
}

const kinds = { get: (key) => client.get(key), hit: (key) => cache.get(key, load), near: (key) => near.get(key, load) };
const rounds = { get: [], hit: [], near: [] };
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, read] of Object.entries(kinds)) rounds[name].push((await measure(read)).cpu);
}
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

globalThis.gc();
const before = memoryUsage().heapUsed;
let finish = () => undefined;
const waiting = Array.from({ length: 100_000 }, () => cache.get('slow', () => new Promise((resolve) => (finish = resolve))));
await pause(100);
globalThis.gc();
const joined = (memoryUsage().heapUsed - before) / waiting.length;
finish(value);
await Promise.all(waiting);
stdout.write(JSON.stringify({ get: median(rounds.get), hit: median(rounds.hit), near: median(rounds.near), joined }), () => exit(0));
