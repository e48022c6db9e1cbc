/** When a connection of a cluster writes what it is given, while the event loop has time to spare and when it has none. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type MemcacheTimeoutError } from '../../src';
import type { ConnectionOptions } from '../../src/client/client-options';
import { Connection } from '../../src/client/connection';
import { LoopLoad } from '../../src/runtime/loop-load';
import { insist } from '../support/busy-machine';
import { ScriptedServer, type ScriptedConnection } from '../support/scripted-server';
import { turns, VirtualClock } from '../support/virtual-clock';

describe('one connection', () => {
  let server: ScriptedServer;
  let client: Client;
  const loop = { busy: true, isBusy: () => loop.busy };
  const calls: Promise<unknown>[] = [];

  /** A call that nothing else is written with. */
  async function ask(key: string): Promise<void> {
    const call = client.get(key);
    call.catch(() => undefined);
    calls.push(call);
    await turns();
  }

  async function start(script: (connection: ScriptedConnection) => Promise<void>, options: ConnectionOptions = { timeout: 20_000 }): Promise<void> {
    server = await ScriptedServer.start(script);
    client = new Client(new Connection(server.address, options, {}, loop));
    loop.busy = true;
    calls.length = 0;
    await ask('a');
    await calls[0];
    for (const key of ['b', 'c', 'd', 'e']) await ask(key);
  }

  const hit = (key: string): string => `VALUE ${key} 16 1\r\n1\r\nEND\r\n`;

  afterEach(async () => {
    await client.close();
    expect(server.failures).toEqual([]);
    await server.close();
  });

  it('writes at once while fewer than four calls are under way, and then what has come by the next reply', async () => {
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.expect('get b\r\nget c\r\nget d\r\nget e\r\nget x\r\nget y\r\n');
      while (calls.length < 10) await sleep(5);
      await sleep(50);
      expect(connection.received).toBe('');
      // The next reply is enough: five calls are still under way.
      await connection.send(hit('b'));
      await connection.expect('get f g h\r\n');
      await connection.send(['c', 'd', 'e', 'x', 'y'].map(hit).join('') + hit('f').replace('END\r\n', '') + hit('h'));
    });
    loop.busy = false;
    for (const key of ['x', 'y']) await ask(key);
    loop.busy = true;
    for (const key of ['f', 'g', 'h']) await ask(key);
    expect(await Promise.all(calls)).toEqual(['1', '1', '1', '1', '1', '1', '1', '1', undefined, '1']);
  });

  it('writes at once while the event loop has time to spare', async () => {
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.expect('get b\r\nget c\r\nget d\r\nget e\r\nget f\r\nget g\r\n');
      await connection.send(['b', 'c', 'd', 'e', 'f', 'g'].map(hit).join(''));
    });
    loop.busy = false;
    for (const key of ['f', 'g']) await ask(key);
    expect(await Promise.all(calls)).toEqual(['1', '1', '1', '1', '1', '1', '1']);
  });

  it('what waits for a reply has its time-out, and was not sent', async () => {
    const clock = new VirtualClock();
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.hold();
    }, { clock, timeout: 200 });
    await clock.advance(100);
    await ask('f');
    await clock.advance(100);
    const outcomes = await Promise.allSettled(calls);
    const certainties = outcomes.slice(1).map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as MemcacheTimeoutError).certainty : 'answered'));
    // The last one is written to the connection that follows.
    expect(certainties).toEqual(['maybeExecuted', 'maybeExecuted', 'maybeExecuted', 'maybeExecuted', 'answered']);
  });

  it('goes on with what the socket did not take at once, though no reply has come', async () => {
    const big = 'x'.repeat(500_000);
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.expect('get b\r\nget c\r\nget d\r\nget e\r\n');
      const sent = Array.from({ length: 12 }, (_, i) => `set k${i} 16 0 ${big.length}\r\n${big}\r\n`).join('');
      await connection.send(hit('b'));
      await connection.expect(sent);
      await connection.send(hit('c') + hit('d') + hit('e') + 'STORED\r\n'.repeat(12));
    });
    const stored = await Promise.all(Array.from({ length: 12 }, (_, i) => client.set(`k${i}`, big)));
    expect(stored).toEqual(stored.map(() => true));
    expect(await Promise.all(calls)).toEqual(['1', '1', '1', '1', '1']);
  });

  it('close() waits for no reply when all calls are aborted, written or not', async () => {
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.expect('get b\r\nget c\r\nget d\r\nget e\r\n');
      await connection.send(['b', 'c', 'd', 'e'].map(hit).join(''));
      await connection.hold();
    }, { timeout: 100_000 });
    await Promise.all(calls);
    const abort = new AbortController();
    const aborted: Promise<unknown>[] = [];
    for (const key of ['f', 'g', 'h', 'i', 'j', 'k', 'l']) {
      aborted.push(client.get(key, { signal: abort.signal }).catch((error: unknown) => error));
      await turns();
    }
    while (server.connections[0]?.received !== 'get f\r\nget g\r\nget h\r\nget i\r\n') await sleep(5);
    const closed = client.close();
    abort.abort();
    expect(new Set(await Promise.all(aborted))).toEqual(new Set([abort.signal.reason]));
    await closed;
  });

  it('close() lets what waits for a reply finish', async () => {
    await start(async (connection) => {
      await connection.expect('get a\r\n');
      await connection.send(hit('a'));
      await connection.expect('get b\r\nget c\r\nget d\r\nget e\r\n');
      while (calls.length < 6) await sleep(5);
      await sleep(20);
      await connection.send(['b', 'c', 'd', 'e'].map(hit).join(''));
      await connection.expect('get f\r\n');
      await connection.send(hit('f'));
    });
    await ask('f');
    await client.close();
    expect(await Promise.all(calls)).toEqual(['1', '1', '1', '1', '1', '1']);
  });
});

describe('LoopLoad', () => {
  it('a loop that waits has time to spare, and one that computes has none', async () => {
    // A process that stands still while it does not wait computes, as far as one can tell.
    await insist(async () => {
      const load = new LoopLoad();
      expect(load.isBusy(performance.now())).toBe(false);
      await sleep(100);
      expect(load.isBusy(performance.now())).toBe(false);
      for (const until = performance.now() + 50; performance.now() < until; ) await turns(1);
      expect(load.isBusy(performance.now())).toBe(true);
      await sleep(300);
      expect(load.isBusy(performance.now())).toBe(false);
    }, () => true);
  });

  it('is looked at no more often than each ten milliseconds', async () => {
    const load = new LoopLoad();
    load.isBusy(0);
    for (const until = performance.now() + 50; performance.now() < until; ) await turns(1);
    expect(load.isBusy(9)).toBe(false);
    expect(load.isBusy(10)).toBe(true);
  });
});
