import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Client,
  MemcacheServerError,
  MemcacheTimeoutError,
  MemcacheUnexpectedCloseError,
  MemcacheUnknownError,
  type ConnectionOptions,
} from '../../../src';
import { ManualClock, MemcachedServer, type FaultyCommand, type MemcachedServerOptions } from '../../../src/server';
import { turns } from '../../support/virtual-clock';

let server: MemcachedServer;
let client: Client;

async function start(options: MemcachedServerOptions = {}, clientOptions: ConnectionOptions = {}): Promise<void> {
  server = await MemcachedServer.start(options);
  client = new Client(server.address, clientOptions);
}

afterEach(async () => {
  await client.close();
  await server.close();
});

describe('delay', () => {
  it('holds the answer back, and the later ones of the connection, by the server’s clock', async () => {
    const clock = new ManualClock();
    await start({ clock, faults: ({ verb }) => (verb === 'incr' ? { delay: 500 } : undefined) });
    await client.set('n', '1', { noreply: false });
    const settled: string[] = [];
    const calls = [
      client.incr('n').then(() => settled.push('incr')),
      client.get('other').then(() => settled.push('get')),
    ];
    while (clock.timers === 0) await turns();
    clock.advance(499);
    await turns(20);
    expect(settled).toEqual([]);
    // It is executed all the same, and does not keep others waiting.
    expect(server.store.find('n')?.value).toBe('2');
    const other = new Client(server.address);
    expect(await other.get('other')).toBeUndefined();
    await other.close();
    clock.advance(1);
    await Promise.all(calls);
    expect(settled).toEqual(['incr', 'get']);
    expect(clock.held).toBe(0);
  });

  it('brings a client to its time limit', async () => {
    await start({ faults: () => ({ delay: 60_000 }) }, { timeout: 20 });
    await expect(client.get('k')).rejects.toThrow(MemcacheTimeoutError);
  });

  it('is nothing to a client that has gone meanwhile', async () => {
    const clock = new ManualClock();
    await start({ clock, faults: () => ({ delay: 1000 }) }, { timeout: 20 });
    await expect(client.get('k')).rejects.toThrow(MemcacheTimeoutError);
    clock.advance(1000);
    server.faults = undefined;
    expect(await client.get('k')).toBeUndefined();
  });

  it('delays what comes in place of an answer', async () => {
    const clock = new ManualClock();
    await start({ clock, faults: () => ({ delay: 100, reply: 'SERVER_ERROR busy' }) });
    const call = client.get('k');
    while (clock.timers === 0) await turns();
    clock.advance(100);
    await expect(call).rejects.toThrow('busy');
  });

  it('delays a quit', async () => {
    const clock = new ManualClock();
    await start({ clock, faults: () => ({ delay: 100 }) });
    const socket = connect(server.port, '127.0.0.1').resume();
    socket.write('quit\r\n');
    while (clock.timers === 0) await turns();
    expect(socket.readableEnded).toBe(false);
    clock.advance(100);
    await once(socket, 'close');
  });
});

describe('drop', () => {
  it('executes the command, and leaves it and all later ones of its connection without an answer', async () => {
    await start({ faults: ({ key }) => (key === 'lost' ? { drop: true } : undefined) }, { timeout: 30 });
    const lost = client.set('lost', 'v');
    const later = client.get('fine');
    await expect(lost).rejects.toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'maybeExecuted' });
    await expect(later).rejects.toThrow(MemcacheTimeoutError);
    expect(server.store.find('lost')?.value).toBe('v');
    // A new connection is answered.
    expect(await client.get('fine')).toBeUndefined();
  });

  it('forgets a connection that its client closes', async () => {
    await start({ faults: () => ({ drop: true }) });
    const socket = connect(server.port, '127.0.0.1');
    socket.end('version\r\n');
    let text = '';
    socket.setEncoding('latin1').on('data', (data: string) => (text += data));
    await once(socket, 'close');
    expect(text).toBe('');
  });
});

describe('closeAfter', () => {
  it('closes in the middle of an answer', async () => {
    await start();
    await client.set('k', 'value');
    const cut = 'VALUE k'.length;
    const seen: FaultyCommand[] = [];
    server.faults = (command) => {
      seen.push(command);
      return seen.length === 1 ? { closeAfter: cut } : undefined;
    };
    await expect(client.get('k')).rejects.toThrow(MemcacheUnexpectedCloseError);
    expect(await client.get('k')).toBe('value');
    expect(seen).toEqual([
      { verb: 'get', key: 'k', line: 'get k', connection: 1 },
      { verb: 'get', key: 'k', line: 'get k', connection: 2 },
    ]);
  });

  it.each([0, 7, 100])('sends %d bytes, and those before', async (count) => {
    await start({ faults: ({ verb }) => (verb === 'get' ? { closeAfter: count } : undefined) });
    const socket = connect(server.port, '127.0.0.1').setEncoding('latin1');
    let text = '';
    socket.on('data', (data: string) => (text += data));
    socket.write('set k 0 0 1\r\n1\r\nget k\r\nversion\r\n');
    await once(socket, 'close');
    expect(text).toBe('STORED\r\n' + 'VALUE k 0 1\r\n1\r\nEND\r\n'.slice(0, count));
  });
});

