import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Order } from './cell';
import type { Contestant } from './clients/adapter';
import { FAREWELL, type Observation, type Play } from './observation';
import type { Fault } from './scripts';
import { setStage } from './stage';

/** No cell may take longer, in milliseconds; it takes about half of that when everything goes wrong on a busy machine. */
const LIMIT = 12_000;

/** Plays one fault to one client. */
export async function runCell(contestant: Contestant, fault: Fault): Promise<Play> {
  const stage = await setStage(fault, contestant.protocol);
  try {
    const order: Order = { client: contestant.name, fault: fault.name, port: stage.port };
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'cell.ts'), JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: join(__dirname, '..', '..'),
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let killed = false;
    const kill = (): void => {
      killed = child.kill('SIGKILL');
    };
    let timer = setTimeout(kill, LIMIT);
    const observations: Observation[] = [];
    createInterface(child.stdout).on('line', (line) => {
      if (!line.startsWith('{"step":')) return;
      const observation = JSON.parse(line) as Observation;
      observations.push(observation);
      stage.onObservation(observation);
      if (observation.step !== 'closing') return;
      clearTimeout(timer);
      timer = setTimeout(kill, FAREWELL);
    });
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
    clearTimeout(timer);
    return { observations, exit: { code, killed }, stderr, ...(await stage.seen()) };
  } finally {
    await stage.close();
  }
}
