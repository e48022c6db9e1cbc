import { failure, rejection } from '../rejection';
import { text, type ContractRun } from './contract-run';

export function describeManyAtOnce(run: ContractRun): void {
  const { fresh } = run;
  describe('many at once', () => {
    it('10 000 calls each get their own answer, in order', async () => {
      const prefix = fresh();
      const settled: number[] = [];
      const answers = await Promise.all(
        Array.from({ length: 10_000 }, (_, i) => {
          const key = `${prefix}-${i >> 2}`;
          const call: Promise<unknown> =
            i % 4 === 0 ? run.client.set(key, i) : i % 4 === 1 ? run.client.get(key) : i % 4 === 2 ? run.client.incr(key) : run.client.gets(key);
          return call.finally(() => settled.push(i));
        }),
      );
      expect(answers).toEqual(Array.from({ length: 2500 }, (_, i) => [true, 4 * i, 4 * i + 1, [4 * i + 1, text]]).flat());
      expect(settled).toHaveLength(10_000);
    });

    it('calls for one key keep their order', async () => {
      const key = fresh();
      await run.client.set(key, 0);
      const counts = await Promise.all(Array.from({ length: 500 }, () => run.client.incr(key)));
      expect(counts).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    });
  });
}

export function describeSignals(run: ContractRun): void {
  const { fresh } = run;
  describe('signal', () => {
    it('aborted before: rejects with the reason and does nothing', async () => {
      const key = fresh();
      const reason = new Error('never mind');
      const signal = AbortSignal.abort(reason);
      expect(await rejection(run.client.set(key, 1, { signal }))).toBe(reason);
      expect(await rejection(run.client.get(key, { signal }))).toBe(reason);
      expect(await rejection(run.client.getMany([key], { signal }))).toBe(reason);
      expect(await rejection(run.client.setMany([[key, 1]], { signal }))).toBe(reason);
      expect(await rejection(run.client.deleteMany([key], { signal }))).toBe(reason);
      expect(await rejection(run.client.metaGet(key, { signal }))).toBe(reason);
      expect(await rejection(run.client.version({ signal }))).toBe(reason);
      expect(await rejection(run.client.raw('version', '\r\n', { signal }))).toBe(reason);
      expect(await run.client.get(key)).toBeUndefined();
    });

    it('aborted before it was sent: rejects with the reason, and nothing is sent', async () => {
      const [key, other] = [fresh(), fresh()];
      const abort = new AbortController();
      const reason = new Error('never mind');
      const call = rejection(run.client.set(key, 1, { signal: abort.signal }));
      const unharmed = run.client.set(other, 2);
      abort.abort(reason);
      expect(await call).toBe(reason);
      expect(await unharmed).toBe(true);
      expect(await run.client.get(key)).toBeUndefined();
      expect(await run.client.get(other)).toBe(2);
    });

    it('aborted when it was sent: the other calls keep their answers', async () => {
      const keys = Array.from({ length: 9 }, fresh);
      await run.client.setMany(keys.map((key, i): [string, number] => [key, i]));
      const abort = new AbortController();
      const reason = new Error('never mind');
      const calls = keys.map((key, i) => run.client.get(key, i % 3 === 1 ? { signal: abort.signal } : {}));
      const outcomes = Promise.allSettled(calls);
      process.nextTick(() => {
        abort.abort(reason);
      });
      for (const [i, outcome] of (await outcomes).entries()) {
        if (outcome.status === 'rejected') expect([i % 3, outcome.reason]).toEqual([1, reason]);
        else expect(outcome.value).toBe(i);
      }
      expect(await run.client.get(keys[4] ?? '')).toBe(4);
    });

    it('aborted when all is over: nothing happens', async () => {
      const key = fresh();
      const abort = new AbortController();
      await run.client.set(key, 1, { signal: abort.signal });
      abort.abort();
      expect(await run.client.get(key)).toBe(1);
    });
  });
}

export function describeLife(run: ContractRun): void {
  const { fresh } = run;
  describe('life', () => {
    it('close lets calls finish, may be repeated, and the client used again', async () => {
      const other = run.subject.client({});
      const key = fresh();
      const call = other.set(key, 1);
      await Promise.all([other.close(), other.close()]);
      expect(await call).toBe(true);
      await other.close();
      expect(await other.get(key)).toBe(1);
      await other[Symbol.asyncDispose]();
      expect(await other.get(key)).toBe(1);
      await other.close();
    });

    it('quit closes, and the client may be used again', async () => {
      const key = fresh();
      await run.client.set(key, 1);
      expect(await run.client.quit()).toBeUndefined();
      expect(await run.client.get(key)).toBe(1);
    });

    it('calls made right after quit are answered, each once', async () => {
      const key = fresh();
      const { client } = run;
      await client.set(key, 1);
      expect(await Promise.all([client.quit(), client.incr(key), client.getMany([key])])).toEqual([undefined, 2, new Map([[key, 2]])]);
      expect(await client.incr(key)).toBe(3);
    });

    it('a refused shutdown ends nothing', async () => {
      const key = fresh();
      const { client } = run;
      await client.set(key, 1);
      const outcome = failure(client.shutdown());
      expect(await client.incr(key)).toBe(2);
      expect((await outcome).certainty).toBe('executed');
      expect(await client.incr(key)).toBe(3);
    });
  });
}
