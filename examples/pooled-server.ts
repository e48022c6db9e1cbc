/** An HTTP server under load that keeps large and small things in one cache, over a pool and over one connection. */
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client, PooledClient } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

const LARGE = 900_000;

/** Serves what the cache holds under the path. */
function serve(cache: Client): Promise<{ port: number; close: () => void }> {
  const server = createServer((request, response) => {
    cache.get<Buffer>(`page:${request.url}`).then(
      (page) => response.writeHead(page === undefined ? 404 : 200).end(page),
      () => response.writeHead(503).end(),
    );
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ port: (server.address() as AddressInfo).port, close: () => server.close() });
    });
  });
}

/** The milliseconds of one request. */
function request(port: number, path: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      response.resume().once('end', () => {
        resolve(performance.now() - started);
      });
    }).once('error', reject);
  });
}

/** 60 visitors, of whom every sixth wants something large. */
async function load(port: number): Promise<number[]> {
  const small: number[] = [];
  await Promise.all(
    Array.from({ length: 60 }, async (_, visitor) => {
      for (let i = 0; i < 20; i++) {
        const large = visitor % 6 === 0;
        const time = await request(port, large ? '/large' : '/small');
        if (!large) small.push(time);
      }
    }),
  );
  return small.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const memcached = await MemcachedServer.start();
  for (const cache of [new Client(memcached.address), new PooledClient(memcached.address, { maxPoolSize: 4 })]) {
    await cache.setMany([['page:/small', Buffer.from('hello')], ['page:/large', Buffer.alloc(LARGE)]]);
    const server = await serve(cache);
    const times = await load(server.port);
    const at = (part: number): string => `${times[Math.floor(times.length * part)]?.toFixed(1) ?? '-'} ms`;
    console.log(`${cache.constructor.name}: ${times.length} small pages, half of them within ${at(0.5)}, 99 of 100 within ${at(0.99)}`);
    if (cache instanceof PooledClient) console.log('the pool:', cache.poolStats);
    server.close();
    await cache.close();
  }
  await memcached.close();
}

void main();
