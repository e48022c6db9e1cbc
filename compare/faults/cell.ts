/** One client and one fault, in a process of its own: it may crash, hang, or not end. What is seen goes to standard output. */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Adapter } from './clients/adapter';
import { contestants } from './clients';
import { PATIENCE, RECOVERY, type CallObservation, type Observation } from './observation';
import { faults, NEXT, WARM, type Call, type Fault } from './scripts';
import { storedValue } from './server/dialect';

/** What a client is asked to do. */
export interface Order {
  readonly client: string;
  readonly fault: string;
  readonly port: number;
}

// Written at once, so that nothing is lost in a crash.
function say(observation: Observation): void {
  writeSync(1, `${JSON.stringify(observation)}\n`);
}

type Came = Pick<CallObservation, 'came' | 'shown'>;

function short(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function delivered(call: Call, value: unknown): Came {
  if (call.operation === 'noreply set') return { came: 'right', shown: '' };
  if (value === undefined || value === null || value === false) return { came: 'nothing', shown: String(value) };
  const isRight = call.operation === 'set' || value === (call.value ?? storedValue(call.key));
  return { came: isRight ? 'right' : 'wrong', shown: short(JSON.stringify(value)) };
}

async function make(client: Adapter, { operation, key, value = '', seconds = 0 }: Call): Promise<unknown> {
  switch (operation) {
    case 'get':
      return client.get(key);
    case 'set':
      return client.set(key, value, seconds);
    case 'noreply set':
      return client.setNoreply?.(key, value);
  }
}

/** Makes a call and says what came of it. With `unref`, waiting for it does not keep the process alive. */
async function observe(client: Adapter, step: CallObservation['step'], call: Call, unref = false): Promise<CallObservation> {
  const began = performance.now();
  const settled = make(client, call).then(
    (value) => delivered(call, value),
    (error: unknown): Came => ({ came: 'error', shown: short(error instanceof Error ? error.message || error.name : String(error)) }),
  );
  const pending = sleep(PATIENCE, undefined, { ref: !unref }).then((): Came => ({ came: 'pending', shown: '' }));
  const came = await Promise.race([settled, pending]);
  const { operation, key } = call;
  const observation: CallObservation = { step, operation, key, ...came, milliseconds: Math.round(performance.now() - began) };
  say(observation);
  return observation;
}

async function observeWithReadBack(client: Adapter, fault: Fault, call: Call): Promise<void> {
  const { came } = await observe(client, 'call', call, fault.closes);
  if (fault.server !== 'memcached' || call.operation !== 'set' || came !== 'right') return;
  await observe(client, 'call', { ...call, operation: 'get' });
}

/** Gets one key after the other until two in a row came right; what comes before the second is seen as well. */
async function recover(client: Adapter): Promise<void> {
  const until = performance.now() + RECOVERY;
  let inARow = 0;
  for (const key of NEXT) {
    const { came } = await observe(client, 'next', { operation: 'get', key, right: 'value' });
    inARow = came === 'right' ? inARow + 1 : 0;
    if (inARow === 2 || performance.now() > until) return;
    if (inARow === 0) await sleep(100);
  }
}

async function play({ client: name, fault: title, port }: Order): Promise<void> {
  const contestant = contestants.find((entry) => entry.name === name);
  const fault = faults.find((entry) => entry.name === title);
  if (contestant === undefined || fault === undefined) throw new Error(`no such client or fault: ${name}, ${title}`);
  const client = await contestant.make(port);
  if (fault.server !== 'absent') {
    const value = await client.get(WARM);
    if (value !== storedValue(WARM)) throw new Error(`${name} does not read from a server without faults`);
  }
  say({ step: 'warm' });
  const calls = fault.calls.map((call) => observeWithReadBack(client, fault, call));
  if (fault.closes) {
    await sleep(100);
    say({ step: 'closing' });
    await client.close();
    return;
  }
  await Promise.all(calls);
  await sleep(fault.pause ?? 0);
  await recover(client);
  say({ step: 'done' });
  process.exit(0);
}

void play(JSON.parse(process.argv[2] ?? '{}') as Order);
