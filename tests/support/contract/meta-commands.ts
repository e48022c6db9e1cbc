import { MemcacheIllegalInputError, MemcacheInexactNumberError, MetaCommand, type MetaArithmeticOptions } from '../../../src';
import { failure } from '../rejection';
import { aNumber, DAY, META, text, type ContractRun } from './contract-run';

export function describeMetaCommands(run: ContractRun): void {
  const { fresh, itSince, expectTtl } = run;
  describe('meta commands', () => {
    itSince(META, 'metaGet gives what is known about an item, undefined on a miss', async () => {
      const key = fresh();
      expect(await run.client.metaGet(key)).toBeUndefined();
      await run.client.set(key, 'value', { expire: 100 });
      const item = await run.client.metaGet(key, { cas: true, ttl: true, size: true, hitBefore: true, lastAccess: true });
      expect(item).toEqual({
        value: 'value',
        flags: 16,
        cas: (await run.client.gets(key))[1],
        ttl: aNumber,
        size: 5,
        hitBefore: false,
        lastAccess: aNumber,
        won: false,
        stale: false,
        recaching: false,
      });
      expect(await run.client.metaGet(key, { value: false })).toMatchObject({ value: undefined, flags: undefined });
      expect(await run.client.metaGet(key, { expire: 45 * DAY, ttl: true })).toMatchObject({ ttl: aNumber });
      await expectTtl(key, 45 * DAY - 5);
    });

    itSince(META, 'of those that miss together one is to fill the place', async () => {
      const key = fresh();
      expect(await run.client.metaGet(key, { vivify: 30 })).toMatchObject({ value: undefined, won: true, recaching: false });
      expect(await run.client.metaGet(key, { vivify: 30 })).toMatchObject({ value: undefined, won: false, recaching: true });
      await run.client.set(key, 'filled');
      expect(await run.client.metaGet(key, { vivify: 30 })).toMatchObject({ value: 'filled', won: false });
    });

    itSince(META, 'metaSet stores in every mode', async () => {
      const key = fresh();
      expect(await run.client.metaSet(key, 'x', { mode: 'replace' })).toMatchObject({ status: 'notStored' });
      expect(await run.client.metaSet(key, 'x', { mode: 'append' })).toMatchObject({ status: 'notStored' });
      expect(await run.client.metaSet(key, 'b', { mode: 'add', expire: 100 })).toMatchObject({ status: 'done' });
      expect(await run.client.metaSet(key, 'x', { mode: 'add' })).toMatchObject({ status: 'notStored' });
      expect(await run.client.metaSet(key, 'c', { mode: 'append' })).toMatchObject({ status: 'done' });
      expect(await run.client.metaSet(key, 'a', { mode: 'prepend' })).toMatchObject({ status: 'done' });
      expect(await run.client.get(key)).toBe('abc');
      const { status, cas = '' } = await run.client.metaSet(key, 'd', { returnCas: true });
      expect(status).toBe('done');
      expect(await run.client.metaSet(key, 'e', { cas })).toMatchObject({ status: 'done' });
      expect(await run.client.metaSet(key, 'f', { cas })).toMatchObject({ status: 'exists' });
      expect(await run.client.metaSet(fresh(), 'f', { cas })).toMatchObject({ status: 'notFound' });
      expect(await run.client.get(key)).toBe('e');
    });

    itSince(META, 'metaDelete deletes, or marks as stale', async () => {
      const key = fresh();
      expect(await run.client.metaDelete(key)).toMatchObject({ status: 'notFound' });
      await run.client.set(key, 'value');
      expect(await run.client.metaDelete(key, { cas: '18446744073709551614' })).toMatchObject({ status: 'exists' });
      expect(await run.client.metaDelete(key, { invalidate: true, expire: 30 })).toMatchObject({ status: 'done' });
      expect(await run.client.metaGet(key)).toMatchObject({ value: 'value', stale: true, won: true });
      expect(await run.client.metaGet(key)).toMatchObject({ value: 'value', stale: true, won: false, recaching: true });
      expect(await run.client.metaDelete(key)).toMatchObject({ status: 'done' });
      expect(await run.client.get(key)).toBeUndefined();
    });

    itSince(META, 'metaArithmetic counts, and makes the counter when asked', async () => {
      const key = fresh();
      expect(await run.client.metaArithmetic(key)).toMatchObject({ status: 'notFound', value: undefined });
      expect(await run.client.metaArithmetic(key, { vivify: 100, initial: 5 })).toMatchObject({ status: 'done', value: 5 });
      // What the server has created has no flags.
      expect(await run.client.get(key)).toEqual(Buffer.from('5'));
      expect(await run.client.metaArithmetic(key, { delta: 0 })).toMatchObject({ value: 5 });
      expect(await run.client.metaArithmetic(key, { delta: 10, returnTtl: true, returnCas: true })).toEqual({
        status: 'done',
        value: 15,
        ttl: aNumber,
        cas: (await run.client.gets(key))[1],
      });
      expect(await run.client.metaArithmetic(key, { mode: 'decr', delta: 100n })).toMatchObject({ value: 0n });
      const options: MetaArithmeticOptions<number | bigint> = { delta: 1n };
      const counted = run.client.metaArithmetic(key, options);
      options.delta = 1;
      expect(await counted).toMatchObject({ value: 1n });
      await run.client.set(key, 2n ** 53n);
      const countedErrors = (): number => Array.from(run.client.metrics().values(), ({ errors }) => errors['MEMCACHE_INEXACT_NUMBER'] ?? 0).reduce((sum, count) => sum + count, 0);
      const before = countedErrors();
      const error = await failure(run.client.metaArithmetic(key));
      expect(error).toBeInstanceOf(MemcacheInexactNumberError);
      expect((error as MemcacheInexactNumberError).exact).toBe(2n ** 53n + 1n);
      expect(error).toMatchObject({ server: text, command: 'ma' });
      // It is an error for the metrics too, as with `incr`.
      expect(countedErrors()).toBe(before + 1);
    });

    itSince(META, 'base64 lets a key hold any bytes', async () => {
      const key = Buffer.concat([Buffer.from(fresh()), Buffer.from([0, 10, 13, 32, 255])]);
      expect(await run.client.metaSet(key, 'value', { base64: true })).toMatchObject({ status: 'done' });
      expect(await run.client.metaGet(key, { base64: true })).toMatchObject({ value: 'value' });
      expect(await run.client.metaDelete(key, { base64: true })).toMatchObject({ status: 'done' });
      expect(await failure(run.client.metaGet(key))).toBeInstanceOf(MemcacheIllegalInputError);
      // The server goes by the letter, whatever follows it.
      await run.client.executeMeta(new MetaCommand('ms', key, ['b0'], 'value'));
      expect(await run.client.metaGet(key, { base64: true })).toMatchObject({ value: Buffer.from('value') });
    });

    itSince(META, 'metaDebug gives what the server knows, undefined on a miss', async () => {
      const key = fresh();
      expect(await run.client.metaDebug(key)).toBeUndefined();
      await run.client.set(key, 'value');
      const info = await run.client.metaDebug(key);
      expect(info?.get('exp')).toBe('-1');
      expect(info?.get('size')).toMatch(/^[0-9]+$/);
    });

    itSince(META, 'executeMeta sends what was made by hand', async () => {
      const key = fresh();
      const execute = (...args: ConstructorParameters<typeof MetaCommand>) => run.client.executeMeta(new MetaCommand(...args));
      expect(await execute('ms', key, ['T100', 'F7', 'Omine'], 'value')).toMatchObject({ code: 'HD', flags: ['Omine'] });
      expect(await execute('mg', key, ['v', 'f', 't'])).toMatchObject({
        code: 'VA',
        size: 5,
        flags: ['f7', expect.stringMatching(/^t[0-9]+$/)],
        value: Buffer.from('value'),
      });
      expect(await execute('mg', fresh(), ['v'])).toMatchObject({ code: 'EN', value: undefined });
      expect(await execute('md', fresh())).toMatchObject({ code: 'NF' });
      expect(await execute('ms', key, [], '')).toMatchObject({ code: 'HD' });
      expect(await execute('mg', key, ['v'])).toMatchObject({ code: 'VA', size: 0, value: Buffer.alloc(0) });
      expect(await execute('mn')).toMatchObject({ code: 'MN' });
      expect(await execute('me', fresh())).toMatchObject({ code: 'EN' });
      expect(await failure(execute('ma', key))).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR' });
    });

    itSince(META, 'executeMeta of a quiet command gives what its silence means', async () => {
      const [key, miss] = [fresh(), fresh()];
      const execute = (...args: ConstructorParameters<typeof MetaCommand>) => run.client.executeMeta(new MetaCommand(...args));
      const [set, hit, ...others] = await Promise.all([
        execute('ms', key, ['q'], 'value'),
        execute('mg', key, ['v', 'q']),
        execute('mg', miss, ['v', 'q']),
        execute('ms', key, ['q', 'ME'], 'other'),
        execute('md', key, ['q']),
        execute('mg', key, ['v', 'q']),
      ]);
      expect([set, hit, ...others].map(({ code }) => code)).toEqual(['HD', 'VA', 'EN', 'NS', 'HD', 'EN']);
      expect(hit.value).toEqual(Buffer.from('value'));
    });
  });
}

export function describeQuietCommands(run: ContractRun): void {
  const { fresh, itSince } = run;
  describe('quiet commands and their neighbours', () => {
    itSince(META, 'one that fails harms only itself', async () => {
      const key = fresh();
      await run.client.set(key, 'text');
      const [error, value, miss] = await Promise.all([
        failure(run.client.executeMeta(new MetaCommand('ma', key, ['q']))),
        run.client.get(key),
        run.client.metaGet(fresh()),
      ]);
      expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed' });
      expect([value, miss]).toEqual(['text', undefined]);
    });

    itSince(META, 'a quiet mn is a mn', async () => {
      const [, miss, found] = await Promise.all([
        run.client.executeMeta(new MetaCommand('mn', '', ['q'])).catch(() => undefined),
        run.client.get(fresh()),
        run.client.metaGet(fresh()),
      ]);
      expect([miss, found]).toEqual([undefined, undefined]);
    });
  });
}
