import { memcachedBinary, startMemcached, type MemcachedProcess } from '../support/memcached';
import { RUN_TIMES, Site } from './run';

/** The others are run by `npm run runtimes`. */
const CHECKED = ['Node 20', 'Node 24', 'Bun 1.4', 'Deno 2.9'];

let site: Site;
let memcached: MemcachedProcess | undefined;

beforeAll(async () => {
  site = await Site.open();
  if (memcachedBinary() !== undefined) memcached = await startMemcached();
});

afterAll(async () => {
  await memcached?.stop();
  await site.close();
});

it.each(RUN_TIMES.filter(({ name }) => CHECKED.includes(name)))('every case passes in $name', async (runTime) => {
  const outcome = await site.run(runTime, memcached?.address);
  if ('reason' in outcome) {
    console.warn(`skipped: ${outcome.reason}`);
    return;
  }
  expect(outcome.results.filter(({ passed }) => !passed)).toEqual([]);
  expect(outcome.results.length).toBe(35);
  const refused = outcome.results.filter(({ remark }) => remark !== undefined);
  expect(refused).toEqual(runTime.name.startsWith('Bun') ? [{ name: 'StructuredSerde', passed: true, remark: 'refused by name' }] : []);
});
