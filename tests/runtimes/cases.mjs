/**
 * What has to work in every run-time. It is run by each of them, in a project where the package is installed, and uses
 * only what all of them have. Prints a line of JSON for each case, and ends by itself.
 *
 *     node cases.mjs '{ "certificate": "…", "key": "…", "memcached": "127.0.0.1:11211" }'
 */
/* global AbortController, AbortSignal, Buffer, performance, setTimeout */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tsmemcache from 'tsmemcache';
import { EmbeddedClient } from 'tsmemcache/embedded';
import { MemcachedServer } from 'tsmemcache/server';

const { Client, CompressedSerde, HashClient, JsonSerde, MemcacheError, MetaCommand, PooledClient, PythonSerde, RetryingClient, StructuredSerde } = tsmemcache;
const site = JSON.parse(process.argv[2]);
const certificate = readFileSync(site.certificate, 'utf8');
const key = readFileSync(site.key, 'utf8');

const server = await MemcachedServer.start();
/** memcached where there is one, else the server of the package. */
const address = site.memcached ?? server.address;

async function failure(promise) {
  const error = await promise.then((value) => assert.fail(`should have rejected, gave ${String(value)}`), (reason) => reason);
  assert.ok(error instanceof MemcacheError, `${error?.stack ?? error}`);
  return error;
}

/** Opens a client for one case. */
async function using(client, work) {
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

const withClient = (work, options) => using(new Client(address, options), work);

/** A server that answers whatever comes as `answer` does. */
async function withSocketServer(answer, work) {
  const sockets = new Set();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', () => answer(socket));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`127.0.0.1:${listener.address().port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    listener.close();
  }
}

async function deadAddress() {
  const gone = await MemcachedServer.start();
  await gone.close();
  return gone.address;
}

const same = (kind) => async (client) => {
  const value = { text: 'äöü €', list: [1, 2.5, null, true] };
  await client.set(`rt:${kind}`, value);
  assert.deepEqual(await client.get(`rt:${kind}`), value);
};

