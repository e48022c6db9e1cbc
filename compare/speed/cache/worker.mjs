/**
 * One process that reads through one cache: `worker.mjs DIST CACHE PORT SECONDS RATE EXPIRE DURATION`, all times in
 * milliseconds. It is copied to where the other caches are installed, so that it finds them. Prints what it saw as JSON.
 */
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { argv, env, exit, stdout } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

const [dist, name] = argv.slice(2, 4);
const [port, length, rate, expire, duration] = argv.slice(4).map(Number);
const downFrom = Number(env.DOWN_FROM ?? Infinity);
const downFor = Number(env.DOWN_FOR ?? 0);
const require = createRequire(import.meta.url);
const { Client } = require(`${dist}/index.js`);
const { ReadThroughCache } = require(`${dist}/cache/index.js`);
const loads = [];
const origin = Number(env.ORIGIN);

async function load() {
  const start = Date.now();
  await pause(duration);
  loads.push([start - origin, Date.now() - origin]);
  const at = start - origin;
  if (at >= downFrom && at < downFrom + downFor) throw new Error('the database is down');
  return { rows: 'x'.repeat(100), at: start };
}

/** Reads the one key. */
async function reader() {
  const seconds = Math.max(1, Math.round(expire / 1000));
  switch (name) {
    case 'tsmemcache': {
      const cache = new ReadThroughCache(new Client(`127.0.0.1:${port}`), { expire: seconds });
      return () => cache.get('k', load);
    }
    case 'tsmemcache, stale': {
      const cache = new ReadThroughCache(new Client(`127.0.0.1:${port}`), { expire: seconds, stale: 30 });
      return () => cache.get('k', load);
    }
    case 'cacheable': {
      const { Cacheable } = await import('cacheable');
      const { KeyvMemcache } = await import('@keyv/memcache');
      const { Keyv } = await import('keyv');
      const cache = new Cacheable({ secondary: new Keyv({ store: new KeyvMemcache(`127.0.0.1:${port}`) }), ttl: expire });
      return () => cache.getOrSet('k', load, { ttl: expire });
    }
    case 'cache-manager': {
      const { createCache } = await import('cache-manager');
      const { KeyvMemcache } = await import('@keyv/memcache');
      const { Keyv } = await import('keyv');
      const cache = createCache({ stores: [new Keyv({ store: new KeyvMemcache(`127.0.0.1:${port}`) })] });
      return () => cache.wrap('k', load, expire);
    }
    case 'cachified': {
      const { cachified } = await import('@epic-web/cachified');
      const client = new Client(`127.0.0.1:${port}`);
      const cache = {
        get: (key) => client.get(key),
        set: (key, entry) => client.set(key, entry, { expire: seconds }),
        delete: (key) => client.delete(key),
      };
      return () => cachified({ key: 'k', cache, ttl: expire, getFreshValue: load });
    }
    case 'bentocache': {
      const { BentoCache, bentostore } = await import('bentocache');
      const { memoryDriver } = await import('bentocache/drivers/memory');
      const cache = new BentoCache({ default: 'm', stores: { m: bentostore().useL1Layer(memoryDriver({ maxSize: '10mb' })) } });
      return () => cache.getOrSet({ key: 'k', ttl: expire, factory: load });
    }
    case 'async-cache-dedupe': {
      const { createCache } = await import('async-cache-dedupe');
      const cache = createCache({ ttl: seconds, storage: { type: 'memory' } });
      cache.define('k', load);
      return () => cache.k('k');
    }
    default:
      throw new Error(`no cache ${name}`);
  }
}

const read = await reader();
while (Date.now() < origin) await pause(1);
const times = [];
let errors = 0;
let firstDone = false;
const calls = [];
const started = performance.now();
for (let made = 0, now = 0; now < length; now = performance.now() - started) {
  for (; made < (now * rate) / 1000; made++) {
    const start = performance.now();
    calls.push(
      read().then(
        () => {
          // The first load of all is no recomputation.
          if (firstDone) times.push(performance.now() - start);
        },
        () => errors++,
      ),
    );
  }
  await pause(1);
  if (!firstDone && now > duration + 1000) firstDone = true;
}
await Promise.race([Promise.allSettled(calls), pause(10_000)]);
times.sort((a, b) => a - b);
const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
stdout.write(JSON.stringify({ loads, errors, calls: calls.length, p50: at(0.5), p99: at(0.99), max: at(1) }), () => exit(0));