describe('reset', () => {
  it('resets the connection', async () => {
    await start({ faults: ({ verb }) => (verb === 'delete' ? { reset: true } : undefined) });
    await client.set('k', 'v');
    await expect(client.delete('k')).rejects.toMatchObject({ certainty: 'maybeExecuted', cause: { code: 'ECONNRESET' } });
    expect(server.store.find('k')).toBeUndefined();
    expect(await client.get('k')).toBeUndefined();
  });

  it.each([0, 10])('closes it on a unix socket and under TLS, where there is no reset, after %i ms', async (delay) => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
    const read = (name: string): Buffer => readFileSync(join(__dirname, '../fixtures', name));
    const tls = { cert: read('certificate.pem'), key: read('key.pem') };
    for (const options of [{ path: join(folder, 'socket') }, { tls }]) {
      await start({ ...options, faults: ({ verb }) => (verb === 'delete' ? { reset: true, delay } : undefined) }, 'tls' in options ? { tls: { rejectUnauthorized: false } } : {});
      await client.set('k', 'v');
      await expect(client.delete('k')).rejects.toThrow(MemcacheUnexpectedCloseError);
      expect(server.store.size).toBe(0);
      await Promise.all([client.close(), server.close()]);
    }
    rmSync(folder, { recursive: true });
  });
});

describe('reply', () => {
  it('is answered, and the command is not executed', async () => {
    await start({ faults: ({ verb }) => (verb === 'set' ? { reply: 'SERVER_ERROR out of memory storing object' } : undefined) });
    await expect(client.set('k', 'v')).rejects.toThrow(MemcacheServerError);
    expect(server.store.size).toBe(0);
    // The connection is as good as before.
    expect(await client.add('k', 'v')).toBe(true);
    expect(server.store.size).toBe(1);
  });

  it('may be what no server says', async () => {
    await start({ faults: () => ({ reply: 'HTTP/1.1 400 Bad Request' }) });
    await expect(client.get('k')).rejects.toThrow(MemcacheUnknownError);
  });

  it('is not given to one who wants none', async () => {
    await start({ faults: ({ key }) => (key === 'k' ? { reply: 'SERVER_ERROR no' } : undefined) });
    await client.set('k', 'v', { noreply: true });
    expect(await client.get('other')).toBeUndefined();
    expect(server.store.size).toBe(0);
  });

  it('may be cut off', async () => {
    await start({ faults: () => ({ reply: 'SERVER_ERROR busy', closeAfter: 6 }) });
    await expect(client.get('k')).rejects.toThrow(MemcacheUnexpectedCloseError);
  });
});

describe('the function', () => {
  it('is told what the client says, of every kind of command', async () => {
    const seen: (readonly [string, string | undefined])[] = [];
    await start({
      faults: ({ verb, key }) => {
        seen.push([verb, key]);
        return undefined;
      },
    });
    await client.gat('a', 10);
    await client.metaGet('b');
    await client.version();
    await client.flushAll();
    await client.set('c', 'x');
    expect(seen).toEqual([
      ['gat', 'a'],
      ['mg', 'b'],
      ['version', undefined],
      ['flush_all', undefined],
      ['set', 'c'],
    ]);
  });

  it('is changed while connections are open', async () => {
    await start();
    expect(server.faults).toBeUndefined();
    await client.set('k', 'v');
    server.faults = () => ({ reply: 'SERVER_ERROR down' });
    await expect(client.get('k')).rejects.toThrow('down');
    server.faults = undefined;
    expect(await client.get('k')).toBe('v');
  });

  it('is told when it is misspelt, or not legal', async () => {
    const misspelt = { dely: 5, drop: false };
    await start({ faults: ({ key }) => (key === 'a' ? misspelt : { closeAfter: -1 }) });
    await expect(client.get('a')).rejects.toThrow('faults: there is no option "dely"');
    await expect(client.get('b')).rejects.toThrow('faults: closeAfter must be a whole number');
  });

  it('ends the connection, not the server, when it throws', async () => {
    await start({
      faults: () => {
        throw new Error('a mistake of the test');
      },
    });
    await expect(client.get('k')).rejects.toThrow(MemcacheUnexpectedCloseError);
    server.faults = undefined;
    expect(await client.get('k')).toBeUndefined();
  });
});
