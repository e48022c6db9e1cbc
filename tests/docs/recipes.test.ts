import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileFunction } from 'node:vm';
import { Linter } from 'eslint';
import * as ts from 'typescript';
import { Client, HashClient, type CacheValue } from '../../src';
import { MemcachedServer } from '../../src/server';
import { rejection } from '../support/contract';
import { failure } from '../support/rejection';
import { describeWithMemcached } from '../support/describe';
import { FreezingRelay } from '../support/freezing-relay';
import { freePort, startMemcached } from '../support/memcached';

const recipes = readFileSync(join(__dirname, '../../docs/recipes.md'), 'utf8');

/** The function of this name in the recipes, as it stands there, with what it finds around it. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the recipe
function recipe<F>(name: string, around: Readonly<Record<string, unknown>>): F {
  const source = new RegExp(`^async function ${name}\\b.*?^}$`, 'ms').exec(recipes)?.[0];
  if (source === undefined) throw new Error(`there is no recipe ${name}`);
  const { outputText } = ts.transpileModule(`${source}\nreturn ${name};`, { compilerOptions: { target: ts.ScriptTarget.ES2022 } });
  const make = compileFunction(outputText, Object.keys(around)) as (...values: unknown[]) => F;
  return make(...Object.values(around));
}

type Refreshed = <T extends CacheValue>(key: string, load: () => Promise<T>) => Promise<T>;

function refresher(client: Client, lease = 30): Refreshed {
  return recipe<Refreshed>('refreshed', { client, sleep, LEASE: lease });
}

const servers: [string, () => Promise<{ address: string; stop(): Promise<void> }>][] = [
  ['the embedded server', async () => {
    const server = await MemcachedServer.start();
    return { address: server.address, stop: () => server.close() };
  }],
];

/** Loads that take a moment, counted. */
class Source {
  loads = 0;
  version = 1;
  /** What a load that begins now waits for, in place of that moment. */
  until: Promise<void> | undefined;

  readonly load = async (): Promise<number> => {
    this.loads++;
    const { version } = this;
    await (this.until ?? sleep(60));
    return version;
  };
}

function describeRecipe(start: () => Promise<{ address: string; stop(): Promise<void> }>): void {
  let server: { address: string; stop(): Promise<void> };
  let client: Client;
  beforeEach(async () => {
    server = await start();
    client = new Client(server.address);
  });
  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  it('50 cold callers load once', async () => {
    const source = new Source();
    const refreshed = refresher(client);
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => refreshed('k', source.load))))).toEqual(new Set([1]));
    expect(source.loads).toBe(1);
    expect(await client.get('k')).toBe(1);
  });

  it('what is deleted while it is loaded is not stored, and those that wait load anew', async () => {
    const source = new Source();
    const refreshed = refresher(client);
    const first = refreshed('k', source.load);
    while (source.loads === 0) await sleep(1);
    source.version = 2;
    await client.delete('k');
    const others = Promise.all(Array.from({ length: 20 }, () => refreshed('k', source.load)));
    expect(await first).toBe(1);
    expect(new Set(await others)).toEqual(new Set([2]));
    expect([await client.get('k'), source.loads]).toEqual([2, 2]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['deleted', () => client.delete('k')],
    ['marked', () => client.metaDelete('k', { invalidate: true, expire: 30 })],
  ])('the same when it is %s while it is refreshed', async (_, change) => {
    const source = new Source();
    const refreshed = refresher(client);
    await client.set('k', 0, { expire: 10 });
    let finish = (): void => undefined;
    source.until = new Promise((resolve) => {
      finish = resolve;
    });
    const winner = refreshed('k', source.load);
    while (source.loads === 0) await sleep(1);
    source.until = undefined;
    expect(await refreshed('k', source.load)).toBe(0);
    source.version = 2;
    await change();
    finish();
    expect(await winner).toBe(1);
    expect(await client.get('k')).not.toBe(1);
    await refreshed('k', source.load);
    expect(await client.get('k')).toBe(2);
  });

  it('a load that fails lets the next one try at once', async () => {
    const source = new Source();
    const refreshed = refresher(client);
    const error = new Error('no database');
    const failed = rejection(refreshed('k', () => Promise.reject(error)));
    const waiting = refreshed('k', source.load);
    expect(await failed).toBe(error);
    expect(await waiting).toBe(1);
  });
}

describe('one refresher', () => {
  describe.each(servers)('over %s', (_, start) => {
    describeRecipe(start);
  });
  describeWithMemcached('over memcached', () => {
    describeRecipe(startMemcached);
  });

  it('loads for every caller when the cache is down', async () => {
    const source = new Source();
    const client = new Client(`127.0.0.1:${await freePort()}`, { retryTimeout: 1000 });
    const refreshed = refresher(client);
    expect(await Promise.all([refreshed('k', source.load), refreshed('k', source.load)])).toEqual([1, 1]);
    expect(source.loads).toBe(2);
    await client.close();
  });
});

it('the rate limit lets everybody pass when the cache is down', async () => {
  type Allowed = (user: string, limit: number) => Promise<boolean>;
  const server = await MemcachedServer.start();
  const up = new Client(server.address);
  const allowed = recipe<Allowed>('allowed', { client: up });
  expect([await allowed('ada', 2), await allowed('ada', 2), await allowed('ada', 2)]).toEqual([true, true, false]);
  await up.close();
  await server.close();
  const down = new Client(server.address);
  expect(await recipe<Allowed>('allowed', { client: down })('ada', 0)).toBe(true);
  await down.close();
});

it('a handler that closes its client loses no call to a freeze; one that does not, does', async () => {
  const server = await MemcachedServer.start();
  const relay = await FreezingRelay.start(server.port);
  const client = new HashClient([relay.address], { retryTimeout: 60_000 });
  await client.set('user:1', 'Ada');
  relay.freeze();
  expect((await failure(client.get('user:1'))).code).toBe('MEMCACHE_UNEXPECTED_CLOSE');
  expect((await failure(client.get('user:1'))).code).toBe('MEMCACHE_CONNECT');

  const closed = new HashClient([relay.address]);
  const handler = recipe<(event: { id: string }) => Promise<unknown>>('handler', { client: closed });
  for (let i = 0; i < 3; i++) {
    expect(await handler({ id: '1' })).toBe('Ada');
    relay.freeze();
  }
  await client.close();
  await relay.close();
  await server.close();
});

it('the rule for ESLint finds pairs that are given for several keys, and nothing else', () => {
  const source = /export const noPairs = (\{.*?^\});/ms.exec(recipes)?.[1] ?? '';
  const make = compileFunction(`return ${source}`) as () => Linter.RulesRecord;
  const rules = make();
  const found = (code: string): number => new Linter().verify(code, [{ rules }]).length;
  for (const code of ["client.get(['a', 'b'])", "await client.gets(['a', b], { signal })", "this.client.gat(['a', 'b'], 60)", "client.gats(['a', 'b'], 60)"]) {
    expect([code, found(`async () => { ${code}; }`)]).toEqual([code, 1]);
  }
  for (const code of ["client.get('a')", 'client.get(pair)', "client.getMany(['a', 'b'])", "client.set('a', ['b', 'c'])", "get(['a', 'b'])", "client.get('a', ['b', 'c'])"]) {
    expect([code, found(code)]).toEqual([code, 0]);
  }
});
