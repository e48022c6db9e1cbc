import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { MemcachedServer } from '../../src/server';
import { CompiledProgram } from '../support/program';

let everything: CompiledProgram;

/**
 * Runs a program with everything of this package in scope; what it printed, its status, how long it took, and for how long it waited for
 * something, in ms, after its last line.
 *
 * @param files how many files it may have open
 * @param options those of its clients
 */
async function run(program: string, address: string, files?: number, options = {}): Promise<{ output: string; status: number | null; lasted: number; waited: number }> {
  const code = `
    const { Client, PooledClient, HashClient, RetryingClient, FallbackClient, EmbeddedClient } = require(${JSON.stringify(everything.file)});
    let address = ${JSON.stringify(address)};
    const options = ${JSON.stringify(options)};
    const started = performance.now();
    let ended;
    process.on('exit', () => console.log('lasted', performance.now() - started, performance.eventLoopUtilization(ended).idle));
    void (async () => { ${program} })().finally(() => { ended = performance.eventLoopUtilization(); });`;
  const limit = files === undefined ? '' : `ulimit -n ${files};`;
  const child = spawn('sh', ['-c', `${limit} exec "$0" "$@"`, process.execPath, '--input-type=commonjs', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text) => (output += String(text)));
  child.stderr.on('data', (text) => (output += String(text)));
  const status = await new Promise<number | null>((done) => child.once('close', done));
  const [, lasted, waited] = /^lasted (\S+) (\S+)$/m.exec(output) ?? [];
  return { output: output.replace(/^lasted .*\n/m, ''), status, lasted: Number(lasted), waited: Number(waited) };
}

let server: MemcachedServer;
beforeAll(async () => {
  everything = new CompiledProgram(join(__dirname, '../support/everything.ts'));
  server = await MemcachedServer.start();
});
afterAll(async () => {
  everything[Symbol.dispose]();
  await server.close();
});

const kinds = {
  Client: 'new Client(address, options)',
  PooledClient: 'new PooledClient(address, { ...options, minPoolSize: 2 })',
  HashClient: 'new HashClient([address], options)',
  RetryingClient: 'new RetryingClient(new Client(address, options))',
  FallbackClient: 'new FallbackClient([new Client(address, options), new PooledClient(address, options)])',
  EmbeddedClient: 'new EmbeddedClient()',
};

/**
 * Runs a program whose time-outs are a second each, and which must not wait for them. A machine that stands still for a moment, or is
 * slow, must not count: who waits does so each time, and the longer the time-outs are.
 */
async function runBriefly(program: string): Promise<Pick<Awaited<ReturnType<typeof run>>, 'output' | 'status'>> {
  for (let timeout = 1000; ; timeout *= 4) {
    const { output, status, lasted, waited } = await run(program, server.address, undefined, { timeout, connectTimeout: timeout });
    // Once it has nothing more to do it waits for nothing, whatever that would be.
    expect(waited).toBeLessThan(900);
    if (lasted < 0.9 * timeout) return { output, status };
    if (timeout > 10_000) throw new Error(`it was kept alive for ${lasted} ms`);
  }
}

it.each(Object.entries(kinds))('%s: does not keep a process alive that has nothing more to do, closed or not', async (_, make) => {
  expect(await runBriefly(`const client = ${make}; await client.set('k', 'v'); console.log(await client.get('k'));`)).toEqual({ output: 'v\n', status: 0 });
});

it.each(Object.entries(kinds))('%s: closes cleanly, and leaves no handle', async (_, make) => {
  const { output, status } = await runBriefly(
    `const client = ${make};
    await client.set('k', 'v');
    const last = client.get('k');
    await client.close();
    console.log(await last, process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)));`,
  );
  expect([output, status]).toEqual(['v []\n', 0]);
});

it.each(Object.entries(kinds).filter(([kind]) => kind !== 'EmbeddedClient'))('%s: a call that was aborted does not keep the process alive, however long the server takes', async (_, make) => {
  const { output, status, waited } = await run(
    `const { createServer } = require('node:net');
    const silent = createServer(() => {}).listen(0, '127.0.0.1', async () => {
      silent.unref();
      silent.on('connection', (socket) => socket.unref());
      address = ['127.0.0.1', silent.address().port];
      options.timeout = 0;
      const client = ${make};
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 50);
      await client.get('k', { signal: abort.signal }).catch((error) => console.log(error.name));
    });`,
    server.address,
  );
  expect([output, status]).toEqual(['AbortError\n', 0]);
  expect(waited).toBeLessThan(5000);
});

