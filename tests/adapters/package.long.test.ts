import { join } from 'node:path';
import { allInUserProject, type UserProject } from '../support/packed';

/** The entry points in a project that has none of the frameworks. */
describe('the packed adapters without any of their peers', () => {
  let project: UserProject;

  allInUserProject((made) => {
    project = made;
  });

  const body = `
    const client = new EmbeddedClient();
    const keyv = new KeyvMemcache(client);
    await keyv.set('k', 'v', 1000);
    const sessions = new MemcacheSessionStore(client);
    await new Promise((resolve) => sessions.set('id', { user: 'Ada' }, resolve));
    const session = await new Promise((resolve) => sessions.get('id', (_, found) => resolve(found)));
    const limits = new MemcacheRateLimitStore(client);
    await limits.increment('k');
    const driver = memcacheDriver({ client });
    await driver.setItem('k', 'v');
    const Handler = createCacheHandler(client);
    await new Handler().set('k', { kind: 'REDIRECT' });
    console.log(JSON.stringify([await keyv.get('k'), session.user, (await limits.increment('k')).totalHits, await driver.getItem('k'), (await new Handler().get('k')).value.kind]));
  `;
  const expected = ['v', 'Ada', 2, 'v', 'REDIRECT'];
  const names = { keyv: 'KeyvMemcache', session: 'MemcacheSessionStore', 'rate-limit': 'MemcacheRateLimitStore', next: 'createCacheHandler', embedded: 'EmbeddedClient' };

  it('work for import, the driver as the default export', () => {
    const imports = Object.entries(names).map(([entry, name]) => `import { ${name} } from 'tsmemcache/${entry}';`);
    project.write('adapters.mjs', `${imports.join('\n')}\nimport memcacheDriver, { memcacheDriver as byName } from 'tsmemcache/unstorage';\nif (byName !== memcacheDriver) throw new Error();\n${body}`);
    expect(JSON.parse(project.run(process.execPath, 'adapters.mjs'))).toEqual(expected);
  });

  it('work for require', () => {
    const requires = Object.entries({ ...names, unstorage: 'memcacheDriver' }).map(([entry, name]) => `const { ${name} } = require('tsmemcache/${entry}');`);
    project.write('adapters.cjs', `${requires.join('\n')}\n(async () => { ${body} })();`);
    expect(JSON.parse(project.run(process.execPath, 'adapters.cjs'))).toEqual(expected);
  });

  it('have types that need none of them', () => {
    project.write(
      'adapters.mts',
      `import { KeyvMemcache } from 'tsmemcache/keyv'; import { MemcacheSessionStore } from 'tsmemcache/session'; import { MemcacheRateLimitStore } from 'tsmemcache/rate-limit';
       import { createCacheHandler } from 'tsmemcache/next'; import memcacheDriver from 'tsmemcache/unstorage'; import { Client, HashClient, JsonSerde, RetryingClient, type CacheApi } from 'tsmemcache';
       const client = new RetryingClient(new HashClient(['localhost']));
       export const all = [new KeyvMemcache(client), new MemcacheSessionStore(client), new MemcacheRateLimitStore(client, { windowMs: 1 }), createCacheHandler(client), memcacheDriver({ client })];
       export const cache: CacheApi = client;
       // @ts-expect-error -- a client that stores users stores no strings
       new KeyvMemcache(new Client('localhost', { serde: new JsonSerde<{ name: string }>() }));
       // @ts-expect-error -- there is no such option
       new MemcacheSessionStore(client, { secret: 'x' });`,
    );
    project.run(process.execPath, require.resolve('typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--lib', 'es2023,esnext.disposable', '--module', 'node16',
      '--typeRoots', join(__dirname, '../../node_modules/@types'), '--types', 'node', 'adapters.mts');
  });
});
