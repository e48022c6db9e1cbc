/** The load: requests that were encoded before, written to a few connections; replies are counted by their bytes. Prints JSON. */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { platform } from 'node:process';

export interface Load {
  readonly port: number;
  readonly protocol: 'memcached' | 'redis';
  readonly command: 'get' | 'set' | 'mg' | 'ms';
  readonly connections: number;
  /** How many requests of a connection are under way. */
  readonly depth: number;
  readonly milliseconds: number;
  /** The group of the server's processes, whose CPU time is taken where the system tells it. */
  readonly group: number;
}

export interface Measurement {
  /** Requests per second. */
  readonly rate: number;
  /** CPU time of the server per request, in microseconds. */
  readonly cpu: number | undefined;
}

const KEYS = 1000;
const VALUE = 'v'.repeat(100);
const keys = Array.from({ length: KEYS }, (_, i) => `bench:key:${String(i).padStart(9, '0')}`);

/** One request, and the reply that must come. */
function exchange({ protocol, command }: Pick<Load, 'protocol' | 'command'>, key: string): readonly [string, string] {
  const { length } = VALUE;
  if (protocol === 'redis') {
    const words = command === 'get' ? ['GET', key] : ['SET', key, VALUE];
    const request = `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
    return [request, command === 'get' ? `$${length}\r\n${VALUE}\r\n` : '+OK\r\n'];
  }
  switch (command) {
    case 'get':
      return [`get ${key}\r\n`, `VALUE ${key} 0 ${length}\r\n${VALUE}\r\nEND\r\n`];
    case 'set':
      return [`set ${key} 0 0 ${length}\r\n${VALUE}\r\n`, 'STORED\r\n'];
    case 'mg':
      return [`mg ${key} v\r\n`, `VA ${length}\r\n${VALUE}\r\n`];
    case 'ms':
      return [`ms ${key} ${length}\r\n${VALUE}\r\n`, 'HD\r\n'];
  }
}

/** Stores and reads every key, one after another, and compares the replies: on each connection, as one peer keeps a cache for each. */
async function check(socket: Socket, protocol: Load['protocol']): Promise<void> {
  let received = '';
  const listen = (data: Buffer): void => {
    received += data.toString('latin1');
  };
  socket.on('data', listen);
  for (const command of ['set', 'get'] as const) {
    for (const key of keys) {
      const [request, reply] = exchange({ protocol, command }, key);
      received = '';
      socket.write(request);
      while (received !== reply) {
        await once(socket, 'data');
        if (!reply.startsWith(received)) throw new Error(`wrong reply: ${received}`);
      }
    }
  }
  socket.off('data', listen);
}

/** Keeps one connection busy. */
function drive(socket: Socket, load: Load, count: (requests: number) => void): void {
  const exchanges = keys.map((key) => exchange(load, key));
  const batches: Buffer[] = [];
  for (let at = 0; at < KEYS; at += load.depth) {
    batches.push(Buffer.from(exchanges.slice(at, at + load.depth).map(([request]) => request).join('')));
  }
  const replyLength = exchanges[0]![1].length;
  let turn = 0;
  let awaited = 0;
  const send = (): void => {
    awaited += load.depth * replyLength;
    socket.write(batches[turn++ % batches.length]!);
  };
  socket.on('data', (data) => {
    awaited -= data.length;
    if (awaited > 0) return;
    count(load.depth);
    send();
  });
  send();
}

/** User and system time of the processes of a group in microseconds, on Linux: npx starts others. */
function cpuTime(group: number): number | undefined {
  if (platform !== 'linux') return undefined;
  let ticks = 0;
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [, , ofGroup, ...fields] = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]!.split(' ');
      if (Number(ofGroup) === group) ticks += Number(fields[8]) + Number(fields[9]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10_000;
}

async function main(): Promise<void> {
  const load = JSON.parse(process.argv[2]!) as Load;
  const sockets = Array.from({ length: load.connections }, () => connect(load.port, '127.0.0.1').setNoDelay(true));
  await Promise.all(sockets.map((socket) => check(socket, load.protocol)));
  let requests = 0;
  for (const socket of sockets) drive(socket, load, (more) => (requests += more));
  const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
  await pause(load.milliseconds / 2);
  const [began, before, cpu] = [performance.now(), requests, cpuTime(load.group)];
  await pause(load.milliseconds);
  const [took, done, cpuAfter] = [performance.now() - began, requests - before, cpuTime(load.group)];
  const measurement: Measurement = {
    rate: (done / took) * 1000,
    cpu: cpu === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpu) / done,
  };
  process.stdout.write(JSON.stringify(measurement), () => process.exit(0));
}

void main();
