import { Client, HashClient, PooledClient, RetryingClient, backoff, type Client as AnyClient, type ClientOptions } from '../../src';
import { Oracle, ToldSerde, useClient, type Told } from './oracle';
import { SimulatedNetwork } from './simulation';
import { PROTOCOL_TOXICS, TRANSPORT_TOXICS } from './toxics';

const CALLERS = 40;
const TIMEOUT = 1000;

/** A kind of client as it is put to the test. */
export interface SimulatedClient {
  readonly make: (options: ClientOptions<Told>) => AnyClient<Told>;
  /** Every call has settled after this many milliseconds. */
  readonly limit: number;
}

type Named = readonly [name: string, kind: SimulatedClient];

export const simulatedClients: readonly [Named, ...Named[]] = [
  ['Client', { make: (options) => new Client('a', options), limit: TIMEOUT }],
  ['PooledClient', { make: (options) => new PooledClient('a', { ...options, maxPoolSize: 3 }), limit: TIMEOUT }],
  ['HashClient', { make: (options) => new HashClient(['a', 'b', 'c'], { ...options, deadTimeout: 2000 }), limit: TIMEOUT }],
  ['RetryingClient', { make: (options) => new RetryingClient(new Client('a', options), { attempts: 3, retryDelay: 10 }), limit: 3 * TIMEOUT + 20 }],
  [
    'RetryingClient over a HashClient of pools',
    {
      make: (options) => new RetryingClient(new HashClient(['a', 'b', 'c'], { ...options, usePooling: true }), { retryDelay: backoff({ random: () => 0.5 }) }),
      limit: 2 * TIMEOUT + 20,
    },
  ],
];

/** What a run has come to. */
export interface SimulatedRun {
  /** Empty when all was in order. */
  readonly wrong: readonly string[];
  readonly oracle: Oracle;
  readonly network: SimulatedNetwork;
}

/** This many operations of one client, under every toxic. One seed is one run. */
export async function simulate(seed: number, { make, limit }: SimulatedClient, operations: number): Promise<SimulatedRun> {
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
  return { wrong: oracle.wrong, oracle, network };
}
