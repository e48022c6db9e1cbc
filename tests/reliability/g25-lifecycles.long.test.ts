import { join } from 'node:path';
import { runAlone } from '../support/program';
import type { LifecyclesReport } from './alone/lifecycles';
import { fromEnvironment, report } from './report';

const LIFECYCLES = fromEnvironment('RELIABILITY_LIFECYCLES', 10_000);

it('clients that are made, used and closed leave nothing', async () => {
  const { growth, listeners, resources } = await runAlone<LifecyclesReport>(join(__dirname, 'alone', 'lifecycles.ts'), { lifecycles: LIFECYCLES });
  expect(listeners).toBe(0);
  expect(resources).toBeLessThanOrEqual(0);
  const perClient = growth / (LIFECYCLES / 2);
  report({
    goal: 'G25',
    claim: 'Clients made, used and closed leave no handle and no listener; bytes more per client, second half against first',
    n: LIFECYCLES,
    value: Math.max(0, Math.round(perClient)),
    limit: 200,
    pass: perClient < 200,
  });
});
