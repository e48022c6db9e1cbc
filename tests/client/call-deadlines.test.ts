import { Call } from '../../src/client/call';
import { VersionCommand } from '../../src/client/commands/admin';
import type { Timed } from '../../src/client/timed';
import { fairTimeout, OneDeadline, type Verdict } from '../../src/client/wire/call-deadlines';
import { QueueDeadlines } from '../../src/pool/queue-deadlines';
import { SimulatedClock } from '../support/simulated-clock';
import { turns, VirtualClock } from '../support/virtual-clock';

/** Calls of one connection that is never answered, and when each was given up. */
class Silence {
  readonly calls: Call<unknown>[] = [];
  readonly givenUp = new Map<Call<unknown>, number>();
  readonly deadlines: QueueDeadlines;

  constructor(
    timeout: number,
    readonly clock = new VirtualClock(),
  ) {
    this.deadlines = new QueueDeadlines(this.clock, timeout, this);
  }

  /** Three of them, whose stalls are the same. */
  static inOneProcess(timeout: number): [Silence, Silence, Silence] {
    const clock = new VirtualClock();
    return [new Silence(timeout, clock), new Silence(timeout, clock), new Silence(timeout, clock)];
  }

  timed(): Iterable<Timed> {
    return this.calls;
  }

  judge(verdict: Verdict): number {
    let next = Infinity;
    for (const call of [...this.calls]) {
      if (!verdict.isDue(call)) next = Math.min(next, verdict.dueAt(call));
      else {
        this.calls.splice(this.calls.indexOf(call), 1);
        this.givenUp.set(call, this.clock.now());
      }
    }
    return next;
  }

  /** A call, after which the caller computes for a while. @param deadline its own, on the monotonic clock */
  call(busy = 0, deadline?: number): Call<unknown> {
    const call = new Call<unknown>(new VersionCommand(), () => undefined);
    if (deadline !== undefined) call.deadline = deadline;
    this.deadlines.startTick();
    this.deadlines.begin(call);
    this.calls.push(call);
    if (busy > 0) this.clock.jump(busy);
    this.deadlines.look();
    return call;
  }

  /** Goes on with a call that has begun elsewhere. */
  take(call: Call<unknown>): void {
    this.deadlines.startTick();
    this.deadlines.begin(call);
    this.calls.push(call);
  }

  when(call: Call<unknown>): number | undefined {
    return this.givenUp.get(call);
  }
}

it('deadlines keep no process alive: what is awaited has a connection that does', () => {
  const clock = new SimulatedClock();
  fairTimeout(clock, new OneDeadline(clock, 1000), 1000, () => undefined);
  expect([clock.timers, clock.held]).toEqual([1, 0]);
});

