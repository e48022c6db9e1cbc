import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Client, HashClient, PooledClient, type ClientOptions } from '../../src';
import { MemcachedServer } from '../../src/server';
import { TestAuthority, type Identity } from '../support/certificates';
import { failure } from '../support/contract';
import { describeWithOpenssl } from '../support/describe';
import { startMemcached } from '../support/memcached';

type LookupDone = (error: null, addresses: dns.LookupAddress[]) => void;

describeWithOpenssl('TLS', () => {
  let authority: TestAuthority;
  let stranger: TestAuthority;
  let localhost: Identity;
  let server: MemcachedServer;

  beforeAll(async () => {
    authority = new TestAuthority('the authority');
    stranger = new TestAuthority('a stranger');
    localhost = authority.sign('DNS:localhost,IP:127.0.0.1');
    server = await MemcachedServer.start({ tls: localhost });
  });
  afterAll(async () => {
    await server.close();
    authority.remove();
    stranger.remove();
  });

  async function withClient<R>(options: ClientOptions, use: (client: Client) => Promise<R>, port = server.port): Promise<R> {
    const client = new Client(['localhost', port], options);
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  }

  it('trusts the authority it is given, and carries everything', async () => {
    await withClient({ tls: { ca: authority.ca } }, async (client) => {
      const large = Buffer.alloc(900_000, 'abc');
      expect(await client.setMany({ a: 'A', b: 'B', large })).toEqual([]);
      expect(await Promise.all([client.get('a'), client.get('none'), client.get('b')])).toEqual(['A', undefined, 'B']);
      expect(large.equals((await client.get<Buffer>('large')) ?? Buffer.alloc(0))).toBe(true);
      await client.quit();
      expect(await client.get('a')).toBe('A');
    });
  });

  it('is there for pools and clusters, by the address, too', async () => {
    const tls = { ca: authority.ca };
    for (const client of [
      new PooledClient(`memcacheds://localhost:${server.port}`, { tls }),
      new HashClient([`memcacheds://127.0.0.1:${server.port}`], { tls }),
    ]) {
      expect(await client.set('k', 'v')).toBe(true);
      expect(await client.get('k')).toBe('v');
      await client.close();
    }
  });

  it.each<[string, () => ClientOptions, RegExp]>([
    ['verifies by default', () => ({ tls: true }), /self-signed|unable to|issuer/],
    ['trusts no other authority', () => ({ tls: { ca: stranger.ca } }), /self-signed|unable to|issuer|signature/],
    ['insists on the name', () => ({ tls: { ca: authority.ca, servername: 'example.org' } }), /example\.org/],
    ['tells that an authority is no certificate', () => ({ tls: { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } }), /./],
  ])('%s', async (_, options, message) => {
    const error = await withClient(options(), (client) => failure(client.get('k')));
    expect(error).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent', server: `localhost:${server.port}` });
    expect(error.message).toMatch(message);
  });

  it.each<[string, () => ClientOptions]>([
    ['of nobody that is known', () => ({ tls: true })],
    ['of another authority', () => ({ tls: { ca: stranger.ca } })],
    ['of another name', () => ({ tls: { ca: authority.ca, servername: 'example.org' } })],
  ])('a certificate %s is a matter of the option tls, not of a server that is not there', async (_, options) => {
    const error = await withClient(options(), (client) => failure(client.get('k')));
    expect(error.message).toMatch(/^cannot connect to .*certificate.*; see the option tls$/);
  });

  it('a server without TLS is named as one, in one line', async () => {
    const plain = await startMemcached();
    const client = new Client(plain.address, { tls: true });
    const error = await failure(client.get('k'));
    expect(error.message).toMatch(/^cannot connect to .*; is a memcached with TLS running there\?$/);
    await client.close();
    await plain.stop();
  });

  it('verifies nothing only when it is told so in as many words', async () => {
    expect(await withClient({ tls: { rejectUnauthorized: false } }, (client) => client.set('k', 'v'))).toBe(true);
  });

  it('sends the name it was configured with, and shows the certificate it was given', async () => {
    const seen: unknown[] = [];
    const both = createTlsServer({ ...localhost, ca: authority.ca, requestCert: true, rejectUnauthorized: true }, (socket) => {
      seen.push(socket.servername, socket.authorized);
      const upstream = connect(plain.port, '127.0.0.1');
      upstream.pipe(socket).pipe(upstream);
      socket.on('error', () => undefined);
    });
    const plain = await MemcachedServer.start();
    await once(both.listen(0, '127.0.0.1'), 'listening');
    const { port } = both.address() as AddressInfo;
    const identity = authority.sign('DNS:client');
    expect(await withClient({ tls: { ca: authority.ca, ...identity } }, (client) => client.set('k', 'v'), port)).toBe(true);
    expect(seen).toEqual(['localhost', true]);
    // TLS 1.3 tells a client only afterwards that its certificate is missing.
    const error = await withClient({ tls: { ca: authority.ca } }, (client) => failure(client.get('k')), port);
    expect(['MEMCACHE_CONNECT', 'MEMCACHE_UNEXPECTED_CLOSE']).toContain(error.code);
    expect(seen).toHaveLength(2);
    both.close();
    await plain.close();
  });

  it('sends a name without the dot that says that it is complete, and verifies it', async () => {
    const seen: unknown[] = [];
    const named = createTlsServer(localhost, (socket) => {
      seen.push(socket.servername);
      socket.on('data', () => socket.write('END\r\n')).on('error', () => undefined);
    });
    await once(named.listen(0, '127.0.0.1'), 'listening');
    // Not every resolver finds this name.
    const lookup = jest.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: unknown, done: LookupDone) => {
      process.nextTick(done, null, [{ address: '127.0.0.1', family: 4 }]);
    }) as typeof dns.lookup);
    const client = new Client(['localhost.', (named.address() as AddressInfo).port], { tls: { ca: authority.ca } });
    expect(await client.get('k')).toBeUndefined();
    expect([seen, lookup.mock.lastCall?.[0]]).toEqual([['localhost'], 'localhost.']);
    lookup.mockRestore();
    await client.close();
    named.close();
  });

  it('a server without TLS is told apart within the time to connect', async () => {
    const plain = await MemcachedServer.start();
    const error = await withClient({ tls: { ca: authority.ca }, connectTimeout: 500 }, (client) => failure(client.get('k')), plain.port);
    expect(error).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
    await plain.close();
  });

  describe('a server that wants a certificate of ours', () => {
    const classes: [string, (port: number, options: ClientOptions) => Client][] = [
      ['Client', (port, options) => new Client(['localhost', port], options)],
      ['PooledClient', (port, options) => new PooledClient(['localhost', port], options)],
      ['HashClient', (port, options) => new HashClient([['localhost', port]], options)],
    ];

    /** With TLS 1.3 a client takes the connection for made before the server has seen its certificate. */
    async function refusal(make: (port: number, options: ClientOptions) => Client, port: number, identity?: Identity): Promise<unknown> {
      const client = make(port, { tls: { ca: authority.ca, ...identity }, timeout: 20_000, connectTimeout: 20_000 });
      const errors = await Promise.all([client.set('k', Buffer.alloc(300_000)), client.get('k')].map(failure));
      expect(errors[1]).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
      await client.close();
      return errors[0];
    }

    it.each(classes)('and gets none says so: %s', async (_, make) => {
      const wanting = createTlsServer({ ...localhost, ca: authority.ca, requestCert: true, minVersion: 'TLSv1.3' });
      wanting.on('tlsClientError', () => undefined);
      await once(wanting.listen(0, '127.0.0.1'), 'listening');
      expect(await refusal(make, (wanting.address() as AddressInfo).port)).toMatchObject({
        code: 'MEMCACHE_CONNECT',
        certainty: 'notSent',
        message: expect.stringMatching(/^cannot connect to localhost:\d+: .*alert certificate required.*; see the option tls$/) as string,
      });
      wanting.close();
    });

    it.each(classes)('and gets one that it does not trust says so: %s', async (_, make) => {
      const folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
      for (const [name, content] of Object.entries({ ...localhost, ca: authority.ca })) writeFileSync(join(folder, name), content);
      const options = ['-accept', '127.0.0.1:0', '-cert', 'cert', '-key', 'key', '-CAfile', 'ca', '-Verify', '1', '-verify_return_error', '-tls1_3'];
      const wanting = spawn('openssl', ['s_server', ...options], { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] });
      let output = '';
      while (!/^ACCEPT .*:\d+\s/m.test(output)) output += String((await once(wanting.stdout, 'data'))[0]);
      const port = Number(/^ACCEPT .*:(\d+)/m.exec(output)?.[1]);
      expect(await refusal(make, port, stranger.sign('DNS:client'))).toMatchObject({
        code: 'MEMCACHE_CONNECT',
        certainty: 'notSent',
        message: expect.stringMatching(/: .*alert unknown ca.*; see the option tls$/) as string,
      });
      wanting.kill();
      await once(wanting, 'close');
      rmSync(folder, { recursive: true });
    });
  });

  it('a handshake that stalls ends with the time to connect', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const error = await withClient({ tls: true, connectTimeout: 100, timeout: 5000 }, (client) => failure(client.get('k')), port);
    expect(error).toMatchObject({ code: 'MEMCACHE_CONNECT', certainty: 'notSent' });
    expect(error.message).toContain('100 ms');
    silent.close();
  });

  it('a client without TLS at a server with it gets an error, not a value', async () => {
    const client = new Client(server.address, { timeout: 500 });
    const error = await failure(client.get('k'));
    expect(error.certainty).toBe('maybeExecuted');
    await client.close();
  });
});
