/**
 * A page made by a slow query: many visitors, one query. The page may be half a minute old while one
 * of them has it made anew; after a change it is made at once. With fastify: docs/cache.md.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ReadThroughCache } from 'tsmemcache/cache';
import { EmbeddedClient } from 'tsmemcache/embedded';

let queries = 0;
let price = 10;

/** Stands for a database. */
async function renderPage(id: string, signal: AbortSignal): Promise<string> {
  queries++;
  await pause(50, undefined, { signal });
  return `product ${id}: ${price} €`;
}

async function main(): Promise<void> {
  const client = new EmbeddedClient(); // in a real program: new Client('localhost:11211')
  const cache = new ReadThroughCache(client, { expire: 60, stale: 30, loadTimeout: 2000 });
  const server = createServer((request, response) => {
    const id = request.url?.split('/').at(-1) ?? '';
    // `change`: the page ends within 5 s whatever happens, and is gone once the write is done.
    const answer = request.method === 'PUT' ? cache.change(`page:${id}`, () => `from now on ${++price} €`) : cache.get(`page:${id}`, ({ signal }) => renderPage(id, signal));
    answer.then(
      (text) => response.end(text),
      () => response.writeHead(503).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const page = async (): Promise<string> => (await fetch(`${address}/products/1`)).text();

  const pages = await Promise.all(Array.from({ length: 50 }, page));
  console.log(`${pages.length} visitors, ${queries} query: ${pages[0] ?? ''}`);
  await fetch(`${address}/products/1`, { method: 'PUT' });
  console.log(`after a change: ${await page()}`);

  server.close();
  server.closeAllConnections();
  await cache.close();
  await client.close();
}

void main();
