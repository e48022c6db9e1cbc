/** A process that makes a call per turn of the event loop and computes in between has time-outs all the same. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Client, HashClient, MemcacheTimeoutError, PooledClient } from '../../src';

const TIMEOUT = 200;

/** Milliseconds by which one of Node's timers is late in a quiet process: it counts whole ones, on the clock of the event loop. */
const TIMER = 2;

interface Fate {
  readonly begun: number;
  settled: number;
  error: unknown;
}

/** Accepts connections, and never answers. */
async function blackHole(): Promise<{ server: Server; address: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume().on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

function compute(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

function follow(call: Promise<unknown>): Fate {
  const fate: Fate = { begun: performance.now(), settled: Infinity, error: undefined };
  call.then(
    () => { fate.settled = performance.now(); },
    (error: unknown) => {
      fate.error = error;
      fate.settled = performance.now();
    },
  );
  return fate;
}

interface Turn {
  readonly from: number;
  readonly to: number;
}

/**
 * When a call must have settled: the rule of docs/reliability.md, with the turns as they were. Its time may run out in an earlier one
 * of them, which may have been a longer stall: a stall only counts as far as somebody noticed it.
 */
function bound(fate: Fate, turns: readonly Turn[]): number {
  const last = endOfTime(fate, turns);
  if (last === undefined) return Infinity;
  let latest = 0;
  for (const end of turns) {
    if (end.to < fate.begun + TIMEOUT || end.to > last.to) continue;
    const chance = end.to + Math.min(Math.max(end.to - end.from, 20), 200);
    const second = turns.find(({ to }) => to >= chance + TIMER);
    if (second === undefined) return Infinity;
    // It is noticed in the turn after the one in which it ends, and judged after the next look at the sockets.
    const index = turns.findIndex(({ to }) => to >= second.to + 20 + TIMER);
    latest = Math.max(latest, index < 0 ? Infinity : (turns[index + 3]?.to ?? Infinity));
  }
  return latest;
}

/** The turn by whose end its time has run out, all stalls before it made up for. A call keeps whole milliseconds, and so does the account of stalls. */
function endOfTime({ begun, settled }: Fate, turns: readonly Turn[]): Turn | undefined {
  let stalls = 0;
  for (const turn of turns) {
    if (turn.to <= begun) continue;
    if (turn.from >= settled) return undefined;
    if (turn.to >= Math.ceil(begun + TIMEOUT) + Math.min(stalls, TIMEOUT) + TIMER) return turn;
    stalls += Math.ceil(Math.min(turn.to - Math.max(turn.from, begun), 200));
  }
  return undefined;
}

describe.each([20, 50])('a call per turn, and %i ms of computing after each', (busy) => {
  it.each([
    ['Client', (address: string) => new Client(address, { timeout: TIMEOUT })],
    ['PooledClient', (address: string) => new PooledClient(address, { timeout: TIMEOUT })],
    ['HashClient', (address: string) => new HashClient([address], { timeout: TIMEOUT })],
  ])('%s: every call settles by its time-out and the stalls of its lifetime', async (_, make) => {
    const hole = await blackHole();
    const client = make(hole.address);
    const fates: Fate[] = [];
    const turns: Turn[] = [];
    let last = performance.now();
    for (let i = 0; i < 1000 / busy; i++) {
      fates.push(follow(client.get(`k${i}`)));
      compute(busy);
      await new Promise((resolve) => setImmediate(resolve));
      turns.push({ from: last, to: (last = performance.now()) });
    }
    // Still busy, so that no quiet moment helps.
    for (let i = 0; i < 1000 / busy; i++) {
      compute(busy);
      await new Promise((resolve) => setImmediate(resolve));
      turns.push({ from: last, to: (last = performance.now()) });
    }
    await client.close();
    await hole.close();
    expect(fates.filter(({ settled }) => settled === Infinity)).toEqual([]);
    const late = fates.filter((fate) => fate.settled > bound(fate, turns) + 1);
    expect(late.map(({ begun, settled, error }) => `${String(error)}: ${settled - begun} ms, at the most ${bound({ begun, settled, error }, turns) - begun}`)).toEqual([]);
    // None is given up before its time, unless the connection was lost with the first.
    for (const { begun, settled, error } of fates) {
      if (error instanceof MemcacheTimeoutError) expect(settled - begun).toBeGreaterThanOrEqual(TIMEOUT - 1);
    }
  });
});
