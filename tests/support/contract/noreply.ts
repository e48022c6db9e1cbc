import type { ContractRun } from './contract-run';

export function describeNoreply(run: ContractRun): void {
  const { fresh, withOptions, seesNoreply, expectTtl } = run;
  describe('noreply', () => {
    it('tells success at once', async () => {
      const noreply = { noreply: true };
      expect(await run.client.set(fresh(), 1, noreply)).toBe(true);
      expect(await run.client.replace(fresh(), 1, noreply)).toBe(true);
      expect(await run.client.cas(fresh(), 1, '1', noreply)).toBe(true);
      expect(await run.client.incr(fresh(), 1, noreply)).toBeUndefined();
      expect(await run.client.touch(fresh(), 1, noreply)).toBe(true);
      expect(await run.client.delete(fresh(), noreply)).toBe(true);
      expect(await run.client.setMany([[fresh(), 1]], noreply)).toEqual([]);
      expect(await run.client.deleteMany([fresh(), fresh()], noreply)).toBe(2);
    });

    if (seesNoreply) it('the server does what is not answered', async () => {
      const key = fresh();
      const noreply = { noreply: true };
      expect(await run.client.set(key, 1, noreply)).toBe(true);
      expect(await run.client.get(key)).toBe(1);
      expect(await run.client.add(key, 2, noreply)).toBe(true);
      expect(await run.client.get(key)).toBe(1);
      expect(await run.client.replace(key, 3, noreply)).toBe(true);
      expect(await run.client.append(key, 4, noreply)).toBe(true);
      expect(await run.client.prepend(key, 5, noreply)).toBe(true);
      expect(await run.client.get(key)).toBe(534);
      expect(await run.client.incr(key, 1, noreply)).toBeUndefined();
      expect(await run.client.decr(key, 11n, noreply)).toBeUndefined();
      expect(await run.client.get(key)).toBe(524);
      const [, cas = ''] = await run.client.gets(key);
      expect(await run.client.cas(key, 7, cas, noreply)).toBe(true);
      expect(await run.client.cas(key, 8, cas, noreply)).toBe(true);
      expect(await run.client.get(key)).toBe(7);
      expect(await run.client.touch(key, 100, noreply)).toBe(true);
      await expectTtl(key, 90);
      expect(await run.client.delete(key, noreply)).toBe(true);
      expect(await run.client.get(key)).toBeUndefined();
      expect(await run.client.delete(key, noreply)).toBe(true);
      expect(await run.client.setMany([[key, 9]], noreply)).toEqual([]);
      expect(await run.client.get(key)).toBe(9);
      expect(await run.client.deleteMany([key, fresh()], noreply)).toBe(2);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('mixes with calls that are answered', async () => {
      const key = fresh();
      const results = await Promise.all([
        run.client.set(key, 1),
        run.client.set(key, 2, { noreply: true }),
        run.client.get(key),
        run.client.delete(key, { noreply: true }),
        run.client.delete(key, { noreply: true }),
        run.client.get(key),
        run.client.incr(key),
        run.client.set(key, 3, { noreply: true }),
        run.client.incr(key),
      ]);
      expect(results).toEqual([true, true, 2, true, true, undefined, undefined, true, 4]);
    });

    it('is the default where defaultNoreply says so, but not for what tells a count', async () => {
      await withOptions({ defaultNoreply: true }, async (quiet) => {
        const key = fresh();
        expect(await quiet.delete(fresh())).toBe(true);
        expect(await quiet.add(key, 1, { noreply: false })).toBe(true);
        expect(await quiet.add(key, 2)).toBe(true);
        expect(await quiet.add(key, 3, { noreply: false })).toBe(false);
        expect(await quiet.incr(key)).toBe(2);
        expect(await quiet.cas(key, 1, '1')).toBe(false);
        expect(await quiet.deleteMany([key, fresh()], { noreply: false })).toBe(1);
      });
    });
  });
}
