import type { Socket } from 'node:net';
import { Relay, type Passage } from '../../tools/relay';
import type { SeededRandom } from './seeded-random';
import { ToxicStream, type Toxic } from './toxics';

/** A proxy in front of a real server that does to connections what toxics do. */
export class ChaosProxy {
  readonly strikes = new Map<string, number>();
  #relay: Relay | undefined;

  static async start(port: number, toxics: readonly Toxic[], random: SeededRandom): Promise<ChaosProxy> {
    const proxy = new ChaosProxy();
    proxy.#relay = await Relay.start(port, () => proxy.#passage(toxics, random.fork()));
    return proxy;
  }

  private constructor() {}

  get address(): string {
    return this.#relay?.address ?? '';
  }

  async close(): Promise<void> {
    await this.#relay?.close();
  }

  #passage(toxics: readonly Toxic[], random: SeededRandom): Passage {
    const stream = new ToxicStream(random.chance(0.7) ? random.pick(toxics) : undefined, random);
    let life = 5 + random.below(60);
    let passing = Promise.resolve();
    return {
      fromServer: (bytes, client) => {
        const before = stream.strikes;
        const steps = stream.pass(Buffer.from(bytes));
        if (stream.toxic !== undefined && stream.strikes > before) {
          this.strikes.set(stream.toxic, (this.strikes.get(stream.toxic) ?? 0) + stream.strikes - before);
        }
        passing = passing.then(async () => {
          await play(steps, client);
          if (--life === 0) client.resetAndDestroy();
        });
      },
    };
  }
}

async function play(steps: ReturnType<ToxicStream['pass']>, client: Socket): Promise<void> {
  for (const step of steps) {
    if ('bytes' in step) {
      // Real time is dear: a tenth of it will do.
      if (step.delay >= 1) await new Promise((resolve) => setTimeout(resolve, step.delay / 10));
      if (client.writable) client.write(step.bytes);
    } else if (step.end === 'fin') client.end();
    else if (step.end === 'rst') client.resetAndDestroy();
  }
}
