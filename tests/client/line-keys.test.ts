import { Client } from '../../src';
import { Call } from '../../src/client/call';
import { forValues, GetCommand } from '../../src/client/commands/retrieval';
import { ServerMeter } from '../../src/client/meter';
import { CallQueue } from '../../src/client/wire/call-queue';
import { connectSocket } from '../../src/client/wire/transport';
import { lineKeys } from '../../src/client/wire/line-keys';
import { Outbox } from '../../src/client/wire/outbox';
import { RequestWriter } from '../../src/protocol/request';
import { RawSerde } from '../../src/serde';
import { MemcachedServer } from '../../src/server';
import { resultOfEnding } from '../support/ends';
import { SeededRandom } from '../support/seeded-random';

const meter = new ServerMeter('server', 1);

/** What is written of gets. */
class Written {
  readonly #queue = new CallQueue();
  readonly #request = new RequestWriter();
  readonly #outbox = new Outbox(this.#queue, this.#request, 2 ** 30, meter);

  add(key: string, withdrawn = false): void {
    const call: Call<unknown> = new Call<unknown>(new GetCommand(forValues(new RawSerde()), key, key), () => undefined);
    if (withdrawn) call.resolve(undefined, meter);
    this.#queue.push(call);
  }

  /** The lines, each as its keys; then nothing is awaited any more. */
  take(): string[][] {
    let text = '';
    while (this.#outbox.encode(false)) this.#request.drain((piece) => (text += String(piece)));
    while (this.#queue.size > 0) this.#queue.shift();
    return text.split('\r\n').slice(0, -1).map((line) => line.split(' ').slice(1));
  }
}

// The first test: it needs the table as it is in a new process.
it('lines of gets are written when their numbers start anew', () => {
  resultOfEnding(() => {
    const queue = new CallQueue();
    // There are 2^32 numbers, and each line has 512 of them.
    for (let i = 1; i < 2 ** 32 / 512; i++) lineKeys.start(queue, 0, 'one', 'two');
    const written = new Written();
    const keys = Array.from({ length: 200 }, (_, key) => `key-${key}`);
    for (const key of keys) written.add(key);
    expect(written.take()).toEqual([keys]);
  });
});

it('lines of gets are written however many calls between them were withdrawn', () => {
  const random = new SeededRandom(3);
  resultOfEnding(() => {
    const written = new Written();
    for (let round = 0; round < 30; round++) {
      const keys: string[] = [];
      const add = (key: string): void => {
        keys.push(key);
        written.add(key);
      };
      for (let line = 0; line < 4; line++) {
        add(`k${round}.${line}`);
        for (let i = 500 + random.below(2000); i > 0; i--) written.add(`z${i}`, true);
        for (let i = 0; i < 255; i++) add(`k${round}.${line}.${i}`);
      }
      expect(written.take().flat()).toEqual(keys);
    }
  });
});

it.each([1, 10, 100, 250])('gats with keys of %i bytes share lines of at most 1024 bytes, beyond which memcached hangs up', async (length) => {
  const server = await MemcachedServer.start();
  let sent = '';
  const client = new Client(server.address, {
    connect: (address, options, handler) => {
      const transport = connectSocket(address, options, handler);
      const write = transport.write.bind(transport);
      transport.write = (piece) => {
        sent += String(piece);
        write(piece);
      };
      return transport;
    },
  });
  const keys = Array.from({ length: 600 }, (_, i) => String.fromCharCode(97 + (i % 26)).padStart(length, `${i}-`));
  await client.setMany(keys.map((key): [string, number] => [key, 1]));
  sent = '';
  expect(await Promise.all(keys.map((key, i) => (i % 2 === 0 ? client.gat(key, 2 ** 31 - 1) : client.gats(key, 2 ** 31 - 1))))).toHaveLength(600);
  expect(await Promise.all(keys.map((key) => client.gat(key, 100)))).toEqual(keys.map(() => 1));
  const lines = sent.split('\n').map((line) => line.length + 1);
  expect(Math.max(...lines)).toBeLessThanOrEqual(1024);
  // They do share them.
  if (length < 100) expect(lines.length).toBeLessThan(650);
  await client.close();
  await server.close();
});
