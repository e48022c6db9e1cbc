import { simulate, simulatedClients } from '../support/simulated-run';
import { PROTOCOL_TOXICS, TRANSPORT_TOXICS } from '../support/toxics';
import { fromEnvironment, report } from './report';

const OPERATIONS = fromEnvironment('RELIABILITY_OPERATIONS', 1_000_000);
const FIRST_SEED = fromEnvironment('RELIABILITY_SEED', 1);
const PER_RUN = 20_000;

const strikes = new Map<string, number>();
let operations = 0;
let hits = 0;
let latest = -Infinity;

it.each(simulatedClients)('%s: no wrong value, and every promise settles in time, under every toxic', async (name, kind) => {
  const errors = new Map<string, number>();
  for (let run = 0; run * PER_RUN < OPERATIONS / simulatedClients.length; run++) {
    const seed = FIRST_SEED + run;
    const { wrong, oracle, network } = await simulate(seed, kind, PER_RUN);
    if (wrong.length > 0) throw new Error(`seed ${seed}: ${wrong.slice(0, 5).join('; ')}`);
    operations += oracle.operations;
    hits += oracle.hits;
    latest = Math.max(latest, oracle.latest);
    for (const [toxic, count] of network.strikes) strikes.set(toxic, (strikes.get(toxic) ?? 0) + count);
    for (const [code, count] of oracle.errors) errors.set(code, (errors.get(code) ?? 0) + count);
  }
  console.log(`${name}: ${JSON.stringify(Object.fromEntries(errors))}`);
});

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
  const traces = [];
  for (let i = 0; i < 2; i++) {
    const { oracle, network } = await simulate(77, simulatedClients[0][1], 3000);
    traces.push(JSON.stringify([[...oracle.errors], oracle.hits, network.clock.now(), [...network.strikes], network.opened]));
  }
  expect(traces[0]).toBe(traces[1]);
});
