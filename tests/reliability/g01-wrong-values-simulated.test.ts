import { Client, HashClient, PooledClient, RetryingClient, backoff, type Client as AnyClient, type ClientOptions } from '../../src';
import { Oracle, ToldSerde, useClient, type Told } from '../support/oracle';
import { SimulatedNetwork } from '../support/simulation';
import { PROTOCOL_TOXICS, TRANSPORT_TOXICS } from '../support/toxics';
import { fromEnvironment, report } from './report';

const OPERATIONS = fromEnvironment('RELIABILITY_OPERATIONS', 1_000_000);
const FIRST_SEED = fromEnvironment('RELIABILITY_SEED', 1);
const PER_RUN = 20_000;
const CALLERS = 40;
const TIMEOUT = 1000;

type Make = (options: ClientOptions<Told>) => AnyClient<Told>;
const kinds: readonly (readonly [name: string, make: Make, limit: number])[] = [
  ['Client', (options) => new Client('a', options), TIMEOUT],
  ['PooledClient', (options) => new PooledClient('a', { ...options, maxPoolSize: 3 }), TIMEOUT],
  ['HashClient', (options) => new HashClient(['a', 'b', 'c'], { ...options, deadTimeout: 2000 }), TIMEOUT],
  ['RetryingClient', (options) => new RetryingClient(new Client('a', options), { attempts: 3, retryDelay: 10 }), 3 * TIMEOUT + 20],
  [
    'RetryingClient over a HashClient of pools',
    (options) => new RetryingClient(new HashClient(['a', 'b', 'c'], { ...options, usePooling: true }), { retryDelay: backoff({ random: () => 0.5 }) }),
    2 * TIMEOUT + 20,
  ],
];

/** One run, and what came of it. */
async function simulate(seed: number, make: Make, limit: number, operations: number): Promise<{ oracle: Oracle; network: SimulatedNetwork }> {
  const network = new SimulatedNetwork({ seed, toxics: [...TRANSPORT_TOXICS, ...PROTOCOL_TOXICS] });
  const { clock, connect, random } = network;
  const client = make({ clock, connect, serde: new ToldSerde(), timeout: TIMEOUT, connectTimeout: 300 });
  const oracle = new Oracle(clock.now, limit, () => new Promise((resolve) => void clock.setTimeout(resolve, 50)));
  let running = CALLERS;
  for (let i = 0; i < CALLERS; i++) void useClient(client, oracle, random.fork(), operations).finally(() => running--);
  if (!(await clock.run(() => running === 0))) oracle.wrong.push(`${running} callers wait for ever`);
  let closed = false;
  void client.close().finally(() => (closed = true));
  if (!(await clock.run(() => closed))) oracle.wrong.push('close() does not end');
  for (const violation of network.violations) oracle.wrong.push(String(violation));
  for (const { context } of network.servers.values()) context.close();
  return { oracle, network };
}

const strikes = new Map<string, number>();
let operations = 0;
let hits = 0;
let latest = -Infinity;

it.each(kinds)('%s: no wrong value, and every promise settles in time, under every toxic', async (name, make, limit) => {
  const errors = new Map<string, number>();
  for (let run = 0; run * PER_RUN < OPERATIONS / kinds.length; run++) {
    const seed = FIRST_SEED + run;
    const { oracle, network } = await simulate(seed, make, limit, PER_RUN);
    if (oracle.wrong.length > 0) throw new Error(`seed ${seed}: ${oracle.wrong.slice(0, 5).join('; ')}`);
    operations += oracle.operations;
    hits += oracle.hits;
    latest = Math.max(latest, oracle.latest);
    for (const [toxic, count] of network.strikes) strikes.set(toxic, (strikes.get(toxic) ?? 0) + count);
    for (const [code, count] of oracle.errors) errors.set(code, (errors.get(code) ?? 0) + count);
  }
  console.log(`${name}: ${JSON.stringify(Object.fromEntries(errors))}`);
}, 600_000);

it('all that was to happen did happen', () => {
  console.log(`${operations} operations, ${hits} hits, ${JSON.stringify(Object.fromEntries(strikes))}`);
  for (const toxic of [...TRANSPORT_TOXICS, ...PROTOCOL_TOXICS, 'refused']) expect(strikes.get(toxic) ?? 0).toBeGreaterThan(100);
  expect(hits).toBeGreaterThan(operations / 10);
  report({
    goal: 'G01',
    claim: 'No wrong value under continuous fault injection, simulated',
    seed: FIRST_SEED,
    n: operations,
    value: 0,
    limit: 0,
    pass: operations >= OPERATIONS,
  });
  report({
    goal: 'G02',
    claim: 'Every call settles once, by its deadline (milliseconds late at the most, simulated)',
    seed: FIRST_SEED,
    n: operations,
    value: Math.round(latest),
    limit: 50,
    pass: latest <= 50,
  });
});

it('the same seed is the same run', async () => {
  const make = kinds[0]?.[1];
  if (make === undefined) throw new Error('no client');
  const traces = [];
  for (let i = 0; i < 2; i++) {
    const { oracle, network } = await simulate(77, make, TIMEOUT, 3000);
    traces.push(JSON.stringify([[...oracle.errors], oracle.hits, network.clock.now(), [...network.strikes], network.opened]));
  }
  expect(traces[0]).toBe(traces[1]);
});
