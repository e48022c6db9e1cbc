import { join } from 'node:path';
import { runAlone } from '../support/program';
import type { BlackHoleOrder, BlackHoleReport } from './alone/black-hole';
import { fromEnvironment, report } from './report';

const CALLS = fromEnvironment('RELIABILITY_CALLS', 1_000_000);
const MIB = 1024 * 1024;

it.each(['Client', 'PooledClient'] as const)('%s: a million calls at a black hole take bounded memory', async (kind) => {
  const order: BlackHoleOrder = { kind, calls: CALLS };
  const { overloaded, others, highest } = await runAlone<BlackHoleReport>(join(__dirname, 'alone', 'black-hole.ts'), order);
  expect(overloaded + others).toBe(CALLS);
  expect(overloaded).toBeGreaterThan(CALLS * 0.9);
  report({
    goal: kind === 'Client' ? 'G10' : 'G10-pool',
    claim: `A million calls at a black hole, ${kind}: MiB more at the most`,
    n: CALLS,
    value: Math.round((highest / MIB) * 10) / 10,
    limit: 64,
    pass: highest < 64 * MIB,
  });
});
