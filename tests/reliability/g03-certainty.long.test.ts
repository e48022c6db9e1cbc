import { Client, HashClient, MemcacheError, MetaCommand, PooledClient, RawSerde, type Client as AnyClient, type ClientOptions } from '../../src';
import { SimulatedNetwork } from '../support/simulation';
import { TRANSPORT_TOXICS } from '../support/toxics';
import { fromEnvironment, report } from './report';

const OPERATIONS = fromEnvironment('RELIABILITY_CERTAINTY', 100_000);
const CALLERS = 50;

type Make = (options: ClientOptions<Buffer, string | Uint8Array>) => AnyClient<Buffer, string | Uint8Array>;
const kinds: readonly (readonly [string, Make])[] = [
  ['Client', (options) => new Client('a', options)],
  ['PooledClient', (options) => new PooledClient('a', { ...options, maxPoolSize: 3, acquireTimeout: 300 })],
  ['HashClient', (options) => new HashClient(['a', 'b', 'c'], options)],
];

const seen = new Map<string, number>();
let operations = 0;

it.each(kinds)('%s: what it says about the server’s side is so', async (_, make) => {
  const network = new SimulatedNetwork({ seed: 5, toxics: TRANSPORT_TOXICS, toxicity: 0.6, refusals: 0.1 });
  const { clock, connect } = network;
  /** Every command has a key of its own, so that the log tells whether it was executed. */
  const executed = new Set<string>();
  for (const name of ['a', 'b', 'c']) {
    network.server(`${name}:11211`).onCommand = ({ verb, args }) => {
      if (verb !== 'mn') for (const key of args) executed.add(key);
    };
  }
  const client = make({ clock, connect, serde: new RawSerde(), timeout: 500, connectTimeout: 200, maxPending: 40 });
  const wrong: string[] = [];
  const unsent: string[] = [];
  let next = 0;
  const limit = OPERATIONS / kinds.length;
  async function caller(): Promise<void> {
    while (next < limit) {
      const key = `op-${next++}`;
      const calls = [
        () => client.set(key, 'value'),
        () => client.add(key, 'value'),
        () => client.delete(key),
        () => client.incr(key),
        () => client.touch(key, 10),
        () => client.get(key),
        () => client.gat(key, 10),
        () => client.metaSet(key, 'x', { mode: 'add' }),
        () => client.metaArithmetic(key, { vivify: 0 }),
        () => client.append(key, 'x'),
        // Refused by the server.
        () => client.executeMeta(new MetaCommand('ma', key, ['Dx'])),
      ];
      const call = calls[next % calls.length];
      if (call === undefined) continue;
      let certainty = 'succeeded';
      try {
        await call();
      } catch (error) {
        if (error instanceof MemcacheError) certainty = error.certainty;
        else wrong.push(String(error));
      }
      const was = executed.has(key);
      if (certainty === 'notSent' && was) wrong.push(`${key} was executed, and called notSent`);
      if ((certainty === 'executed' || certainty === 'succeeded') && !was) wrong.push(`${key} was not executed, and called ${certainty}`);
      if (certainty === 'notSent') unsent.push(key);
      seen.set(certainty, (seen.get(certainty) ?? 0) + 1);
      if (certainty !== 'succeeded') await new Promise<void>((resolve) => void clock.setTimeout(resolve, 20));
    }
  }
  let running = CALLERS;
  for (let i = 0; i < CALLERS; i++) void caller().finally(() => running--);
  expect(await clock.run(() => running === 0)).toBe(true);
  operations += next;
  // Nothing that was called unsent may happen later, either.
  expect(unsent.filter((key) => executed.has(key))).toEqual([]);
  expect(wrong.slice(0, 5)).toEqual([]);
  let closed = false;
  void client.close().finally(() => (closed = true));
  await clock.run(() => closed);
  for (const { context } of network.servers.values()) context.close();
});

it('every certainty was met', () => {
  console.log(JSON.stringify(Object.fromEntries(seen)));
  for (const certainty of ['succeeded', 'notSent', 'maybeExecuted', 'executed']) expect(seen.get(certainty) ?? 0).toBeGreaterThan(100);
  report({ goal: 'G03', claim: 'certainty is truthful: notSent was never executed, executed always was', seed: 5, n: operations, value: 0, limit: 0, pass: operations >= OPERATIONS });
});