describe('a call that is not answered', () => {
  it('is given up at its time-out when the process is quiet', async () => {
    const silence = new Silence(200);
    const first = silence.call();
    await silence.clock.advance(50);
    const second = silence.call();
    await silence.clock.advance(1000);
    expect([silence.when(first), silence.when(second)]).toEqual([200, 250]);
  });

  it('is given the stall of the tick in which it was made', async () => {
    const silence = new Silence(200);
    const call = silence.call(80);
    await silence.clock.advance(1000);
    expect(silence.when(call)).toBe(280);
  });

  it('is given a stall once, however often somebody looks at the clock during it', async () => {
    const silence = new Silence(200);
    const call = silence.call(50);
    silence.clock.jump(50);
    silence.deadlines.look();
    await silence.clock.advance(1000);
    expect(silence.when(call)).toBe(300);
  });

  it('is given 200 ms for all stalls together where there is no time-out, but a deadline of its own', async () => {
    const silence = new Silence(0);
    const call = silence.call(0, 200);
    for (let i = 0; i < 60 && silence.when(call) === undefined; i++) {
      silence.call(20);
      await silence.clock.advance(0.1);
    }
    expect(silence.when(call)).toBeGreaterThanOrEqual(400);
    expect(silence.when(call)).toBeLessThan(450);
  });

  it('is given no stall when another connection takes over a call whose time-out is over, and that lives on by its own', async () => {
    const [pool, taker, other] = Silence.inOneProcess(200);
    const waiting = pool.call(100);
    await pool.clock.advance(150);
    const call = other.call();
    taker.take(waiting);
    await pool.clock.advance(1000);
    expect([taker.when(waiting), other.when(call)]).toEqual([300, 450]);
  });

  it('is given a chance when it came due in a stall, and another connection takes it over before the timer has fired', async () => {
    const [first, taker] = Silence.inOneProcess(200);
    const call = first.call();
    first.clock.jump(260);
    first.deadlines.close();
    taker.take(call);
    await taker.clock.advance(1000);
    expect(taker.when(call)).toBe(320);
  });

  it('is given 200 ms for a longer one', async () => {
    const silence = new Silence(1000);
    const call = silence.call(700);
    await silence.clock.advance(2000);
    expect(silence.when(call)).toBe(1200);
  });

  it('is given the stalls of its own lifetime only', async () => {
    const silence = new Silence(200);
    silence.call(50);
    await silence.clock.advance(10);
    const call = silence.call();
    await silence.clock.advance(1000);
    expect(silence.when(call)).toBe(60 + 200);
  });

  it('is given its time-out once more for all stalls together', async () => {
    const silence = new Silence(200);
    const first = silence.call(20);
    for (let i = 0; i < 60 && silence.when(first) === undefined; i++) {
      silence.call(20);
      await silence.clock.advance(0.1);
    }
    // Due at 400, during a stall of 20 ms that ends at 402.1; its last chance ends 20 ms later, and is noticed when that stall ends.
    expect(silence.when(first)).toBeGreaterThanOrEqual(400);
    expect(silence.when(first)).toBeLessThan(450);
  });

  it.each([
    [6, 20],
    [90, 90],
    [600, 200],
  ])('when due in a stall, by %i ms, has %i ms more from its end', async (late, chance) => {
    const silence = new Silence(200);
    const call = silence.call();
    await silence.clock.advance(150);
    silence.clock.jump(50 + late);
    await silence.clock.advance(0);
    expect(silence.when(call)).toBeUndefined();
    await silence.clock.advance(chance - 1);
    expect(silence.when(call)).toBeUndefined();
    await silence.clock.advance(1);
    expect(silence.when(call)).toBe(200 + late + chance);
  });

  it('has two such chances, however the process goes on', async () => {
    const silence = new Silence(200);
    const call = silence.call();
    await silence.clock.advance(0);
    for (const stall of [250, 400, 30]) {
      expect(silence.when(call)).toBeUndefined();
      silence.clock.jump(stall);
      await silence.clock.advance(0);
    }
    expect(silence.when(call)).toBe(680);
  });

  it('has one when a pool looks at it just after a stall that was longer than what is made up for', async () => {
    const silence = new Silence(50);
    const call = silence.call(101);
    expect(silence.deadlines.isDue(call, silence.clock.now())).toBe(false);
    await silence.clock.advance(1000);
    expect(silence.when(call)).toBe(202);
  });

  it('may be due from its deadline on', () => {
    const silence = new Silence(100);
    const call = silence.call();
    const seen: [time: number, may: boolean, is: boolean][] = [];
    for (const jump of [99, 1, 2]) {
      silence.clock.jump(jump);
      const now = silence.clock.now();
      seen.push([now, silence.deadlines.mayBeDue(now), silence.deadlines.isDue(call, now)]);
    }
    expect(seen).toEqual([[99, false, false], [100, true, true], [102, true, true]]);
  });

  it('is on time when late by less than a stall', async () => {
    const silence = new Silence(200);
    const call = silence.call();
    await silence.clock.advance(0);
    silence.clock.jump(204);
    await silence.clock.advance(0);
    expect(silence.when(call)).toBe(204);
  });

  it('begins when it is made, in a tick that takes long', async () => {
    const silence = new Silence(1000);
    silence.deadlines.startTick();
    const calls = Array.from({ length: 4 }, () => {
      const call = new Call<unknown>(new VersionCommand(), () => undefined);
      silence.deadlines.begin(call);
      silence.calls.push(call);
      silence.clock.jump(300);
      return call;
    });
    silence.deadlines.look();
    await silence.clock.advance(5000);
    // Made at 0, 300, 600 and 900, in a stall of which 200 ms count: those before the second call. The first is due as it ends.
    expect(calls.map((call) => silence.when(call))).toEqual([1400, 1300, 1600, 1900]);
  });

  it('settles though a timer was lost with the fake timers that set it', async () => {
    const silence = new Silence(200);
    silence.call();
    silence.clock.loseTimers();
    const call = silence.call();
    await silence.clock.advance(1000);
    expect(silence.when(call)).toBe(200);
  });
});

it('one deadline of something else follows the same rule', async () => {
  const clock = new VirtualClock();
  const rung: number[] = [];
  fairTimeout(clock, new OneDeadline(clock, 100), 100, () => { rung.push(clock.now()); });
  fairTimeout(clock, new OneDeadline(clock, 50), 100, () => { rung.push(-1); }).close();
  clock.jump(140);
  await clock.advance(39);
  expect(rung).toEqual([]);
  await clock.advance(1);
  await turns();
  expect(rung).toEqual([180]);
});
