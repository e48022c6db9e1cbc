/** The scenarios once more, with real processes over a real memcached. Times are no gates here: the machine may be busy. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CacheOptions } from '../../src/cache';
import { describeWithMemcached } from '../support/describe';
import { startMemcached, type MemcachedProcess } from '../support/memcached';
import { CompiledProgram } from '../support/program';
import type { Order, Report } from './support/process-child';

class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (report: Report) => void>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#process = child;
    child.on('message', (report: Report | string) => {
      if (typeof report !== 'string') this.#waiting.get(report.id)?.(report);
    });
  }

  static async start({ file }: CompiledProgram): Promise<Child> {
    const child = fork(file, { execArgv: [] });
    const made = new Child(child);
    await once(child, 'message');
    return made;
  }

  do(order: Omit<Order, 'id'>): Promise<Report> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#process.send({ ...order, id });
    });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Resolves when it begins its next load. */
  async loading(): Promise<void> {
    for (;;) {
      const [message] = (await once(this.#process, 'message')) as unknown[];
      if (message === 'loading') return;
    }
  }

  get exited(): Promise<unknown> {
    return this.#process.exitCode === null ? once(this.#process, 'exit') : Promise.resolve();
  }
}

describeWithMemcached('real processes over a real memcached', () => {
  const PROCESSES = 4;
  let server: MemcachedProcess;
  let children: Child[];
  let program: CompiledProgram;
  let count = 0;

  beforeAll(async () => {
    server = await startMemcached();
    program = new CompiledProgram(join(__dirname, 'support', 'process-child.ts'));
    children = await Promise.all(Array.from({ length: PROCESSES }, () => Child.start(program)));
  });
  afterAll(async () => {
    for (const child of children) child.kill();
    program[Symbol.dispose]();
    await server.stop();
  });

  const key = (): string => `key-${count}`;

  function open(options: CacheOptions = {}): Promise<void> {
    count++;
    return reopen(options);
  }

  async function reopen(options: CacheOptions): Promise<void> {
    await Promise.all(children.map((child) => child.do({ what: 'open', address: server.address, options: { cacheTimeout: 2000, ...options } })));
  }

  async function herd(order: Partial<Order>, who = children): Promise<{ values: unknown[]; loads: (readonly [number, number])[]; times: number[] }> {
    const reports = await Promise.all(who.map((child) => child.do({ what: 'herd', key: key(), calls: 50, value: 'value', ...order })));
    for (const { stats } of reports) expect(stats['unhandled']).toBe(0);
    return { values: reports.flatMap(({ values }) => values), loads: reports.flatMap(({ loads }) => loads), times: reports.flatMap(({ times }) => times) };
  }

  function atOnce(loads: readonly (readonly [number, number])[]): number {
    return Math.max(...loads.map(([start]) => loads.filter(([from, to]) => from <= start && start < to).length));
  }

  it('1: a cold key is loaded once', async () => {
    await open();
    const { values, loads } = await herd({ duration: 300 });
    expect(loads).toHaveLength(1);
    expect(values).toEqual(Array(PROCESSES * 50).fill('value'));
    expect((await herd({})).loads).toHaveLength(0);
  });

  it('3: a key that has just expired is refreshed once, and nobody waits for it', async () => {
    await open({ expire: 1, stale: 60, earlyRefresh: 0 });
    await herd({ value: 'old' });
    await new Promise((resolve) => setTimeout(resolve, 3100));
    // So that what is loaded now does not expire while some process is late.
    await reopen({ stale: 60, earlyRefresh: 0 });
    const { values, loads } = await herd({ duration: 600, value: 'new' });
    expect(loads).toHaveLength(1);
    expect(values.filter((value) => value === 'old').length).toBeGreaterThan(0);
    expect((await herd({})).values).toEqual(Array(PROCESSES * 50).fill('new'));
  });

  it('6: the holder of a cold key is killed', async () => {
    await open({ lease: 2, leaseWait: 20_000 });
    const victim = children.pop()!;
    const loading = victim.loading();
    await victim.do({ what: 'hang', key: key() });
    await loading;
    victim.kill();
    const { values, loads } = await herd({ duration: 100 });
    expect(new Set(values)).toEqual(new Set(['value']));
    expect(loads).toHaveLength(1);
    children.push(await Child.start(program));
  });

  it('9, 10: a loader that fails is tried by one at a time, and leaves nothing', async () => {
    await open();
    const { values, loads } = await herd({ duration: 100, fails: true, calls: 1 });
    expect(new Set(values)).toEqual(new Set(['the loader failed']));
    expect(loads.length).toBeLessThanOrEqual(PROCESSES);
    expect(atOnce(loads)).toBe(1);
    expect((await herd({ value: 'fine' })).loads).toHaveLength(1);
  });

  it('13: a set during the load wins', async () => {
    await open();
    const loading = Promise.race(children.slice(0, 3).map((child) => child.loading()));
    const running = herd({ duration: 800, value: 'loaded' }, children.slice(0, 3));
    await loading;
    await children[3]!.do({ what: 'set', key: key(), value: 'set' });
    await running;
    expect(new Set((await herd({})).values)).toEqual(new Set(['set']));
  });

  it('14: after a delete during the load nobody reads what was loaded before', async () => {
    await open();
    const loading = children[0]!.loading();
    const running = herd({ duration: 800, value: 'old' }, children.slice(0, 1));
    await loading;
    // One that waits for the load, or asks only after the delete.
    const waiting = herd({ value: 'new' }, children.slice(1, 2));
    await children[3]!.do({ what: 'delete', key: key() });
    const { values } = await herd({ value: 'new', calls: 5 }, children.slice(2));
    expect(new Set(values)).toEqual(new Set(['new']));
    await Promise.all([running, waiting]);
    expect(new Set((await herd({ value: 'other' })).values)).toEqual(new Set(['new']));
  });

  it('15: invalidated entries are made anew by one', async () => {
    await open({ stale: 60 });
    await herd({ value: 'old' });
    await children[0]!.do({ what: 'invalidate', key: key() });
    const { loads } = await herd({ duration: 300, value: 'new' });
    expect(loads).toHaveLength(1);
    expect(new Set((await herd({})).values)).toEqual(new Set(['new']));
  });

  it('35: a closed cache and client leave nothing that keeps the process alive', async () => {
    await open();
    await herd({});
    const [child] = children;
    void child!.do({ what: 'close' });
    await child!.exited;
    children[0] = await Child.start(program);
  });
});
