/** memcached before 1.6 reads a block that it refuses as commands when it may not say so: a large one is answered although nobody waits. */
import { Client, type ServerMetrics } from '../../src';
import { ANSWERED_FROM } from '../../src/client/commands/storage';
import { MemcachedServer } from '../../src/server';
import { isOlderThan, memcachedBinary, startMemcached } from '../support/memcached';
import { eachWithScriptedServer } from '../support/describe';
import { KINDS_OVER_ONE_SERVER, type MakeClient } from '../support/one-server';
import { startTwemproxy, twemproxyBinary } from '../support/proxies';
import { type ScriptedServer } from '../support/scripted-server';

const REFUSED = 'SERVER_ERROR object too large for cache\r\n';
const LARGE = 'x'.repeat(ANSWERED_FROM);

function metricsOf(client: Client): ServerMetrics {
  const [metrics] = client.metrics().values();
  if (metrics === undefined) throw new Error('a client has metrics of its server');
  return metrics;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function expectExact({ calls, hits, misses, stored, notStored, exists, ok, aborted, errors }: ServerMetrics): void {
  expect(sumOf(calls)).toBe(hits + misses + stored + notStored + exists + ok + aborted + sumOf(errors));
}

describe('by the bytes', () => {
  let server: ScriptedServer;
  eachWithScriptedServer((fresh) => {
    server = fresh;
  });

  it('a refusal is read and dropped, and the promise does not wait for it', async () => {
    const client = new Client(server.address, { defaultNoreply: true });
    const settled: string[] = [];
    server.next(async (connection) => {
      await connection.expect(`set k 16 0 ${LARGE.length}\r\n${LARGE}\r\nget a\r\n`);
      settled.push('seen');
      await connection.send(`${REFUSED}VALUE a 16 1\r\n1\r\nEND\r\n`);
    });
    const stored = client.set('k', LARGE).then((result) => settled.push(`set: ${result}`));
    expect(await client.get('a')).toBe('1');
    await stored;
    expect(settled).toEqual(['set: true', 'seen']);
    expect(server.connections).toHaveLength(1);
    expect(metricsOf(client)).toMatchObject({ calls: { set: 1, get: 1 }, ok: 1, hits: 1, errors: {}, disconnects: 0, latency: { count: 1 } });
    await client.close();
  });

  it('one byte less is not answered, and a run before it ends by a fence of its own', async () => {
    const client = new Client(server.address, { defaultNoreply: true });
    const small = LARGE.slice(1);
    server.next(async (connection) => {
      await connection.expect(`set a 16 0 ${small.length} noreply\r\n${small}\r\nversion\r\n`);
      await connection.expect(`set b 16 0 ${LARGE.length}\r\n${LARGE}\r\n`);
      await connection.expect(`delete c noreply\r\nversion\r\n`);
      await connection.send(`ERROR\r\nVERSION 1.4.39\r\n${REFUSED}ERROR\r\nVERSION 1.4.39\r\n`);
    });
    expect(await Promise.all([client.set('a', small), client.set('b', LARGE), client.delete('c')])).toEqual([true, true, true]);
    expect(await client.get('none')).toBeUndefined();
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it('all commands with a block', async () => {
    const client = new Client(server.address);
    const noreply = { noreply: true };
    const block = `${LARGE.length}\r\n${LARGE}\r\n`;
    server.next(async (connection) => {
      await connection.expect(`add k 16 0 ${block}replace k 16 0 ${block}append k 16 0 ${block}prepend k 16 0 ${block}`);
      await connection.expect(`cas k 16 0 ${LARGE.length} 7\r\n${LARGE}\r\nset s 16 0 1\r\n1\r\nset k 16 0 ${block}`);
      await connection.send(`NOT_STORED\r\n${REFUSED}${REFUSED}${REFUSED}NOT_FOUND\r\nSTORED\r\n${REFUSED}`);
    });
    const calls = [
      client.add('k', LARGE, noreply),
      client.replace('k', LARGE, noreply),
      client.append('k', LARGE, noreply),
      client.prepend('k', LARGE, noreply),
      client.cas('k', LARGE, '7', noreply),
      client.setMany([['s', '1'], ['k', LARGE]], noreply),
    ];
    expect(await Promise.all(calls)).toEqual([true, true, true, true, true, []]);
    expect(await client.get('none')).toBeUndefined();
    expect(server.connections).toHaveLength(1);
    expectExact(metricsOf(client));
    expect(metricsOf(client)).toMatchObject({ ok: 7, misses: 1, errors: {} });
    await client.close();
  });

  it('close() waits for the answer', async () => {
    const client = new Client(server.address);
    const told: string[] = [];
    server.next(async (connection) => {
      await connection.expect(`set k 16 0 ${LARGE.length}\r\n${LARGE}\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      told.push('answered');
      await connection.send('STORED\r\n');
    });
    await client.set('k', LARGE, { noreply: true });
    await client.close();
    told.push('closed');
    expect(told).toEqual(['answered', 'closed']);
  });

  it('an answer that does not come ends the connection after the time-out, as that of a fence does', async () => {
    const client = new Client(server.address, { timeout: 60 });
    server.next(async (connection) => {
      await connection.expect(`set k 16 0 ${LARGE.length}\r\n${LARGE}\r\n`);
      await connection.closed;
    });
    expect(await client.set('k', LARGE, { noreply: true })).toBe(true);
    while (metricsOf(client).disconnects === 0) await new Promise(setImmediate);
    expect(await client.get('none')).toBeUndefined();
    expect(server.connections).toHaveLength(2);
    expectExact(metricsOf(client));
    expect(metricsOf(client)).toMatchObject({ calls: { set: 1, get: 1 }, ok: 1, errors: {} });
    await client.close();
  });
});

const binary = memcachedBinary();
const describeOrSkip = binary === undefined ? describe.skip : describe;

/** Around the largest value that a server with its usual limit takes: 48 bytes and the key go with an item. */
const SIZES = [1024 * 1024, 1024 * 1024 - 64, 1024 * 1024 - 512];

/** @param answered what comes of a call that waits for an answer */
async function expectUnharmed(make: MakeClient, address: string, answered: (call: Promise<unknown>, expected: unknown) => Promise<unknown> = (call) => call): Promise<void> {
  for (const size of SIZES) {
    // Taken for commands, these would be answered.
    const value = 'get poison\r\n'.repeat(size / 12 + 1).slice(0, size);
    const client = make(address, { timeout: 3000, defaultNoreply: true });
    await client.set('before', '1', { noreply: false });
    const [, token = ''] = await client.gets('before');
    const calls: Promise<unknown>[] = [
      client.set('big', value),
      answered(client.get('before'), '1'),
      client.set('small', 'y'),
      client.setMany([['one', value], ['two', '2'], ['three', value]]),
      client.add('big', value),
      client.append('big', value),
      client.cas('before', value, token, { noreply: true }),
      answered(client.incr('none', 1), undefined),
    ];
    expect(await Promise.all(calls)).toEqual([true, '1', true, [], true, true, true, undefined]);
    expect(await answered(client.get('poison'), undefined)).toBeUndefined();
    await client.close();
    const metrics = metricsOf(client);
    expectExact(metrics);
    expect(metrics).toMatchObject({ disconnects: metrics.connects });
    if (answered === orLost) expect(Object.keys(metrics.errors)).not.toContain('MEMCACHE_UNEXPECTED_CLOSE');
    else expect(metrics.errors).toEqual({});
  }
}

/**
 * memcached before 1.6 refuses a value before all of it has come. Has twemproxy not sent all of it by then, it takes the answer for a
 * stray one, closes its connection to the server, and answers all calls that wait there, of any client, by an error.
 */
async function orLost(call: Promise<unknown>, expected: unknown): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    expect(error).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', message: 'Invalid argument', certainty: 'maybeExecuted' });
    return expected;
  }
}

describeOrSkip('over memcached', () => {
  it.each(KINDS_OVER_ONE_SERVER)('%s: a value at the limit costs no connection', async (_, make) => {
    const server = await startMemcached(['-m', '256']);
    await expectUnharmed(make, server.address);
    await server.stop();
  });

  const itBehind = twemproxyBinary() === undefined ? it.skip : it;
  const refusesEarly = isOlderThan('1.6.0');
  itBehind(`behind twemproxy${refusesEarly ? ', which may answer calls after such a value by an error of its own' : ''}`, async () => {
    const server = await startMemcached(['-m', '256']);
    const proxy = await startTwemproxy([server.address], 3000);
    for (const [name, make] of KINDS_OVER_ONE_SERVER) {
      // To a FallbackClient a cache that fails is one that misses.
      if (!refusesEarly) await expectUnharmed(make, proxy.address);
      else if (name !== 'FallbackClient') await expectUnharmed(make, proxy.address, orLost);
    }
    await proxy.stop();
    await server.stop();
  });

  it('what a value holds is not executed by a server without memory', async () => {
    const server = await startMemcached(['-m', '2', '-M']);
    const client = new Client(server.address);
    const value = 'set injected 0 0 1\r\n1\r\n'.repeat(5000);
    for (let i = 0; i < 60; i++) await client.set(`k${i}`, value, { noreply: true });
    expect(await client.get('injected')).toBeUndefined();
    expect(metricsOf(client)).toMatchObject({ disconnects: 0, errors: {} });
    await client.close();
    await server.stop();
  });
});

it.each(KINDS_OVER_ONE_SERVER)('over the embedded server, %s', async (_, make) => {
  const server = await MemcachedServer.start();
  await expectUnharmed(make, server.address);
  await server.close();
});
