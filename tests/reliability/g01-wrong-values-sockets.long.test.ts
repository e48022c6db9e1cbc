import { Client, HashClient, PooledClient, RetryingClient } from '../../src';
import { ChaosProxy } from '../support/chaos-proxy';
import { Oracle, ToldSerde, useClient } from '../support/oracle';
import { SeededRandom } from '../support/seeded-random';
import { startEmbedded, startReal, type TestServer } from '../support/servers';
import { PROTOCOL_TOXICS, TRANSPORT_TOXICS } from '../support/toxics';
import { memcachedBinary } from '../support/memcached';
import { fromEnvironment, report } from './report';

const OPERATIONS = fromEnvironment('RELIABILITY_SOCKET_OPERATIONS', 100_000);
const SEED = fromEnvironment('RELIABILITY_SEED', 1);
const TIMEOUT = 200;
const CALLERS = 60;
/** A machine that tests share stands still now and then. */
const TOLERANCE = 250;

const strikes = new Map<string, number>();
let operations = 0;
let latest = -Infinity;

const kinds = ['Client', 'PooledClient', 'HashClient', 'RetryingClient'] as const;

it.each(kinds)('%s through a chaos proxy: no wrong value, every promise settles', async (kind) => {
  const random = new SeededRandom(SEED);
  const start = memcachedBinary() === undefined ? startEmbedded : startReal;
  const servers: TestServer[] = await Promise.all([start(), startEmbedded()]);
  const toxics = [...TRANSPORT_TOXICS, ...PROTOCOL_TOXICS];
  const proxies = await Promise.all(servers.map(({ address }) => ChaosProxy.start(Number(address.split(':')[1]), toxics, random.fork())));
  const [first = '', second = ''] = proxies.map(({ address }) => address);
  const options = { serde: new ToldSerde(), timeout: TIMEOUT, connectTimeout: TIMEOUT };
  const client = {
    Client: () => new Client(first, options),
    PooledClient: () => new PooledClient(first, options),
    HashClient: () => new HashClient([first, second], { ...options, retryTimeout: 20, deadTimeout: 50 }),
    RetryingClient: () => new RetryingClient(new Client(first, options)),
  }[kind]();
  const limit = kind === 'RetryingClient' ? 2 * TIMEOUT : TIMEOUT;
  const oracle = new Oracle(() => performance.now(), limit, () => new Promise((resolve) => setTimeout(resolve, 2)));
  const callers = Array.from({ length: CALLERS }, () => useClient(client, oracle, random.fork(), OPERATIONS / kinds.length));
  await Promise.all(callers);
  await client.close();
  await Promise.all([...proxies, ...servers].map((one) => ('close' in one ? one.close() : one.stop())));
  for (const proxy of proxies) for (const [toxic, count] of proxy.strikes) strikes.set(toxic, (strikes.get(toxic) ?? 0) + count);
  operations += oracle.operations;
  latest = Math.max(latest, oracle.latest);
  console.log(`${kind}: ${oracle.operations} calls, ${oracle.hits} hits, ${oracle.latest.toFixed(0)} ms late at the most, ${JSON.stringify(Object.fromEntries(oracle.errors))}`);
  expect(oracle.wrong).toEqual([]);
});

it('all that was to happen did happen', () => {
  console.log(JSON.stringify(Object.fromEntries(strikes)));
  for (const toxic of [...TRANSPORT_TOXICS, ...PROTOCOL_TOXICS]) expect(strikes.get(toxic) ?? 0).toBeGreaterThan(0);
  report({ goal: 'G01-sockets', claim: 'No wrong value through a chaos proxy, over real sockets', seed: SEED, n: operations, value: 0, limit: 0, pass: operations >= OPERATIONS });
  report({
    goal: 'G02-sockets',
    claim: 'Every call settles once, by its deadline (milliseconds late at the most, over real sockets)',
    seed: SEED,
    n: operations,
    value: Math.round(Math.max(0, latest)),
    limit: `${TOLERANCE}, not a gate: the machine is shared`,
    pass: true,
  });
});
