import { MemcachePartialError } from '../../../src';
import { failure } from '../rejection';
import type { ContractRun } from './contract-run';

export function describeServers(run: ContractRun): void {
  const { fresh, hasMeta, seesNoreply, servers } = run;
  describe('servers', () => {
    it('version and stats are Maps by server name', async () => {
      const versions = await run.client.version();
      expect(versions.size).toBe(servers);
      for (const version of versions.values()) expect(version).toMatch(/^[0-9]+\.[0-9]+/);
      const stats = await run.client.stats();
      expect([...stats.keys()].sort()).toEqual([...versions.keys()].sort());
      for (const of of stats.values()) expect(of.get('pid')).toMatch(/^[0-9]+$/);
      const settings = await run.client.stats('settings', {});
      for (const of of settings.values()) expect(of.get('maxbytes')).toMatch(/^[0-9]+$/);
    });

    it('verbosity, cacheMemlimit and, where there are meta commands, metaNoop give nothing', async () => {
      expect(await run.client.verbosity(0)).toBeUndefined();
      expect(await run.client.cacheMemlimit(64)).toBeUndefined();
      if (hasMeta) expect(await run.client.metaNoop()).toBeUndefined();
    });

    it('a size that the server refuses is told in its words, and takes no other call with it', async () => {
      const [refused, value] = await Promise.all([failure(run.client.cacheMemlimit(1)), run.client.get(fresh())]);
      expect(value).toBeUndefined();
      const errors = refused instanceof MemcachePartialError ? [...refused.failures.values()] : [refused];
      expect(errors).toHaveLength(servers);
      for (const error of errors) expect(error).toMatchObject({ code: 'MEMCACHE_CLIENT_ERROR', certainty: 'executed', message: 'cannot set maxbytes to less than 8m' });
    });

    it('raw gives what comes up to the end token', async () => {
      const versions = [...(await run.client.version()).values()];
      const joined = versions.map((version) => `VERSION ${version}`).join('');
      expect((await run.client.raw('version')).toString()).toHaveLength(joined.length);
      expect((await run.client.raw('stats settings', 'END\r\n')).toString()).toMatch(/^STAT maxbytes [0-9]+\r\n/);
      const between = await Promise.all([run.client.set(fresh(), 1), run.client.raw('verbosity 0'), run.client.get(fresh())]);
      expect(between).toEqual([true, Buffer.from('OK'.repeat(servers)), undefined]);
      await failure(run.client.raw('nonsense'));
      expect((await run.client.version()).size).toBe(servers);
    });

    it('raw has its own reply behind calls of the same tick that are not answered', async () => {
      for (const count of [1, 2, 30]) {
        const keys = Array.from({ length: count }, fresh);
        const silent = keys.map((key) => run.client.set(key, count, { noreply: true }));
        const [answer, value] = await Promise.all([run.client.raw('verbosity 0'), run.client.get(keys.at(-1) ?? ''), ...silent]);
        expect([answer, value]).toEqual([Buffer.from('OK'.repeat(servers)), count]);
        await Promise.all([run.client.delete(keys[0] ?? '', { noreply: true }), run.client.raw('version')]);
        expect((await run.client.getMany(keys)).size).toBe(count - 1);
      }
    });

    it('flushAll makes all items expire', async () => {
      const keys = Array.from({ length: 20 }, fresh);
      await run.client.setMany(keys.map((key): [string, number] => [key, 1]));
      expect(await run.client.flushAll(1000)).toBeUndefined();
      expect((await run.client.getMany(keys)).size).toBe(20);
      expect(await run.client.flushAll()).toBeUndefined();
      expect((await run.client.getMany(keys)).size).toBe(0);
      await run.client.setMany(keys.map((key): [string, number] => [key, 1]));
      expect(await run.client.flushAll(0, { noreply: true })).toBeUndefined();
      if (seesNoreply) expect((await run.client.getMany(keys)).size).toBe(0);
      // Over another connection it may come later, and must not take the next test's items away.
      while ((await run.client.getMany(keys)).size > 0) await new Promise(setImmediate);
    });
  });
}