it.each(Object.entries(kinds).filter(([kind]) => kind !== 'EmbeddedClient'))('%s: nor when a connection is made to another address of the name after that', async (_, make) => {
  const { output, status, waited } = await run(
    `const dns = require('node:dns');
    const port = address.slice(address.lastIndexOf(':') + 1);
    const abort = new AbortController();
    dns.lookup = (name, options, callback) => setTimeout(() => {
      callback(null, ['127.0.0.9', '127.0.0.1'].map((address) => ({ address, family: 4 })));
    }, 50);
    address = 'several.example:' + port;
    const client = ${make};
    setTimeout(() => abort.abort(), 10);
    await client.get('k', { signal: abort.signal }).catch((error) => console.log(error.name));
    process.on('exit', () => console.log(client.metrics().values().next().value.connections));`,
    server.address,
  );
  expect([output, status]).toEqual(['AbortError\n1\n', 0]);
  expect(waited).toBeLessThan(5000);
});

it.each(Object.entries(kinds).filter(([kind]) => kind !== 'EmbeddedClient'))('%s: a process without a file descriptor left gets clear errors, and goes on when it has some', async (_, make) => {
  const { output, status } = await run(
    `const { openSync, closeSync } = require('node:fs');
    const client = ${make};
    const files = [];
    try { for (;;) files.push(openSync('/dev/null')); } catch (error) { console.log(error.code); }
    for (const call of [() => client.get('k'), () => client.set('k', 'v'), () => client.getMany(['k', 'l'])]) {
      await call().then(console.log, (error) => console.log((error.failures?.values().next().value ?? error).code, /EMFILE/.test((error.cause ?? error).message)));
    }
    files.forEach((file) => closeSync(file));
    await new Promise((done) => setTimeout(done, 20));
    console.log(await client.set('k', 'v'), await client.get('k'));
    await client.close();`,
    server.address,
    60,
  );
  expect([output, status]).toEqual([`EMFILE\n${'MEMCACHE_CONNECT true\n'.repeat(3)}true v\n`, 0]);
});

it.each(Object.entries(kinds))('%s: a call that is made while the connection is about to write again keeps the process alive', async (_, make) => {
  const { output, status } = await run(
    `const client = ${make};
    const large = Buffer.alloc(500_000, 'x');
    for (let round = 0; round < 20; round++) {
      await client.set('large', large);
      if (!large.equals(await client.get('large'))) console.log('wrong');
    }
    console.log('done');`,
    server.address,
  );
  expect([output, status]).toEqual(['done\n', 0]);
});

it.each([
  ['waits until it is answered', 200, ''],
  ['is aborted too', 1e9, 'abort.abort();'],
])('a call that waits for a connection of a pool, all of which carry aborted calls, %s', async (_, delay, then) => {
  const { output, status, waited } = await run(
    `const { createServer } = require('node:net');
    const slow = createServer((socket) => {
      socket.unref();
      socket.on('data', (data) => setTimeout(() => socket.write('END\\r\\n'), ${delay}).unref());
    }).listen(0, '127.0.0.1', async () => {
      slow.unref();
      const client = new PooledClient(['127.0.0.1', slow.address().port], { maxPoolSize: 1, timeout: 0 });
      const first = new AbortController();
      const abort = new AbortController();
      setTimeout(() => first.abort(), 50);
      await client.get('k', { signal: first.signal }).catch((error) => console.log(error.name));
      const waiting = client.get('l', { signal: abort.signal }).then(String, (error) => error.name);
      setTimeout(() => { ${then} }, 20).unref();
      console.log(await waiting);
    });`,
    server.address,
  );
  expect([output, status]).toEqual([`AbortError\n${then === '' ? 'undefined' : 'AbortError'}\n`, 0]);
  expect(waited).toBeLessThan(5000);
});

it('a call that is awaited keeps the process alive until it has settled', async () => {
  const { output, status } = await run(
    `const { createServer } = require('node:net');
    const silent = createServer(() => {}).listen(0, '127.0.0.1', async () => {
      silent.unref();
      const client = new Client(['127.0.0.1', silent.address().port], { timeout: 300 });
      await client.get('k').catch((error) => console.log(error.code));
    });`,
    server.address,
  );
  expect([output, status]).toEqual(['MEMCACHE_TIMEOUT\n', 0]);
});

it('a server that goes away ends nobody else’s process, with calls waiting or not', async () => {
  const { output, status } = await run(
    `const { createServer } = require('node:net');
    const sockets = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (data) => { if (sockets.length > 1) socket.resetAndDestroy(); else socket.write('END\\r\\n'); });
    }).listen(0, '127.0.0.1', async () => {
      const client = new Client(['127.0.0.1', server.address().port]);
      console.log(await client.get('k'));
      sockets[0].resetAndDestroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const outcomes = await Promise.allSettled([client.get('a'), client.set('b', 1), client.set('c', 1, { noreply: true })]);
      console.log(outcomes.map(({ status }) => status).join());
      server.close();
      await client.get('k').catch((error) => console.log(error.code));
    });`,
    server.address,
  );
  expect([output, status]).toEqual(['undefined\nrejected,rejected,fulfilled\nMEMCACHE_CONNECT\n', 0]);
});
