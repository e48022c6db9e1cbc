/** A command that this package does not have, for instance that of a proxy of your own. */
import { Client, KeyCommand, OUTCOMES, type Frame, type Outcome, type RequestWriter } from 'tsmemcache';
import { MemcachedServer } from 'tsmemcache/server';

/** `mg KEY s`: the size of a value, without the value; undefined on a miss. */
export class SizeCommand extends KeyCommand<number | undefined> {
  readonly verb = 'mg';
  readonly idempotent = true;

  write(request: RequestWriter): void {
    request.text(`mg ${this.wireKey} s\r\n`);
  }

  read(frame: Frame, server: string): number | undefined {
    if (frame.startsWith('EN')) return undefined;
    const [, size] = /^HD s(\d+)$/.exec(frame.line()) ?? [];
    if (size === undefined) throw this.refuse(frame, server);
    return Number(size);
  }

  /** What `metrics()` counts it as; without this, neither as a hit nor as a miss. */
  override outcome(size: number | undefined): Outcome {
    return size === undefined ? OUTCOMES.miss : OUTCOMES.hit;
  }
}

async function main(): Promise<void> {
  const server = await MemcachedServer.start();
  const client = new Client(server.address);
  await client.set('text', 'twelve bytes');
  // A cluster sends it to the key's owner, a RetryingClient repeats it: it is a command like any other.
  for (const key of ['text', 'nothing']) console.log(`${key}: ${String(await client.executor.execute(new SizeCommand(key, key)))}`);
  await client.close();
  await server.close();
}

if (process.argv[1]?.endsWith('custom-command.ts')) void main();
