/** Servers of every age, by the words they use; tests/client/contract.test.ts runs over whatever memcached is there. */
import { Client, HashClient, MetaCommand, TypedSerde, VersionedSerde, type Certainty } from '../../src';
import { failure } from '../support/contract';
import { eachWithScriptedServer } from '../support/describe';
import { ScriptedServer, type Script } from '../support/scripted-server';

let server: ScriptedServer;
eachWithScriptedServer((fresh) => {
  server = fresh;
  server.put('next', 'fine');
});

describe('the key noreply', () => {
  it('is deleted with a time after it', async () => {
    const client = new Client(server.address);
    server.next(async (connection) => {
      await connection.expect('delete noreply 0\r\ndelete a\r\ndelete a\r\ndelete noreply 0\r\n');
      await connection.send('DELETED\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\n');
      await connection.expect('delete noreply noreply\r\nversion\r\n');
      await connection.send('VERSION 1.6.45\r\n');
    });
    expect(await Promise.all([client.delete('noreply'), client.delete('a'), client.deleteMany(['a', 'noreply'])])).toEqual([true, true, 0]);
    expect(await client.delete('noreply', { noreply: true })).toBe(true);
    expect(await client.get('next')).toBe('fine');
    await client.close();
  });
});

describe('memcached 1.6.10 to 1.6.17, which says EN alone', () => {
  it('a miss is a miss', async () => {
    const client = new Client(server.address);
    server.next(async (connection) => {
      await connection.expectMatch(/^mg a .*\r\nmg b .*\r\nmg c .*\r\nmn\r\n/);
      await connection.send('EN\r\nEN\r\nEN\r\nMN\r\n');
    });
    const results = [client.metaGet('a'), client.metaGet('b', { opaque: 'mine' }), client.executeMeta(new MetaCommand('mg', 'c', ['v', 'q']))];
    expect(await Promise.all(results)).toMatchObject([undefined, undefined, { code: 'EN' }]);
    expect(await client.get('next')).toBe('fine');
    expect(server.connections).toHaveLength(1);
    await client.close();
  });
});