const cases = {
  'set, add, replace, append, prepend, get': () =>
    withClient(async (client) => {
      await client.delete('rt:a');
      assert.equal(await client.replace('rt:a', '1'), false);
      assert.equal(await client.add('rt:a', 'b', { expire: 100 }), true);
      assert.equal(await client.append('rt:a', 'c'), true);
      assert.equal(await client.prepend('rt:a', 'a'), true);
      assert.equal(await client.get('rt:a'), 'abc');
      assert.equal(await client.delete('rt:a'), true);
      assert.equal(await client.get('rt:a'), undefined);
    }),
  'setMany, getMany, getsMany, deleteMany': () =>
    withClient(async (client) => {
      const entries = Array.from({ length: 200 }, (_, i) => [`rt:many:${i}`, { i }]);
      assert.deepEqual(await client.setMany(entries), []);
      const keys = entries.map(([name]) => name);
      assert.deepEqual([...(await client.getMany([...keys, 'rt:none']))], entries);
      assert.equal((await client.getsMany(keys)).size, 200);
      assert.equal(await client.deleteMany([...keys, 'rt:none']), 200);
    }),
  'gets and cas': () =>
    withClient(async (client) => {
      await client.set('rt:cas', 1);
      const [value, cas] = await client.gets('rt:cas');
      assert.equal(value, 1);
      assert.equal(await client.cas('rt:cas', 2, cas), true);
      assert.equal(await client.cas('rt:cas', 3, cas), false);
    }),
  'incr and decr, numbers and bigints': () =>
    withClient(async (client) => {
      await client.set('rt:n', 5);
      assert.equal(await client.incr('rt:n', 10), 15);
      assert.equal(await client.decr('rt:n', 100), 0);
      await client.set('rt:n', 2n ** 63n);
      assert.equal(await client.incr('rt:n', 1n), 2n ** 63n + 1n);
    }),
  'touch, gat, gats': () =>
    withClient(async (client) => {
      await client.set('rt:t', 'v');
      assert.equal(await client.touch('rt:t', 100), true);
      assert.equal(await client.gat('rt:t', 100), 'v');
      assert.equal((await client.gats('rt:t', 100))[0], 'v');
    }),
  'meta commands': () =>
    withClient(async (client) => {
      await client.metaSet('rt:m', 'v', { expire: 100 });
      assert.equal((await client.metaGet('rt:m', { ttl: true })).value, 'v');
      await client.metaArithmetic('rt:counter', { initial: 7, vivify: 100 });
      assert.ok((await client.metaArithmetic('rt:counter')).value >= 8);
      await client.metaNoop();
      assert.equal((await client.executeMeta(new MetaCommand('mg', 'rt:none', ['v']))).code, 'EN');
      await client.metaDelete('rt:m');
    }),
  'version, stats, raw': () =>
    withClient(async (client) => {
      assert.match([...(await client.version()).values()][0], /^\d+\.\d+/);
      assert.ok([...(await client.stats()).values()][0].has('curr_items'));
      assert.match(String(await client.raw('version')), /^VERSION /);
    }),
  noreply: () =>
    withClient(async (client) => {
      await Promise.all(Array.from({ length: 50 }, (_, i) => client.set('rt:quiet', i, { noreply: true })));
      assert.equal(await client.get('rt:quiet'), 49);
    }),
  'a value of 1 MB both ways': () =>
    withClient(async (client) => {
      const value = Buffer.alloc(1_000_000, 'abcdefghij');
      await client.set('rt:large', value);
      assert.ok(value.equals(await client.get('rt:large')));
    }),
  'four connections with 100 KB each, interleaved': async () => {
    const clients = Array.from({ length: 4 }, () => new Client(address));
    await Promise.all(
      clients.map(async (client, c) => {
        const values = Array.from({ length: 25 }, (_, i) => `${c}:${i}:`.padEnd(100_000, String(c)));
        await Promise.all(values.map((value, i) => client.set(`rt:${c}:${i}`, value)));
        assert.deepEqual(await Promise.all(values.map((_, i) => client.get(`rt:${c}:${i}`))), values);
      }),
    );
    await Promise.all(clients.map((client) => client.close()));
  },
  PooledClient: () => using(new PooledClient(address, { maxPoolSize: 3 }), same('pool')),
  'HashClient over three servers': async () => {
    const servers = await Promise.all([1, 2, 3].map(() => MemcachedServer.start()));
    await using(new HashClient(servers.map((one) => one.address)), async (client) => {
      const entries = Array.from({ length: 90 }, (_, i) => [`k${i}`, i]);
      await client.setMany(entries);
      assert.equal((await client.getMany(entries.map(([name]) => name))).size, 90);
      assert.equal(new Set(entries.map(([name]) => client.serverFor(name))).size, 3);
    });
    await Promise.all(servers.map((one) => one.close()));
  },
  'failover with retries': async () => {
    const servers = await Promise.all([1, 2].map(() => MemcachedServer.start()));
    const cluster = new HashClient(servers.map((one) => one.address), { retryAttempts: 0 });
    await using(new RetryingClient(cluster, { attempts: 3 }), async (client) => {
      await Promise.all(Array.from({ length: 20 }, (_, i) => client.set(`f${i}`, i)));
      await servers[0].close();
      for (let i = 0; i < 20; i++) {
        await client.set(`f${i}`, i);
        assert.equal(await client.get(`f${i}`), i);
      }
    });
    // The first once more: Bun before 1.4 may go on listening where a server was closed while clients were connected.
    await Promise.all(servers.map((one) => one.close()));
  },
  'a refused connection': () =>
    deadAddress().then((dead) =>
      using(new Client(dead), async (client) => {
        const error = await failure(client.get('k'));
        assert.deepEqual([error.name, error.code, error.certainty, error.cause?.code], ['MemcacheConnectError', 'MEMCACHE_CONNECT', 'notSent', 'ECONNREFUSED']);
      }),
    ),
  'callerStack, where two calls fail with one error': () =>
    deadAddress().then((dead) =>
      using(new Client(dead, { callerStack: true }), async (client) => {
        const calls = [client.get('k'), client.get('l')].map(failure);
        for (const { stack, name, code, server, certainty, cause } of await Promise.all(calls)) {
          assert.match(stack, /--- the call ---\n/);
          assert.deepEqual([name, code, server, certainty, cause?.code], ['MemcacheConnectError', 'MEMCACHE_CONNECT', dead, 'notSent', 'ECONNREFUSED']);
        }
      }),
    ),
  'a time-out': () =>
    withSocketServer(() => {}, (silent) =>
      using(new Client(silent, { timeout: 100 }), async (client) => {
        const began = performance.now();
        assert.equal((await failure(client.get('k'))).code, 'MEMCACHE_TIMEOUT');
        assert.ok(performance.now() - began < 2000);
      }),
    ),
  'a connection that ends within a reply': () =>
    withSocketServer((socket) => socket.end('VALUE k 0 10\r\nabc'), (broken) =>
      using(new Client(broken), async (client) => {
        const error = await failure(client.get('k'));
        assert.deepEqual([error.code, error.certainty], ['MEMCACHE_UNEXPECTED_CLOSE', 'maybeExecuted']);
      }),
    ),
  'a connection that is reset within a reply': () =>
    withSocketServer((socket) => socket.write('VALUE k 0 10\r\nabc', () => socket.resetAndDestroy()), (broken) =>
      using(new Client(broken), async (client) => assert.equal((await failure(client.get('k'))).code, 'MEMCACHE_UNEXPECTED_CLOSE')),
    ),
  'a call that is aborted': () =>
    withSocketServer(() => {}, async (silent) => {
      const client = new Client(silent, { timeout: 300 });
      const reason = new Error('enough');
      const abort = new AbortController();
      const call = client.get('k', { signal: abort.signal });
      setTimeout(() => abort.abort(reason), 20);
      assert.equal(await call.then(() => undefined, (error) => error), reason);
      await client.close();
    }),
  'a unix socket': async () => {
    const path = join(tmpdir(), `rt-${process.pid}.sock`);
    const local = await MemcachedServer.start({ path });
    await using(new Client(path), same('unix'));
    await local.close();
    rmSync(path, { force: true });
  },
  'TLS with a certificate that is trusted': () =>
    withTls((secure) => using(new Client(secure, { tls: { ca: certificate } }), same('tls'))),
  'TLS with one that is not': () =>
    withTls((secure) => using(new Client(secure, { tls: true }), async (client) => assert.equal((await failure(client.get('k'))).code, 'MEMCACHE_CONNECT'))),
  'TLS with one of another name': () =>
    withTls((secure) =>
      using(new Client(secure, { tls: { ca: certificate, servername: 'elsewhere.example' } }), async (client) => {
        assert.equal((await failure(client.get('k'))).code, 'MEMCACHE_CONNECT');
      }),
    ),
  'TLS to a port without': () =>
    using(new Client(server.address, { tls: { ca: certificate }, connectTimeout: 1000 }), async (client) => {
      assert.ok(['MEMCACHE_CONNECT', 'MEMCACHE_UNEXPECTED_CLOSE'].includes((await failure(client.get('k'))).code));
    }),
  TypedSerde: () =>
    withClient(async (client) => {
      for (const value of ['text', 1, 2.5, 2n ** 70n, true, null, [1, { a: 'ä' }], Buffer.from([0, 255])]) {
        await client.set('rt:typed', value);
        const read = await client.get('rt:typed');
        if (Buffer.isBuffer(value)) assert.ok(value.equals(read));
        else assert.deepEqual(read, value);
      }
    }),
  'CompressedSerde and PythonSerde': async () => {
    await withClient(same('compressed'), { serde: new CompressedSerde(new JsonSerde(), { minLength: 1 }) });
    await withClient(same('python'), { serde: new PythonSerde() });
  },
  StructuredSerde: async () => {
    let serde;
    try {
      serde = new StructuredSerde();
    } catch (error) {
      assert.ok(error instanceof MemcacheError && /^StructuredSerde needs the format of V8/.test(error.message), String(error));
      return 'refused by name';
    }
    await withClient(async (client) => {
      const value = new Map([['k', new Set([1n, new Date(5), /a/g])]]);
      await client.set('rt:structured', value);
      assert.deepEqual(await client.get('rt:structured'), value);
    }, { serde });
  },
  EmbeddedClient: () => using(new EmbeddedClient(), same('embedded')),
  'MemcachedServer: 100 KB over a plain socket': async () => {
    const socket = net.connect(server.port ?? Number(server.address.split(':').at(-1)), '127.0.0.1');
    const block = 'x'.repeat(100_000);
    let answer = '';
    socket.setEncoding('latin1').on('data', (data) => (answer += data));
    socket.write(`set raw 5 0 ${block.length}\r\n${block}\r\nget raw\r\nquit\r\n`);
    await new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
    assert.equal(answer, `STORED\r\nVALUE raw 5 ${block.length}\r\n${block}\r\nEND\r\n`);
  },
  'MemcachedServer: authentication': async () => {
    const guarded = await MemcachedServer.start({ auth: { username: 'app', password: 'secret' } });
    await using(new Client(guarded.address, { auth: { username: 'app', password: 'secret' } }), same('auth'));
    await using(new Client(guarded.address, { auth: { username: 'app', password: 'wrong' } }), async (client) => {
      assert.equal((await failure(client.get('k'))).code, 'MEMCACHE_AUTHENTICATION');
    });
    await guarded.close();
  },
  'close ends what is in flight, and the client may be used again': () =>
    withClient(async (client) => {
      const calls = Array.from({ length: 100 }, (_, i) => client.set('rt:close', i));
      await client.close();
      assert.ok((await Promise.all(calls)).every(Boolean));
      assert.equal(await client.get('rt:close'), 99);
    }),
  'Symbol.asyncDispose': async () => {
    const client = new Client(address);
    await client.get('k');
    await client[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]();
  },
  'a call on its channel, with and without a store that is bound to it': async () => {
    const storage = new AsyncLocalStorage();
    const channel = tracingChannel(tsmemcache.CHANNELS.command);
    const heard = [];
    const told = (event) => () => heard.push(`${event} ${storage.getStore()}`);
    const subscribers = { start: told('start'), end: told('end'), asyncEnd: told('asyncEnd') };
    channel.subscribe(subscribers);
    await withClient((client) => client.get('rt:channel'));
    channel.start.bindStore(storage, ({ command }) => command);
    await withClient((client) => client.get('rt:channel'));
    channel.start.unbindStore(storage);
    channel.unsubscribe(subscribers);
    assert.deepEqual(heard, [...['start', 'end', 'asyncEnd'].map((event) => `${event} undefined`), ...['start', 'end', 'asyncEnd'].map((event) => `${event} get`)]);
  },
  'one class for import and require': () => {
    const require = createRequire(import.meta.url);
    assert.equal(require('tsmemcache').Client, Client);
    assert.ok(new EmbeddedClient() instanceof require('tsmemcache').Client);
    assert.equal(require('tsmemcache/server').MemcachedServer, MemcachedServer);
  },
};

async function withTls(work) {
  const secure = await MemcachedServer.start({ tls: { cert: certificate, key } });
  try {
    await work(secure.address);
  } finally {
    await secure.close();
  }
}

for (const [name, check] of Object.entries(cases)) {
  const limit = AbortSignal.timeout(15_000);
  const late = new Promise((_, reject) => limit.addEventListener('abort', () => reject(new Error('no end within 15 s'))));
  const result = await Promise.race([Promise.resolve().then(check), late]).then(
    (remark) => ({ name, passed: true, remark: typeof remark === 'string' ? remark : undefined }),
    (error) => ({ name, passed: false, remark: String(error?.stack ?? error).slice(0, 500) }),
  );
  console.log(JSON.stringify(result));
}

// An idle connection keeps no process alive: nothing below ends this client.
const idle = new Client(address);
await idle.set('rt:idle', 1);
await server.close();
await sleep(1);
console.log(JSON.stringify({ name: 'an idle client lets the process end', passed: true }));
