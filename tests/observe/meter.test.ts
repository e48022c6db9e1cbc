import * as fc from 'fast-check';
import { MemcacheTimeoutError } from '../../src';
import { Histogram } from '../../src/client/latency';
import { addMetrics, failedKeys, mergeMetrics, ServerMeter } from '../../src/client/meter';
import { EXISTS, HIT, MISS, NOT_FOUND, NOT_STORED, OK, STORED, type Outcome } from '../../src/client/outcomes';
import { SizeCommand } from '../../examples/custom-command';
import { EmbeddedClient } from '../../src/embedded';
import { counted } from '../support/counted';
import { sumsAgree } from './sums';

describe('the histogram', () => {
  const times = fc.array(fc.tuple(fc.double({ min: 0.002, max: 3_600_000, noNaN: true }), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 200 });

  it('tells count, sum and longest exactly, and every percentile within 5 %', () => {
    fc.assert(
      fc.property(times, (added) => {
        const histogram = new Histogram();
        for (const [time, count] of added) histogram.add(time, count);
        const all = added.flatMap(([time, count]) => new Array<number>(count).fill(time)).sort((a, b) => a - b);
        const { count, sum, max, buckets, ...quantiles } = histogram.snapshot();
        expect(count).toBe(all.length);
        expect(sum).toBeCloseTo(all.reduce((a, b) => a + b), 3);
        expect(max).toBe(all.at(-1));
        expect(buckets.reduce((total, [, calls]) => total + calls, 0)).toBe(count);
        for (const [name, share] of Object.entries({ p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 })) {
          const exact = all[Math.ceil(share * all.length) - 1]!;
          expect(Math.abs(quantiles[name as 'p50'] - exact) / exact).toBeLessThanOrEqual(0.05);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('what is in a bucket is below its bound and not below the one before', () => {
    for (const time of [0.001, 0.5, 1, 1.0625, 3.99, 4, 1000]) {
      const histogram = new Histogram();
      histogram.add(time, 3);
      const [[upTo, calls]] = histogram.snapshot().buckets as [[number, number]];
      expect(calls).toBe(3);
      expect(time).toBeLessThan(upTo);
      expect(time).toBeGreaterThanOrEqual(upTo * (1 - 1 / 16));
    }
  });

  it.each([0, -1, 1e-9, 1e12])('%p is counted all the same', (time) => {
    const histogram = new Histogram();
    histogram.add(time, 1);
    expect(histogram.snapshot().count).toBe(1);
    expect(histogram.snapshot().buckets).toHaveLength(1);
  });

  it('is empty without a call', () => {
    expect(new Histogram().snapshot()).toEqual({ count: 0, sum: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, buckets: [] });
  });
});

describe('a meter', () => {
  const commands = fc.record({
    verb: fc.constantFrom('get', 'set', 'delete', 'version'),
    keyCount: fc.integer({ min: 0, max: 5 }),
    outcome: fc.constantFrom<Outcome>(HIT, MISS, NOT_FOUND, STORED, NOT_STORED, EXISTS, OK),
    end: fc.constantFrom('succeed', 'fail', 'abort', 'unanswered'),
  });

  it('has as many calls as outcomes, errors and aborts, at any moment', () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 60 }), (all) => {
        const meter = new ServerMeter('a:1', 1);
        const calls = new Map<string, number>();
        for (const { verb, keyCount, outcome, end } of all) {
          const command = counted(verb, keyCount, outcome);
          if (end === 'succeed') meter.succeed(command, undefined);
          else if (end === 'fail') meter.fail(command, new MemcacheTimeoutError('late'));
          else if (end === 'abort') meter.abort(command);
          else meter.unanswered(command);
          calls.set(verb, (calls.get(verb) ?? 0) + (keyCount || 1));
          expect(sumsAgree(meter.snapshot(0))).toBe(true);
        }
        expect(meter.snapshot(0).calls).toEqual(Object.fromEntries(calls));
      }),
    );
  });

  it('tells reads that found nothing from other commands that found nothing', () => {
    const meter = new ServerMeter('a:1', 1);
    meter.succeed(counted('get', 3, HIT), undefined);
    meter.succeed(counted('get', 2, MISS), undefined);
    meter.succeed(counted('delete', 4, NOT_FOUND), undefined);
    expect(meter.snapshot(0)).toMatchObject({ hits: 3, misses: 6, lookups: 5, calls: { get: 5, delete: 4 } });
  });

  it('counts a command of a user as what it says', async () => {
    const client = new EmbeddedClient();
    await client.set('k', 'value');
    for (const key of ['k', 'k', 'none']) await client.executor.execute(new SizeCommand(key, key));
    expect([...client.metrics().values()]).toMatchObject([{ calls: { mg: 3 }, hits: 2, misses: 1, ok: 0 }]);
    await client.close();
  });

  it('counts errors by code, and knows for how many keys each stands', () => {
    const meter = new ServerMeter('a:1', 1);
    const one = new MemcacheTimeoutError('late');
    const many = new MemcacheTimeoutError('late');
    meter.fail(counted('get', 1, HIT), one);
    meter.fail(counted('get', 7, HIT), many);
    meter.fail(counted('get', 1, HIT), new Error('a custom command'));
    expect(meter.snapshot(0).errors).toEqual({ MEMCACHE_TIMEOUT: 8, ERROR: 1 });
    expect([failedKeys(one), failedKeys(many)]).toEqual([1, 7]);
  });

  it('its state is that of whoever watches, or of the last connection', () => {
    const meter = new ServerMeter('a:1', 1);
    const state = () => meter.snapshot(0).state;
    expect(state()).toBe('healthy');
    meter.connectFailed();
    expect(state()).toBe('failing');
    meter.connected();
    expect(state()).toBe('failing');
    meter.answered(1, 0.5);
    expect(state()).toBe('healthy');
    meter.disconnected(false);
    expect(state()).toBe('healthy');
    meter.connected();
    meter.disconnected(true);
    expect(state()).toBe('failing');
    meter.watchedBy({ state: 'dead' });
    expect(state()).toBe('dead');
  });

  it('adds up with another of the same server', () => {
    const [a, b] = [new ServerMeter('a:1', 1), new ServerMeter('a:1', 2)];
    a.succeed(counted('get', 1, HIT), undefined);
    a.answered(1, 1);
    b.succeed(counted('get', 1, MISS), undefined);
    b.fail(counted('set', 1, STORED), new MemcacheTimeoutError('late'));
    b.answered(3, 100);
    b.connected();
    b.disconnected(true);
    b.connected();
    const sum = addMetrics(a.snapshot(2), b.snapshot(3));
    expect(sum).toMatchObject({ state: 'failing', pending: 5, connections: 1, calls: { get: 2, set: 1 }, hits: 1, misses: 1, errors: { MEMCACHE_TIMEOUT: 1 } });
    expect(sumsAgree(sum)).toBe(true);
    expect(sum.latency).toMatchObject({ count: 4, sum: 301, max: 100 });
    expect(sum.latency.p50).toBeGreaterThan(95);
    const merged = mergeMetrics([new Map([['a:1', a.snapshot(0)]]), new Map([['a:1', b.snapshot(0)], ['b:1', b.snapshot(0)]])]);
    expect([...merged.keys()]).toEqual(['a:1', 'b:1']);
    expect(merged.get('a:1')?.latency.count).toBe(4);
  });
});