describe('a server without meta commands, or without gat', () => {
  type Call = (client: Client) => Promise<unknown>;
  const calls: readonly (readonly [name: string, call: Call, needs: string])[] = [
    ['metaGet', (c) => c.metaGet('k'), '1.6.0'],
    ['metaGet of much', (c) => c.metaGet('k', { cas: true, ttl: true, expire: 60, vivify: 30 }), '1.6.0'],
    ['metaDelete', (c) => c.metaDelete('k'), '1.6.0'],
    ['metaDelete with a token', (c) => c.metaDelete('k', { cas: '1', invalidate: true, expire: 3 }), '1.6.0'],
    ['metaArithmetic', (c) => c.metaArithmetic('k'), '1.6.0'],
    ['metaDebug', (c) => c.metaDebug('k'), '1.6.0'],
    ['metaNoop', (c) => c.metaNoop(), '1.6.0'],
    ['executeMeta', (c) => c.executeMeta(new MetaCommand('mg', 'k', ['v'])), '1.6.0'],
    ['executeMeta of a quiet command', (c) => c.executeMeta(new MetaCommand('mg', 'k', ['v', 'q'])), '1.6.0'],
    ['gat', (c) => c.gat('k', 1), '1.5.3'],
    ['gats', (c) => c.gats('k', 1), '1.5.3'],
  ];

  /** Answers each line of meta commands and gat in the words of a version, and leaves the rest to a real session. */
  const inWords = (words: (line: string) => string, version: string): Script => async (connection) => {
    for (;;) {
      const [, line = ''] = await connection.expectMatch(/^([^\r]*)\r\n/);
      if (/^m[gda] k|^me k|^mn|^gats? 1 k/.test(line)) await connection.send(words(line));
      else if (line === 'version') await connection.send(`VERSION ${version}\r\n`);
      else if (line === 'get next') await connection.send('VALUE next 16 4\r\nfine\r\nEND\r\n');
      else return;
    }
  };
  const unknown = (): string => 'ERROR\r\n';
  const firstDialect = (line: string): string => {
    if (line === 'mn' || line.startsWith('me')) return 'EN\r\n';
    if (line.startsWith('ma')) return 'ERROR\r\n';
    return line.split(' ').length > 3 ? 'CLIENT_ERROR incorrect number of tokens supplied\r\n' : 'CLIENT_ERROR invalid or duplicate flag\r\n';
  };

  it.each(calls)('%s, answered by ERROR', async (name, call, needs) => {
    server.next(inWords(unknown, '1.4.39'));
    await expectRefused(call, needs, name === 'metaDebug' ? 'notSent' : 'executed');
  });

  const inFirstDialect = calls.filter(([name]) => !/^gats?$|metaDebug/.test(name));
  it.each(inFirstDialect)('%s, as memcached 1.5.19 to 1.5.22 puts it', async (_, call, needs) => {
    server.next(inWords(firstDialect, '1.5.22'));
    await expectRefused(call, needs, 'executed');
  });

  it('metaDebug is not sent to memcached 1.5.22, which answers it by one line too many', async () => {
    server.next(inWords((line) => (line === 'me k' ? 'ME k exp=-1 la=0 cas=1 fetch=no cls=1 size=61\r\nEN\r\n' : 'ERROR\r\n'), '1.5.22'));
    await expectRefused((c) => c.metaDebug('k'), '1.6.0', 'notSent');
  });

  async function expectRefused(call: Call, needs: string, certainty: Certainty): Promise<void> {
    const client = new Client(server.address);
    const [before, error, behind, more] = await Promise.all([client.get('next'), failure(call(client)), client.get('next'), failure(call(client))]);
    expect([before, behind, await client.get('next')]).toEqual(['fine', 'fine', 'fine']);
    for (const each of [error, more]) {
      expect(each).toMatchObject({ code: 'MEMCACHE_UNKNOWN_COMMAND', certainty });
      expect(each.message).toContain(`needs memcached ${needs} or newer`);
    }
    expect(server.connections).toHaveLength(1);
    await client.close();
  }

  it('gats that share a line are all told by one ERROR, and the connection stays', async () => {
    server.next(async (connection) => {
      await connection.expectMatch(/^gat 1 a b c\r\nget next\r\n/);
      await connection.send('ERROR\r\nVALUE next 16 4\r\nfine\r\nEND\r\n');
      await inWords(unknown, '1.4.39')(connection);
    });
    const client = new Client(server.address);
    const [a, b, c, next] = await Promise.allSettled([client.gat('a', 1), client.gat('b', 1), client.gat('c', 1), client.get('next')]);
    for (const gat of [a, b, c]) expect(gat).toMatchObject({ reason: { code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'executed' } });
    expect(next).toMatchObject({ value: 'fine' });
    expect(await client.get('next')).toBe('fine');
    expect(server.connections).toHaveLength(1);
    await client.close();
  });

  it('ERROR behind a value leaves the position in doubt', async () => {
    server.next(async (connection) => {
      await connection.expectMatch(/^gat 1 a b\r\n/);
      await connection.send('VALUE a 16 1\r\na\r\nERROR\r\nEND\r\n');
    });
    const client = new Client(server.address);
    const [a, b] = await Promise.allSettled([client.gat('a', 1), client.gat('b', 1)]);
    expect(a).toMatchObject({ value: 'a' });
    expect(b).toMatchObject({ reason: { code: 'MEMCACHE_UNKNOWN_COMMAND' } });
    server.next(inWords(unknown, '1.4.39'));
    expect(await client.get('next')).toBe('fine');
    expect(server.connections).toHaveLength(2);
    await client.close();
  });

  it('a command to all servers of a cluster that none of them knows is one error', async () => {
    const other = await ScriptedServer.start();
    for (const each of [server, other]) each.next(inWords(unknown, '1.4.39'));
    for (const servers of [[server.address], [server.address, other.address]]) {
      const client = new HashClient(servers);
      expect(await failure(client.metaNoop())).toMatchObject({ code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'executed', message: expect.stringContaining('needs memcached 1.6.0') as string });
      for (const each of [server, other]) each.next(inWords(unknown, '1.4.39'));
      await client.close();
    }
    await other.close();
  });

  it.each<[string, RegExp, Call]>([
    ['a flag that a later server does not know', /^md k x .*\r\n/, (c) => c.metaDelete('k', { removeValue: true })],
    ['a flag of 1.6.0 to 1.6.9', /^md k S9 .*\r\n/, (c) => c.executeMeta(new MetaCommand('md', 'k', ['S9']))],
    // Which the first dialect has not at all: all versions put any mistake in it like this.
    ['a mistake in ma', /^ma k Dx .*\r\n/, (c) => c.executeMeta(new MetaCommand('ma', 'k', ['Dx']))],
    ['another mistake in ma', /^ma k Nx .*\r\n/, (c) => c.executeMeta(new MetaCommand('ma', 'k', ['Nx']))],
  ])('%s is told in the words of the server', async (_, line, call) => {
    const client = new Client(server.address);
    server.next(async (connection) => {
      await connection.expectMatch(line);
      await connection.send('CLIENT_ERROR invalid or duplicate flag\r\n');
    });
    expect(await failure(call(client))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', message: 'invalid or duplicate flag' });
    await client.close();
  });

  describe('metaSet, whose value such a server would take for commands', () => {
    const sent: string[] = [];
    const serve = (version: string): Script => async (connection) => {
      for (;;) {
        const [, line = ''] = await connection.expectMatch(/^([^\r]*)\r\n/);
        sent.push(line);
        if (line === 'version') await connection.send(`VERSION ${version}\r\n`);
        else if (line === 'get next') await connection.send('VALUE next 16 4\r\nfine\r\nEND\r\n');
        else if (line.startsWith('ms')) {
          await connection.expectMatch(/^[^\r]*\r\n/);
          await connection.send(`HD ${line.split(' ').at(-1) ?? ''}\r\n`);
        } else return;
      }
    };
    beforeEach(() => {
      sent.length = 0;
    });

    it.each(['1.4.39', '1.5.22', '1.5.3'])('is not sent to %s', async (version) => {
      server.next(serve(version));
      const client = new Client(server.address);
      const calls = [failure(client.metaSet('k', 'flush_all')), failure(client.executeMeta(new MetaCommand('ms', 'k', ['q'], 'flush_all')))];
      const [before, ...errors] = await Promise.all([client.get('next'), ...calls, failure(client.metaSet('k', 'flush_all'))]);
      for (const error of errors) {
        expect(error).toMatchObject({ code: 'MEMCACHE_UNKNOWN_COMMAND', certainty: 'notSent' });
        expect((error as Error).message).toContain('needs memcached 1.6.0 or newer');
      }
      expect([before, await client.get('next')]).toEqual(['fine', 'fine']);
      expect(sent).toEqual(['version', 'get next', 'get next']);
      // Between gets that share a line it is in nobody's way.
      const refused = (): Promise<unknown> => failure(client.metaSet('k', 'flush_all'));
      const [first, , second, , third] = await Promise.all([client.get('next'), refused(), client.get('next'), refused(), client.get('next')]);
      expect([first, second, third]).toEqual(['fine', 'fine', 'fine']);
      expect(server.connections).toHaveLength(1);
      await client.close();
    });

    it.each(['1.6.0', '1.6.45', '2.0.1', '1.10.0', 'UNKNOWN', 'mcrouter 41'])('asks %s for its version once', async (version) => {
      server.next(serve(version));
      const client = new Client(server.address);
      const results = await Promise.all([client.metaSet('k', 'a'), client.metaSet('k', 'b'), client.get('next'), client.metaSet('k', 'c')]);
      expect(results).toMatchObject([{ status: 'done' }, { status: 'done' }, 'fine', { status: 'done' }]);
      expect(sent.map((line) => line.split(' ')[0])).toEqual(['version', 'ms', 'ms', 'get', 'ms']);
      await client.close();
    });

    it('aborted, or too late, while the version is awaited', async () => {
      server.next(async (connection) => {
        await connection.expect('version\r\n');
        await connection.hold();
      });
      const client = new Client(server.address, { timeout: 200 });
      const abort = new AbortController();
      const aborted = client.metaSet('k', 'a', { signal: abort.signal }).catch((error: unknown) => error);
      const late = failure(client.metaSet('k', 'b'));
      setTimeout(() => { abort.abort('enough'); }, 50);
      expect(await aborted).toBe('enough');
      expect(await late).toMatchObject({ code: 'MEMCACHE_TIMEOUT', certainty: 'notSent' });
      expect(await client.get('next')).toBe('fine');
      await client.close();
    });
  });
});

describe('metaGet with a serde that says miss', () => {
  it('keeps what else was asked for', async () => {
    const old = new Client(server.address, { serde: new VersionedSerde(new TypedSerde(), 1) });
    const now = new Client(server.address, { serde: new VersionedSerde(new TypedSerde(), 2) });
    await old.set('k', 'old', { expire: 100 });
    expect(await now.get('k')).toBeUndefined();
    expect(await now.metaGet('k')).toBeUndefined();
    const item = await now.metaGet('k', { cas: true });
    expect(item).toMatchObject({ value: undefined, won: false });
    expect(await now.metaGet('k', { recache: 1000 })).toMatchObject({ value: undefined, won: true, recaching: false });
    expect(await now.metaGet('k', { recache: 1000 })).toMatchObject({ value: undefined, won: false, recaching: true });
    expect(await now.metaSet('k', 'new', { cas: item?.cas })).toMatchObject({ status: 'done' });
    expect(await now.metaGet('k')).toMatchObject({ value: 'new' });
    await Promise.all([old.close(), now.close()]);
  });
});
