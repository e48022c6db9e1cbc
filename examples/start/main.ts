/** `npm start`: five seconds that show what this is for, with nothing installed beside Node. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { SingleBar } from 'cli-progress';
import colors from 'picocolors';
import { Client, MemcacheError } from 'tsmemcache';
import { ReadThroughCache } from 'tsmemcache/cache';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly roles: readonly string[];
}

/** The database. */
const rows = Array.from({ length: 1000 }, (_, id): Row => ({ id, name: `Ada ${id}`, roles: ['reader', 'writer'] }));
const keys = rows.map(({ id }) => `user:${id}`);

let wrong = 0;

function check(row: Row, got: unknown): void {
  if (!isDeepStrictEqual(got, row)) wrong++;
}

/** A row and its key, one after the other without end. */
function* inTurn(): Generator<[row: Row, key: string], never> {
  for (;;) for (const [id, row] of rows.entries()) yield [row, keys[id] ?? ''];
}

/** Runs `lanes` lanes of `work` for this many milliseconds, with a bar on a terminal; how long each call took, in milliseconds. */
async function pass(milliseconds: number, lanes: number, work: () => Promise<void>): Promise<Float64Array> {
  const bar = new SingleBar({ format: '  {bar} {percentage} %', clearOnComplete: true, hideCursor: true, noTTYOutput: false });
  const times: number[] = [];
  const began = performance.now();
  const ticker = setInterval(() => { bar.update(Math.min(milliseconds, performance.now() - began)); }, 50);
  bar.start(milliseconds, 0);
  const lane = async (): Promise<void> => {
    for (let now = performance.now(); now < began + milliseconds; ) {
      await work();
      const then = now;
      now = performance.now();
      times.push(now - then);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  clearInterval(ticker);
  bar.stop();
  return Float64Array.from(times).sort();
}

function say(what: string, figure: string, remark = ''): void {
  console.log(`  ${what.padEnd(33)}${colors.bold(figure.padStart(15))}   ${colors.dim(remark)}`);
}

function report(what: string, times: Float64Array, milliseconds: number, perCall = 1): void {
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
  const rate = Math.round((times.length * perCall * 1000) / milliseconds).toLocaleString('en');
  say(what, `${rate} gets/s`, `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

async function listen(server: ChildProcess, port: number): Promise<string> {
  server.send(port);
  const [address] = (await once(server, 'message')) as [string];
  return address;
}

async function speed(client: Client): Promise<void> {
  const turn = inTurn();
  const get = async (): Promise<void> => {
    const [row, key] = turn.next().value;
    check(row, await client.get(key));
  };
  const getMany = async (): Promise<void> => {
    const first = (turn.next().value[0].id * 100) % rows.length;
    const wanted = rows.slice(first, first + 100);
    const found = await client.getMany(wanted.map(({ id }) => keys[id] ?? ''));
    for (const row of wanted) check(row, found.get(keys[row.id] ?? ''));
  };
  await pass(500, 128, get);
  report('one by one', await pass(500, 1, get), 500);
  report('128 calls outstanding', await pass(600, 128, get), 600);
  report('getMany of 100 keys', await pass(500, 8, getMany), 500, 100);
}

/** 200 callers want a key that nobody has loaded, half of them as in another process. */
async function coldKey(address: string): Promise<void> {
  const clients = [new Client(address), new Client(address)];
  const [row] = rows;
  let loads = 0;
  const load = async (): Promise<Row | undefined> => {
    loads++;
    await sleep(50);
    return row;
  };
  const began = performance.now();
  const callers = clients.flatMap((client) => {
    const cache = new ReadThroughCache(client, { expire: 60 });
    return Array.from({ length: 100 }, () => cache.get('cold', load));
  });
  for (const got of await Promise.all(callers)) if (row !== undefined) check(row, got);
  say('a cold key, 200 callers at once', loads === 1 ? '1 load' : `${loads} loads`, `for all, after ${(performance.now() - began).toFixed(0)} ms`);
  await Promise.all(clients.map((client) => client.close()));
}

/** Readers go on while the server is killed and comes back empty. What the cache does not give comes from the database. */
async function outage(address: string, server: ChildProcess, standby: ChildProcess): Promise<void> {
  const client = new Client(address, { timeout: 200 });
  const turn = inTurn();
  let failed = 0;
  let slowest = 0;
  let back = Infinity;
  let firstHit = Infinity;
  const read = async (): Promise<void> => {
    const [row, key] = turn.next().value;
    const began = performance.now();
    try {
      const got = await client.get(key);
      if (got === undefined) await client.set(key, { ...row });
      else check(row, got);
      if (began > back) firstHit = Math.min(firstHit, performance.now());
    } catch (error) {
      if (!(error instanceof MemcacheError)) throw error;
      failed++;
      slowest = Math.max(slowest, performance.now() - began);
      await sleep(5);
    }
  };
  const reading = pass(1300, 32, read);
  await sleep(300);
  server.kill('SIGKILL');
  await sleep(400);
  await listen(standby, Number(address.split(':').at(-1)));
  back = performance.now();
  await reading;
  // Where the machine is slow, the pass may be over first.
  while (firstHit === Infinity && performance.now() < back + 10_000) await read();
  say('the server killed, back in 0.4 s', `${failed.toLocaleString('en')} failed`, `each in ${Math.ceil(slowest)} ms; up in ${Math.max(0, firstHit - back).toFixed(0)} ms`);
  await client.close();
}

async function main(): Promise<void> {
  const [server, standby] = [1, 2].map(() => fork(join(__dirname, 'server.ts'))) as [ChildProcess, ChildProcess];
  const address = await listen(server, 0);
  const client = new Client(address);
  await client.setMany(rows.map((row): [string, object] => [keys[row.id] ?? '', row]));
  console.log(`\nA Client and the embedded server, in two processes; every value is compared.\n`);
  await speed(client);
  await coldKey(address);
  await client.close();
  await outage(address, server, standby);
  standby.kill();
  if (wrong > 0) {
    console.error(colors.red(`\n${wrong} values were not what was stored.`));
    process.exitCode = 1;
  } else {
    console.log(colors.green('\nEvery value was what was stored.'));
  }
}

void main();
