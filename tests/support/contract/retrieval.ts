import { GAT, type ContractRun } from './contract-run';

export function describeRetrieval(run: ContractRun): void {
  const { fresh, itSince, expectTtl } = run;
  describe('retrieval', () => {
    it('get gives the value, undefined on a miss', async () => {
      const key = fresh();
      expect(await run.client.get(key)).toBeUndefined();
      await run.client.set(key, 'value');
      expect(await run.client.get(key)).toBe('value');
    });

    it('gets gives the value and a decimal token, two undefineds on a miss', async () => {
      const key = fresh();
      expect(await run.client.gets(key)).toEqual([undefined, undefined]);
      await run.client.set(key, 'value');
      expect(await run.client.gets(key)).toEqual(['value', expect.stringMatching(/^[0-9]+$/)]);
    });

    itSince(GAT, 'gat gives the value and sets the time to live', async () => {
      const key = fresh();
      expect(await run.client.gat(key, 100)).toBeUndefined();
      await run.client.set(key, 'value');
      expect(await run.client.gat(key, 100)).toBe('value');
      await expectTtl(key, 90);
      expect(await run.client.gat(key, -1)).toBe('value');
      expect(await run.client.get(key)).toBeUndefined();
    });

    itSince(GAT, 'gats gives value and token, and sets the time to live', async () => {
      const key = fresh();
      expect(await run.client.gats(key, 100)).toEqual([undefined, undefined]);
      await run.client.set(key, 'value');
      const [, cas] = await run.client.gets(key);
      expect(await run.client.gats(key, 100)).toEqual(['value', cas]);
      await expectTtl(key, 90);
    });

    itSince(GAT, 'gats of one tick each get their own value and set their own time to live', async () => {
      const [one, two, gone, missing] = [fresh(), fresh(), fresh(), fresh()];
      await Promise.all([run.client.set(one, '1'), run.client.set(two, '2'), run.client.set(gone, '3')]);
      const results = await Promise.all([
        run.client.gat(one, 100),
        run.client.gat(missing, 100),
        run.client.gat(two, 100),
        run.client.gats(two, 100),
        run.client.gat(gone, -1),
        run.client.gat(gone, -1),
        run.client.gat(one, 1000),
        run.client.get(two),
      ]);
      expect(results).toEqual(['1', undefined, '2', ['2', expect.any(String)], '3', undefined, '1', '2']);
      await expectTtl(two, 90);
      await expectTtl(one, 990);
    });

    it('getMany gives the hits by the very keys of the caller', async () => {
      const [hit, miss, other] = [fresh(), fresh(), fresh()];
      const bytes = Buffer.from(fresh());
      await run.client.setMany([[hit, 1], [other, 'two'], [bytes, 3n]]);
      const found = await run.client.getMany([other, bytes, miss, hit]);
      expect(found.size).toBe(3);
      expect([found.get(other), found.get(bytes), found.get(hit)]).toEqual(['two', 3n, 1]);
      expect([...(await run.client.getMany(new Set([hit, miss])))]).toEqual([[hit, 1]]);
    });

    it('getMany and getsMany keep the order of the keys', async () => {
      const keys = Array.from({ length: 40 }, fresh);
      await run.client.setMany(keys.map((key, i): [string, number] => [key, i]));
      expect([...(await run.client.getMany(keys)).keys()]).toEqual(keys);
      keys.reverse();
      expect([...(await run.client.getsMany(keys)).keys()]).toEqual(keys);
    });

    it('getMany takes the same key twice, and no key at all', async () => {
      const key = fresh();
      await run.client.set(key, 'value');
      expect([...(await run.client.getMany([key, key, key]))]).toEqual([[key, 'value']]);
      expect([...(await run.client.getMany([]))]).toEqual([]);
      expect([...(await run.client.getsMany([]))]).toEqual([]);
    });

    it('getMany of thousands of keys comes back whole', async () => {
      const prefix = fresh();
      const entries = Array.from({ length: 3000 }, (_, i): [string, number] => [`${prefix}-${'x'.repeat(i % 100)}-${i}`, i]);
      expect(await run.client.setMany(entries)).toEqual([]);
      const found = await run.client.getMany(entries.map(([key]) => key));
      expect(found.size).toBe(entries.length);
      for (const [key, value] of entries) if (found.get(key) !== value) throw new Error(`${key} came back as another`);
    });

    it('getsMany gives values with tokens that cas takes', async () => {
      const [hit, miss] = [fresh(), fresh()];
      await run.client.set(hit, 'value');
      const found = await run.client.getsMany([miss, hit]);
      const [, cas] = await run.client.gets(hit);
      expect([...found]).toEqual([[hit, ['value', cas]]]);
      expect(await run.client.cas(hit, 'next', cas ?? '')).toBe(true);
    });
  });
}
