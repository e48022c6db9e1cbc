import { setTimeout } from 'node:timers/promises';
import { Client, FallbackClient, KeyCommand, PooledClient, type Executor, type Frame, type RequestWriter } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';

/** A command of somebody's own, who has made a mistake: one of its methods throws. */
class Mistaken extends KeyCommand<string> {
  readonly verb = 'mg';
  readonly idempotent = true;

  constructor(key: string, mistakes: Partial<Pick<KeyCommand<string>, 'outcome' | 'reader' | 'tally' | 'unanswered' | 'write'>>, noreply = false) {
    super(key, key, noreply);
    Object.assign(this, mistakes);
  }

  write(request: RequestWriter): void {
    request.text(this.noreply ? `delete ${this.wireKey} noreply\r\n` : `mg ${this.wireKey} s\r\n`);
  }

  read(frame: Frame): string {
    return frame.line();
  }
}

function mistake(): never {
  throw new RangeError('a mistake');
}

const mistakes: readonly [name: string, command: () => Mistaken, message: string][] = [
  ['has no result when no reply is awaited', () => new Mistaken('gone', {}, true), 'mg is always answered'],
  ['cannot tell its outcome', () => new Mistaken('k', { outcome: mistake }), 'a mistake'],
  ['cannot tell the outcome of its keys', () => new Mistaken('k', { outcome: mistake, tally: mistake }), 'a mistake'],
  ['has no reader', () => new Mistaken('k', { reader: mistake }), 'a mistake'],
  ['cannot be written', () => new Mistaken('k', { write: mistake }), 'a mistake'],
];

describe.each(mistakes)("a command of somebody's own that %s", (_, command, message) => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await MemcachedServer.start();
  });
  afterAll(() => server.close());

  it.each([
    ['Client', () => new Client(server.address)],
    ['PooledClient', () => new PooledClient(server.address)],
    ['EmbeddedClient', () => new EmbeddedClient()],
  ])('rejects, alone: with %s the calls beside it are answered', async (__, open) => {
    const client = open();
    await client.set('k', 'v');
    const [before, mistaken, after] = await Promise.allSettled([client.get('k'), client.executor.execute(command()), client.get('k')]);
    expect([before, after]).toEqual([{ status: 'fulfilled', value: 'v' }, { status: 'fulfilled', value: 'v' }]);
    expect(mistaken).toMatchObject({ status: 'rejected', reason: { message } });
    expect(await client.get('k')).toBe('v');
    await client.close();
  });
});

describe("an executor of somebody's own that throws", () => {
  /** Fails a little later, and throws when it is called again. */
  const failsThenThrows = (): Executor => {
    let calls = 0;
    return {
      execute: () => (calls++ === 0 ? setTimeout(5).then(mistake) : mistake()),
      close: () => Promise.resolve(),
    };
  };
  const calls: [name: string, call: () => Promise<unknown>][] = [
    ['setMany with a value that is too large', () => new Client(failsThenThrows(), { maxValueSize: 10 }).setMany({ a: 'x', b: 'x'.repeat(100) })],
  ];
  for (const name of ['delete', 'deleteMany', 'flushAll'] as const) {
    calls.push([`${name} of several caches`, () => {
      const executor = failsThenThrows();
      const client = new FallbackClient([new Client(executor), new Client(executor)]);
      return name === 'flushAll' ? client.flushAll() : name === 'delete' ? client.delete('k') : client.deleteMany(['k', 'l']);
    }]);
  }

  it.each(calls)('leaves nothing behind that would end the process: %s', async (_, call) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => { unhandled.push(error); };
    process.on('unhandledRejection', note);
    await expect(call()).rejects.toThrow('a mistake');
    await setTimeout(20);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
