import { Client } from '../../src';
import { fetchPackages } from '../../tools/fetched';
import { insist } from '../support/busy-machine';
import { describeWithMemcached } from '../support/describe';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { runProgram, runSpec, startWebServer, Visitor, type WebServer } from './program';

const keyv6 = fetchPackages('keyv@6');
const otel3 = fetchPackages('@opentelemetry/api@1.10', '@opentelemetry/sdk-trace@3', '@opentelemetry/sdk-metrics@3', '@opentelemetry/context-async-hooks@3');

/** Adapters in the hands of the frameworks that they are made for, each in processes of its own. */
describeWithMemcached('over memcached', () => {
  let memcached: MemcachedProcess;
  let client: Client;

  beforeAll(async () => {
    memcached = await startMemcached();
    client = new Client(memcached.address);
  });
  afterAll(async () => {
    await client.close();
    await memcached.stop();
  });

  it.each(['Client', 'EmbeddedClient'])("Keyv's own tests of a store pass, less those of the iterator, with %s", async (CLIENT_CLASS) => {
    expect(await runSpec('keyv.spec.mjs', memcached.address, { CLIENT_CLASS })).toEqual({ total: 38, failed: [] });
  });

  (keyv6.folder === undefined ? it.skip : it)(keyv6.reason ?? 'Keyv 6 leaves namespaces to the store, and what fails is a miss also where nobody listens', async () => {
    expect(await runProgram('keyv-6.mjs', memcached.address, { FOLDER: keyv6.folder ?? '' })).toEqual({
      stored: [1, 2, 3],
      cleared: [null, 2, 3],
      many: [[true, true], [1, 2, null], [true, false]],
      expired: [null, false],
      failed: [null, false, false, 'MEMCACHE_CONNECT'],
    });
  });

  (otel3.folder === undefined ? it.skip : it)(otel3.reason ?? 'OpenTelemetry 3 is told of calls, below the span that is active, and counts them', async () => {
    expect(await runProgram('opentelemetry-3.mjs', memcached.address, { FOLDER: otel3.folder ?? '' })).toEqual({
      told: ['get 2 2 true', 'get 2 MEMCACHE_CONNECT true', 'get 2 hit true', 'set 2 stored true'],
      counted: ['db.client.connection.count', 'db.client.connection.create_time', 'db.client.operation.duration'],
    });
  });

  it("unstorage's own cases of a driver pass, less those that list keys", async () => {
    expect(await runSpec('unstorage.spec.mjs', memcached.address)).toEqual({ total: 14, failed: [] });
  });

  it('cache-manager wraps: one load for two processes, and clear reaches both', async () => {
    expect(await runProgram('cache-manager.mjs', memcached.address)).toEqual({
      loads: 1,
      wrapped: [{ load: 1 }, { load: 1 }, { load: 1 }],
      many: [1, [2], null],
      deleted: null,
      cleared: null,
      open: true,
    });
  });

  it('Nest starts with it, and closes no client', async () => {
    expect(await runProgram('nest.mjs', memcached.address)).toEqual({ value: { name: 'Ada' }, open: true });
  });

  describe.each(['express', 'fastify'])('sessions of %s in two processes', (FRAMEWORK) => {
    let servers: WebServer[];
    let one: string;
    let two: string;

    beforeAll(async () => {
      servers = await Promise.all([1, 2].map(() => startWebServer('session-server.mjs', memcached.address, { FRAMEWORK })));
      [one = '', two = ''] = servers.map(({ url }) => url);
    });
    afterAll(() => Promise.all(servers.map((server) => server.stop())));

    it('a session of 60 days is there for both, for 60 days', async () => {
      await client.flushAll();
      const visitor = new Visitor();
      await visitor.get(`${one}/login?user=Ada`);
      expect(await visitor.get(`${two}/read`)).toBe('Ada');
      const id = decodeURIComponent(visitor.cookie).replace(/^[^=]*=(?:s:)?/, '').replace(/\.[^.]*$/, '');
      expect((await client.metaGet(`sess:${id}`, { ttl: true }))?.ttl).toBeGreaterThan(60 * 86_400 - 60);
    });

    it.each(FRAMEWORK === 'fastify' ? ['no', 'yes'] : ['no'])('no save is lost to a request that only reads, under load (rolling: %s)', async (ROLLING) => {
      // It is the default of @fastify/session to save after every request.
      const rolling = ROLLING === 'no' ? [] : await Promise.all([1, 2].map(() => startWebServer('session-server.mjs', memcached.address, { FRAMEWORK, ROLLING })));
      const [one = '', two = ''] = (ROLLING === 'no' ? servers : rolling).map(({ url }) => url);
      const visitors = Array.from({ length: 20 }, () => new Visitor());
      await Promise.all(visitors.map((visitor, index) => visitor.get(`${one}/login?user=u${index}`)));
      for (let round = 0; round < 5; round++) {
        await Promise.all(
          visitors.flatMap((visitor) => [
            visitor.get(`${one}/read?wait=30`),
            visitor.get(`${two}/save?name=round&value=${round}`),
            visitor.get(`${two}/read?wait=15`),
          ]),
        );
        const sessions = await Promise.all(visitors.map((visitor) => visitor.get(`${one}/all`)));
        expect(sessions).toEqual(visitors.map((_, index) => ({ user: `u${index}`, round: String(round) })));
      }
      await Promise.all(rolling.map((server) => server.stop()));
    });

    it.each(FRAMEWORK === 'fastify' ? ['no', 'yes'] : ['no'])('who has logged out stays out, whatever was under way (rolling: %s)', async (ROLLING) => {
      const rolling = ROLLING === 'no' ? [] : await Promise.all([1, 2].map(() => startWebServer('session-server.mjs', memcached.address, { FRAMEWORK, ROLLING })));
      const [one = '', two = ''] = (ROLLING === 'no' ? servers : rolling).map(({ url }) => url);
      const visitors = Array.from({ length: 20 }, () => new Visitor());
      await Promise.all(visitors.map((visitor) => visitor.get(`${one}/login?user=Ada`)));
      const cookies = visitors.map(({ cookie }) => cookie);
      await Promise.all(
        cookies.flatMap((cookie) => [
          new Visitor(cookie).get(`${one}/save?name=late&value=1&wait=60`),
          new Visitor(cookie).get(`${two}/save?name=late&value=2&wait=60`),
          new Visitor(cookie).get(`${one}/read?wait=60`),
          new Promise((resolve) => setTimeout(resolve, 20)).then(async () => {
            await new Visitor(cookie).get(`${two}/logout`);
            // Both processes learn that it is gone, while the requests that will save are still under way.
            await Promise.all([one, two].map((url) => new Visitor(cookie).get(`${url}/read`)));
          }),
        ]),
      );
      for (const url of [one, two]) {
        expect(await Promise.all(cookies.map((cookie) => new Visitor(cookie).get(`${url}/read`)))).toEqual(cookies.map(() => null));
      }
      await Promise.all(rolling.map((server) => server.stop()));
    });

    if (FRAMEWORK === 'express') {
      it('with rolling: true a session lives as long as it is used, also when it is only read, and then saved', async () => {
        let seconds = 1.5;
        await insist(async () => {
          // A machine that is late by more than that is given more time.
          seconds *= 2;
          const rolling = await Promise.all([1, 2].map(() => startWebServer('session-server.mjs', memcached.address, { FRAMEWORK, ROLLING: 'yes', MAX_AGE: `${seconds * 1000}` })));
          try {
            const [one = '', two = ''] = rolling.map(({ url }) => url);
            const visitor = new Visitor();
            await visitor.get(`${one}/login?user=Ada`);
            for (const url of [two, one, two, one]) {
              await new Promise((resolve) => setTimeout(resolve, seconds * 400));
              expect(await visitor.get(`${url}/read`)).toBe('Ada');
            }
            const header = (await fetch(`${two}/keep`, { headers: { cookie: visitor.cookie } })).headers.get('set-cookie') ?? '';
            expect(header).toMatch(/; Path=\/; Expires=[^;]+; HttpOnly$/);
            expect(Date.parse(/Expires=([^;]+)/.exec(header)?.[1] ?? '')).toBeGreaterThan(Date.now());
            expect(await visitor.get(`${one}/read`)).toBe('Ada');
          } finally {
            await Promise.all(rolling.map((server) => server.stop()));
          }
        }, () => true, 4);
      });

      it('reload and regenerate work as with a store that extends the one of express-session', async () => {
        const visitor = new Visitor();
        await visitor.get(`${one}/login?user=Ada`);
        const { cookie } = visitor;
        expect(await visitor.get(`${two}/reload`)).toBe('Ada');
        expect(await visitor.get(`${two}/regenerate`)).toBeNull();
        expect(await new Visitor(cookie).get(`${one}/read`)).toBeNull();
      });
    }
  });
});
