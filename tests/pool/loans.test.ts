import fc from 'fast-check';
import { createLoans, type LoanOptions, type Loans } from '../../src/pool/loans';

class Thing {
  disposed = false;
}

function makeLoans(options: Partial<LoanOptions> = {}): { loans: Loans<Thing>; made: Thing[] } {
  const made: Thing[] = [];
  const loans = createLoans(
    () => {
      const thing = new Thing();
      made.push(thing);
      return thing;
    },
    (thing) => {
      thing.disposed = true;
      return Promise.resolve();
    },
    { max: 3, min: 0, idleTimeout: 0, ...options },
  );
  return { loans, made };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('makes one only when all others are out, and the one used last is lent first', async () => {
  const { loans, made } = makeLoans();
  const a = await loans.borrow();
  loans.giveBack(a);
  await soon();
  expect(await loans.borrow()).toBe(a);
  const b = await loans.borrow();
  expect(b).not.toBe(a);
  expect(loans.stats).toEqual({ size: 2, available: 0, borrowed: 2 });
  loans.giveBack(a);
  await soon();
  loans.giveBack(b);
  await soon();
  expect(await loans.borrow()).toBe(b);
  expect(made).toHaveLength(2);
  expect([...loans.all]).toEqual(made);
  loans.giveBack(b);
  await loans.close();
});

it('waits in order when all are out', async () => {
  const { loans } = makeLoans({ max: 1 });
  const thing = await loans.borrow();
  const order: number[] = [];
  const waiters = [1, 2, 3].map(async (i) => {
    const one = await loans.borrow();
    order.push(i);
    loans.giveBack(one);
  });
  await soon();
  expect(order).toEqual([]);
  loans.giveBack(thing);
  await Promise.all(waiters);
  expect(order).toEqual([1, 2, 3]);
  await loans.close();
});

it('giving back twice, or what was never lent, does nothing', async () => {
  const { loans } = makeLoans({ max: 2 });
  const [a, b] = await Promise.all([loans.borrow(), loans.borrow()]);
  loans.giveBack(a);
  loans.giveBack(a);
  loans.giveBack(new Thing());
  await soon();
  loans.giveBack(a);
  expect(loans.stats).toEqual({ size: 2, available: 1, borrowed: 1 });
  const [c] = await Promise.all([loans.borrow()]);
  expect(c).toBe(a);
  loans.giveBack(b);
  loans.giveBack(c);
  await loans.close();
});

it('giving back twice takes nothing from the next borrower', async () => {
  const { loans } = makeLoans({ max: 1 });
  const thing = await loans.borrow();
  const next = loans.borrow();
  let lentTwice = false;
  const third = loans.borrow().then((one) => {
    lentTwice = true;
    return one;
  });
  loans.giveBack(thing);
  loans.giveBack(thing);
  expect(await next).toBe(thing);
  await soon();
  expect(lentTwice).toBe(false);
  loans.giveBack(thing);
  loans.giveBack(await third);
  await loans.close();
});

it('close waits until all are back, and disposes of every one', async () => {
  const { loans, made } = makeLoans();
  const [a, b] = await Promise.all([loans.borrow(), loans.borrow()]);
  loans.giveBack(a);
  let closed = false;
  const closing = loans.close().then(() => (closed = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(closed).toBe(false);
  loans.giveBack(b);
  await closing;
  expect(made.map(({ disposed }) => disposed)).toEqual([true, true]);
  expect([...loans.all]).toEqual([]);
});

it('those that are idle for too long are disposed of, down to the least that is kept', async () => {
  const { loans, made } = makeLoans({ max: 4, min: 1, idleTimeout: 30 });
  const things = await Promise.all([1, 2, 3, 4].map(() => loans.borrow()));
  for (const thing of things.slice(1)) loans.giveBack(thing);
  while (loans.stats.size > 2) await new Promise((resolve) => setTimeout(resolve, 10));
  // The one that is out is not idle.
  expect(things[0]?.disposed).toBe(false);
  if (things[0] !== undefined) loans.giveBack(things[0]);
  while (loans.stats.size > 1) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(loans.stats).toEqual({ size: 1, available: 1, borrowed: 0 });
  expect(made.filter(({ disposed }) => !disposed)).toHaveLength(1);
  await loans.close();
});

it('never lends one twice at a time, whatever is done', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('borrow', 'giveBack', 'giveBackTwice', 'wait'), { maxLength: 60 }), async (actions) => {
      const { loans, made } = makeLoans({ max: 3 });
      const out: Thing[] = [];
      const waiting: Promise<void>[] = [];
      for (const action of actions) {
        if (action === 'borrow') {
          waiting.push(
            loans.borrow().then((thing) => {
              if (out.includes(thing)) throw new Error('lent twice');
              out.push(thing);
            }),
          );
        } else if (action === 'wait') await soon();
        else {
          const thing = out.shift();
          if (thing === undefined) continue;
          loans.giveBack(thing);
          if (action === 'giveBackTwice') loans.giveBack(thing);
        }
        expect(loans.stats.size).toBeLessThanOrEqual(3);
      }
      const over = Promise.all(waiting);
      let done = false;
      void over.then(() => (done = true));
      while (!(done as boolean)) {
        await soon();
        const thing = out.shift();
        if (thing !== undefined) loans.giveBack(thing);
      }
      for (const thing of out) loans.giveBack(thing);
      await loans.close();
      expect(made.every(({ disposed }) => disposed)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

it('generic-pool is loaded when a pool is made: neither by an import, nor by a call, which may come when the process has no file descriptor left', () => {
  jest.isolateModules(() => {
    let loaded = false;
    jest.doMock('generic-pool', () => {
      loaded = true;
      return jest.requireActual<object>('generic-pool');
    });
    const { PooledClient, HashClient } = jest.requireActual<typeof import('../../src')>('../../src');
    new HashClient(['127.0.0.1:1']);
    expect(loaded).toBe(false);
    new PooledClient();
    expect(loaded).toBe(true);
    jest.dontMock('generic-pool');
  });
});
